#include "cli/dev/dev_cluster.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fstream>

#include "cli/client/deadline.h"
#include "cli/dev/control_socket.h"
#include "cli/dev/dev_config.h"
#include "cli/dev/dev_texts.h"
#include "cli/dev/local_ports.h"
#include "common/host/posix_disk.h"

namespace cli {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kReadinessEvery{100};
constexpr milliseconds kReadinessPatience{200};
constexpr milliseconds kProgressEvery{5000};
constexpr milliseconds kEndPatience{20'000};  // from SIGTERM to SIGKILL
constexpr milliseconds kNever{3'600'000};

// One process that should run, and what has become of it.
struct Child {
  bool wanted = false;  // started, or to be
  bool ready = false;
  bool start_again = false;  // as soon as the present process has ended
  bool paused = false;
  bool asked_to_end = false;
  Deadline kill_at = Deadline::in(kNever);  // when it has been asked to end
};

class DevCluster {
 public:
  DevCluster(const DevOptions& options, const DevShape& shape) : options_(options), shape_(shape) {}

  int run() {
    if (int code = prepare(); code != 0) return code;
    const auto wanted = static_cast<std::size_t>(brokers_wanted(shape_, before_));
    for (std::size_t i = 0; i < members_.size(); ++i) {
      const DevMember& member = members_[i];
      children_[i].wanted =
          member.role == DevRole::kController || member.id <= static_cast<std::int32_t>(wanted);
    }
    // Controllers first: brokers then find a leader at once.
    for (const DevRole role : {DevRole::kController, DevRole::kBroker}) {
      if (int code = start_all(role); code != 0) return end_at_once(code);
    }
    while (!ended()) turn();
    return exit_code_;
  }

 private:
  // ---- before anything runs

  int fail(const std::string& message, int code = 1) {
    std::fflush(stdout);
    fmt::print(stderr, "moldau dev: {}\n", message);
    return code;
  }

  int prepare() {
    auto given = load_dev_values(options_);
    if (!given) return fail(given.error(), kExitBadConfig);
    given_ = std::move(*given);
    if (int code = take_directory(); code != 0) return code;
    if (int code = plan(); code != 0) return code;
    if (int code = write_files(); code != 0) return code;
    auto socket = ControlSocket::listen(options_.data_dir);
    if (!socket) return fail(socket.error());
    control_.emplace(std::move(*socket));
    sigset_t signals;
    sigemptyset(&signals);
    for (int each : {SIGINT, SIGTERM, SIGHUP, SIGCHLD}) sigaddset(&signals, each);
    sigprocmask(SIG_BLOCK, &signals, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
    signals_ = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    return signals_ < 0 ? fail(std::strerror(errno)) : 0;
  }

  int take_directory() {
    const std::string& directory = options_.data_dir;
    if (auto made = disk_.make_directories(directory); !made) return fail(made.error().what);
    auto lock = disk_.lock(directory);
    if (!lock) {
      return fail(lock.error().what, lock.error().code == EWOULDBLOCK ? kExitDirectoryInUse : 1);
    }
    lock_ = std::move(*lock);
    if (!disk_.exists(directory + "/metadata")) return 0;
    return fail(fmt::format("{} holds the data of a single node: give the cluster another "
                            "--data-dir, or leave --brokers and --controllers away",
                            directory),
                kExitBadConfig);
  }

  int plan() {
    auto before = read_members(options_.data_dir);
    if (!before) return fail(before.error(), kExitDamagedData);
    if (*before) before_ = std::move(**before);
    PortPicker ports(static_cast<std::uint64_t>(getpid()) ^
                     static_cast<std::uint64_t>(time(nullptr)));
    for (const DevMember& each : before_) {
      for (std::uint16_t port : {each.kafka, each.internal, each.http, each.grpc}) ports.take(port);
    }
    auto planned = plan_members(shape_, before_, options_.data_dir,
                                [&](std::uint16_t preferred) { return ports.pick(preferred); });
    if (!planned) return fail(planned.error());
    members_ = std::move(*planned);
    children_.resize(members_.size());
    return 0;
  }

  int write_files() {
    for (const DevMember& member : members_) {
      const std::string folder = folder_of(options_.data_dir, member);
      if (auto made = disk_.make_directories(folder); !made) return fail(made.error().what);
      std::ofstream file(config_file(member), std::ios::trunc);
      file << config_text(member, members_, given_, options_.data_dir);
      file.close();
      if (!file) return fail("cannot write " + config_file(member));
      if (!disk_.exists(own_directory() + "/" + member.program())) {
        return fail(
            fmt::format("{} is not in {}, beside this program", member.program(), own_directory()));
      }
    }
    return save();
  }

  int save() {
    auto written = write_members(options_.data_dir, members_);
    return written ? 0 : fail(written.error());
  }

  std::string config_file(const DevMember& member) const {
    return folder_of(options_.data_dir, member) + "/moldau.yaml";
  }

  // ---- starting

  int start_all(DevRole role) {
    for (std::size_t i = 0; i < members_.size(); ++i) {
      if (members_[i].role != role || !children_[i].wanted) continue;
      if (auto started = start(i); !started) return fail(started.error());
    }
    return 0;
  }

  std::expected<void, std::string> start(std::size_t i) {
    DevMember& member = members_[i];
    for (std::uint16_t port : {member.kafka, member.internal, member.http, member.grpc}) {
      if (port != 0 && !is_free(port)) {
        return std::unexpected(
            fmt::format("port {} of {} is taken by another process", port, member.title()));
      }
    }
    std::vector<std::string> arguments{own_directory() + "/" + member.program(), "--config",
                                       config_file(member), "--log-level", options_.log_level};
    arguments.insert(arguments.end(),
                     {"--log-format", options_.log_format.empty() ? "text" : options_.log_format});
    auto process = spawn(arguments, member.log);
    if (!process) return std::unexpected(process.error());
    member.process = *process;
    children_[i] = {.wanted = true};
    said_waiting_ = Deadline::in(kProgressEvery);
    save();
    return {};
  }

  // ---- the loop

  void turn() {
    pollfd events[] = {{.fd = signals_, .events = POLLIN, .revents = 0},
                       {.fd = control_->descriptor(), .events = POLLIN, .revents = 0}};
    const bool busy = ending_ || std::ranges::any_of(children_, [](const Child& each) {
                        return each.asked_to_end || (each.wanted && !each.ready);
                      });
    if (poll(events, 2, busy ? static_cast<int>(kReadinessEvery.count()) : -1) < 0 &&
        errno != EINTR) {
      std::abort();
    }
    if (events[0].revents != 0) take_signals();
    if (events[1].revents != 0) {
      control_->serve([this](const std::string& request) { return on_request(request); });
    }
    look_for_ready();
    kill_the_late();
    if (ending_) go_on_ending();
  }

  void take_signals() {
    signalfd_siginfo info{};
    while (read(signals_, &info, sizeof info) == sizeof info) {
      if (info.ssi_signo == SIGCHLD) {
        take_children();
      } else if (info.ssi_signo != SIGHUP) {
        if (ending_) kill_all();  // asked twice: at once
        begin_ending(0);
      }
    }
  }

  void take_children() {
    int status = 0;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG | WUNTRACED | WCONTINUED)) > 0;) {
      const auto found = std::ranges::find_if(members_, [&](const DevMember& each) {
        return each.process && each.process->pid == pid;
      });
      if (found == members_.end()) continue;
      const auto i = static_cast<std::size_t>(found - members_.begin());
      if (WIFSTOPPED(status) || WIFCONTINUED(status)) {
        children_[i].paused = WIFSTOPPED(status);
        say(fmt::format("{} {}", found->title(), WIFSTOPPED(status) ? "is paused" : "goes on"));
      } else {
        on_end(i, status);
      }
    }
  }

  void on_end(std::size_t i, int status) {
    DevMember& member = members_[i];
    const Child was = children_[i];
    member.process.reset();
    children_[i] = {};
    save();
    if (was.start_again && !ending_) {
      say(fmt::format("{} has ended and starts again", member.title()));
      if (auto started = start(i); !started) say(started.error());
      return;
    }
    const bool clean = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (ending_ && (clean || was.asked_to_end)) return;
    if (clean) return say(fmt::format("{} has ended", member.title()));
    say(texts::of_death(member, status, options_.data_dir));
    if (greeted_) return;
    if (WIFEXITED(status) && WEXITSTATUS(status) == kExitBadConfig) begin_ending(kExitBadConfig);
    if (std::ranges::none_of(children_, &Child::wanted)) begin_ending(1);
  }

  void look_for_ready() {
    if (ending_) return;
    std::string waiting_for;
    for (std::size_t i = 0; i < members_.size(); ++i) {
      Child& child = children_[i];
      if (!child.wanted || child.ready || child.paused) continue;
      const Readiness readiness = ask_readiness(members_[i].http, kReadinessPatience);
      child.ready = readiness.ready;
      if (child.ready && greeted_) say(fmt::format("{} is ready", members_[i].title()));
      if (child.ready) continue;
      if (!waiting_for.empty()) waiting_for += "; ";
      waiting_for += members_[i].title();
      if (!readiness.why_not.empty()) waiting_for += fmt::format(" ({})", readiness.why_not);
    }
    if (waiting_for.empty()) return greet();
    if (!said_waiting_.passed()) return;
    say("waiting for " + waiting_for);
    said_waiting_ = Deadline::in(kProgressEvery);
  }

  void greet() {
    if (std::exchange(greeted_, true)) return;
    fmt::print("{}", texts::greeting(members_, options_.data_dir));
    std::fflush(stdout);
  }

  void say(const std::string& text) {
    fmt::print("{} {}\n", texts::time_of_day(), text);
    std::fflush(stdout);
  }

  // ---- requests of other processes

  std::string on_request(const std::string& request) {
    if (request == "stop") {
      begin_ending(0);
      return "ok";
    }
    for (std::size_t i = 0; i < members_.size(); ++i) {
      if (request == "restart " + members_[i].title()) return restart(i);
    }
    return "there is no " + request;
  }

  std::string restart(std::size_t i) {
    if (ending_) return "the cluster is ending";
    if (members_[i].process) {
      children_[i].start_again = true;
      ask_to_end(i);
      return "ok";
    }
    say(fmt::format("{} starts again", members_[i].title()));
    auto started = start(i);
    return started ? "ok" : started.error();
  }

  // ---- ending

  void ask_to_end(std::size_t i) {
    if (!members_[i].process || children_[i].asked_to_end) return;
    children_[i].asked_to_end = true;
    children_[i].kill_at = Deadline::in(kEndPatience);
    kill(members_[i].process->pid, SIGTERM);
    kill(members_[i].process->pid, SIGCONT);  // a paused one too
  }

  void kill_the_late() {
    for (std::size_t i = 0; i < members_.size(); ++i) {
      if (!children_[i].asked_to_end || !children_[i].kill_at.passed()) continue;
      say(fmt::format("{} has not ended in {} s: killed", members_[i].title(),
                      kEndPatience.count() / 1000));
      kill(members_[i].process->pid, SIGKILL);
      children_[i].kill_at = Deadline::in(kNever);
    }
  }

  void begin_ending(int code) {
    if (ending_) return;
    ending_ = true;
    exit_code_ = code;
    if (greeted_ && code == 0) say("ending: brokers first, then controllers");
  }

  // Brokers hand their leaderships over while there are controllers.
  void go_on_ending() {
    for (const DevRole role : {DevRole::kBroker, DevRole::kController}) {
      bool left = false;
      for (std::size_t i = 0; i < members_.size(); ++i) {
        if (members_[i].role != role || !members_[i].process) continue;
        left = true;
        ask_to_end(i);
      }
      if (left) return;
    }
  }

  bool ended() const {
    return ending_ && std::ranges::none_of(
                          members_, [](const DevMember& each) { return each.process.has_value(); });
  }

  void kill_all() {
    for (const DevMember& each : members_) {
      if (each.process) kill(each.process->pid, SIGKILL);
    }
  }

  int end_at_once(int code) {
    kill_all();
    for (DevMember& each : members_) {
      if (each.process) waitpid(each.process->pid, nullptr, 0);
      each.process.reset();
    }
    save();
    return code;
  }

  const DevOptions& options_;
  const DevShape& shape_;
  config::GivenValues given_;
  host::PosixDisk disk_;
  std::unique_ptr<io::DirectoryLock> lock_;
  DevMembers before_;
  DevMembers members_;
  std::vector<Child> children_;  // as members_
  std::optional<ControlSocket> control_;
  int signals_ = -1;
  Deadline said_waiting_ = Deadline::in(kProgressEvery);
  bool greeted_ = false;
  bool ending_ = false;
  int exit_code_ = 0;
};

}  // namespace

int run_dev_cluster(const DevOptions& options, const DevShape& shape) {
  return DevCluster(options, shape).run();
}

}  // namespace cli
