#include "cli/dev/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <string_view>

extern char** environ;

namespace cli {
namespace {

struct Status {
  char state = 'Z';
  std::uint64_t started = 0;
};

std::optional<Status> status_of(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  const std::string text(std::istreambuf_iterator<char>(file), {});
  const auto after_name = text.rfind(')');  // the name itself may hold anything
  if (after_name == std::string::npos) return std::nullopt;
  std::istringstream fields(text.substr(after_name + 1));
  Status status;
  fields >> status.state;
  std::string skipped;
  for (int field = 4; field < 22; ++field) fields >> skipped;
  fields >> status.started;
  return fields ? std::optional(status) : std::nullopt;
}

std::string link_target(const std::string& link) {
  char path[PATH_MAX];
  const ssize_t size = readlink(link.c_str(), path, sizeof path);
  if (size <= 0) return "";
  std::string target(path, static_cast<std::size_t>(size));
  constexpr std::string_view kReplaced = " (deleted)";  // built anew since
  if (target.ends_with(kReplaced)) target.resize(target.size() - kReplaced.size());
  return target;
}

std::vector<char*> own_environment() {
  std::vector<char*> kept;
  for (char** each = environ; *each != nullptr; ++each) {
    if (!std::string_view(*each).starts_with("MOLDAU_")) kept.push_back(*each);
  }
  kept.push_back(nullptr);
  return kept;
}

// In the child, where only system calls are allowed. Returns errno.
int become(char* const* arguments, char* const* environment, int log, pid_t parent) {
  setpgid(0, 0);  // Ctrl-C is for the parent, who ends its children in order
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return errno;
  if (getppid() != parent) return ECHILD;
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  const int nothing = open("/dev/null", O_RDONLY);
  if (nothing < 0 || dup2(nothing, 0) < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0) return errno;
  execve(arguments[0], arguments, environment);
  return errno;
}

}  // namespace

std::expected<ProcessId, std::string> spawn(const std::vector<std::string>& arguments,
                                            const std::string& log) {
  const int log_file = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (log_file < 0) return std::unexpected(fmt::format("{}: {}", log, std::strerror(errno)));
  int told[2];  // closed by a successful exec, else the reason comes through
  if (pipe2(told, O_CLOEXEC) != 0) {
    close(log_file);
    return std::unexpected(std::strerror(errno));
  }
  std::vector<char*> words;
  for (const std::string& each : arguments) words.push_back(const_cast<char*>(each.c_str()));
  words.push_back(nullptr);
  const auto environment = own_environment();
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) {
    const int error = become(words.data(), environment.data(), log_file, parent);
    [[maybe_unused]] const ssize_t written = write(told[1], &error, sizeof error);
    _exit(127);
  }
  int error = pid < 0 ? errno : 0;
  close(log_file);
  close(told[1]);
  if (pid > 0 && read(told[0], &error, sizeof error) > 0) waitpid(pid, nullptr, 0);
  close(told[0]);
  if (error != 0) {
    return std::unexpected(fmt::format("{}: {}", arguments.front(), std::strerror(error)));
  }
  const auto status = status_of(pid);
  return ProcessId{.pid = pid, .started = status ? status->started : 0};
}

bool runs(const ProcessId& process, const std::string& program) {
  const auto status = status_of(process.pid);
  if (!status || status->started != process.started || status->state == 'Z') return false;
  return link_target(fmt::format("/proc/{}/exe", process.pid)).ends_with("/" + program);
}

bool is_paused(const ProcessId& process) {
  const auto status = status_of(process.pid);
  return status && status->started == process.started && status->state == 'T';
}

std::string own_directory() {
  const std::string path = link_target("/proc/self/exe");
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

}  // namespace cli
