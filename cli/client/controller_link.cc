#include "cli/client/controller_link.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <system_error>

extern char** environ;

namespace cli {
namespace {

constexpr std::size_t kReplyMax = 64 << 20;
constexpr int kNotServed = 3;  // exit code: the controllers do not know the method

std::string beside_this_program(const std::string& name) {
  std::array<char, PATH_MAX> path;
  const ssize_t length = ::readlink("/proc/self/exe", path.data(), path.size());
  const std::string self(path.data(), length > 0 ? static_cast<std::size_t>(length) : 0);
  return self.substr(0, self.rfind('/') + 1) + name;
}

// Both ends of a pipe; closed when it goes.
struct Pipe {
  Pipe() {
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) ends = {-1, -1};
  }
  ~Pipe() {
    close_end(0);
    close_end(1);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  void close_end(std::size_t end) {
    if (ends[end] >= 0) ::close(ends[end]);
    ends[end] = -1;
  }
  std::array<int, 2> ends{};
};

std::string read_all(int from) {
  std::string all;
  std::array<char, 1 << 16> buffer;
  while (all.size() < kReplyMax) {
    const ssize_t got = ::read(from, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    all.append(buffer.data(), static_cast<std::size_t>(got));
  }
  return all;
}

void write_all(int to, const std::string& bytes) {
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t count = ::write(to, bytes.data() + done, bytes.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return;  // it ended: its exit code says why
    done += static_cast<std::size_t>(count);
  }
}

struct Ended {
  int code = -1;
  std::string out;
  std::string error;
};

// Runs a program with `input`; it reads all of that before it answers.
std::expected<Ended, int> run(std::vector<std::string> words, const std::string& input) {
  Pipe in, out, error;
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, in.ends[0], 0);
  ::posix_spawn_file_actions_adddup2(&actions, out.ends[1], 1);
  ::posix_spawn_file_actions_adddup2(&actions, error.ends[1], 2);
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  pid_t child = -1;
  const int failed =
      ::posix_spawn(&child, words[0].c_str(), &actions, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) return std::unexpected(failed);
  in.close_end(0);
  out.close_end(1);
  error.close_end(1);
  write_all(in.ends[1], input);
  in.close_end(1);
  Ended ended;
  ended.out = read_all(out.ends[0]);
  ended.error = read_all(error.ends[0]);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status)) ended.code = WEXITSTATUS(status);
  return ended;
}

}  // namespace

ControllerLink::ControllerLink(const std::vector<Address>& controllers) {
  for (const Address& each : controllers) {
    if (!controllers_.empty()) controllers_ += ',';
    controllers_ += fmt::format("{}:{}", each.host, each.port);
  }
}

Try<std::string> ControllerLink::call(const std::string& method, const std::string& request,
                                      Deadline until) {
  const std::string program = beside_this_program("moldau-ask");
  const auto ended =
      run({program, controllers_, method, std::to_string(until.left().count())}, request);
  if (!ended) {
    return std::unexpected(Trouble{
        fmt::format("{} cannot be run: {}", program, std::system_category().message(ended.error())),
        "it is installed with moldau and asks controllers", false});
  }
  if (ended->code == 0) return ended->out;
  std::string why = ended->error;
  while (!why.empty() && why.back() == '\n') why.pop_back();
  return std::unexpected(Trouble{fmt::format("no controller answers: {}", why),
                                 "see `moldau quorum status`", ended->code != kNotServed});
}

}  // namespace cli
