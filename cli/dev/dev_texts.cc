#include "cli/dev/dev_texts.h"

#include <fmt/format.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <deque>
#include <fstream>

#include "cli/dev/dev_config.h"
#include "cli/text/table.h"

namespace cli::texts {
namespace {

constexpr int kLinesOfLog = 8;
constexpr std::streamoff kTailBytesMax = 16 << 10;

std::string home_of(std::string_view leaf) {
  if (const char* data = std::getenv("XDG_DATA_HOME"); data && *data) {
    return fmt::format("{}/moldau/{}", data, leaf);
  }
  const char* home = std::getenv("HOME");
  if (home && *home) return fmt::format("{}/.local/share/moldau/{}", home, leaf);
  return fmt::format("moldau-{}", leaf == "dev" ? "data" : leaf);
}

std::string cause_of(int status) {
  if (WIFSIGNALED(status)) {
    return fmt::format("killed by signal {} ({})", WTERMSIG(status), strsignal(WTERMSIG(status)));
  }
  return fmt::format("exit code {}", WEXITSTATUS(status));
}

std::string counted_members(const DevMembers& members, DevRole role) {
  const auto count = std::ranges::count_if(
      members, [&](const DevMember& each) { return each.role == role && each.process; });
  return fmt::format("{} {}{}", count, name(role), count == 1 ? "" : "s");
}

}  // namespace

std::string time_of_day() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  localtime_r(&now, &parts);
  return fmt::format("{:02}:{:02}:{:02}", parts.tm_hour, parts.tm_min, parts.tm_sec);
}

std::string default_data_dir() { return home_of("dev"); }
std::string default_cluster_dir() { return home_of("cluster"); }

std::string directory_flag(const std::string& directory) {
  return directory == default_cluster_dir() ? "" : " --data-dir " + directory;
}

std::string greeting(const DevMembers& members, const std::string& directory) {
  Table table({{"NODE"}, {"CLIENTS"}, {"HEALTH AND METRICS"}, {"PID", true}});
  for (const DevMember& each : members) {
    if (!each.process) continue;
    table.add({each.title(), each.kafka == 0 ? "-" : fmt::format("127.0.0.1:{}", each.kafka),
               fmt::format("http://127.0.0.1:{}", each.http), std::to_string(each.process->pid)});
  }
  std::string brokers;
  for (const DevMember& each : members) {
    if (each.role != DevRole::kBroker || !each.process) continue;
    brokers += fmt::format("{}127.0.0.1:{}", brokers.empty() ? "" : ",", each.kafka);
  }
  const std::string where = directory_flag(directory);
  return fmt::format(
      "moldau is listening on 127.0.0.1:{}   ({} and {}, data in {})\n"
      "\n{}\n"
      "  export MOLDAU_BROKERS={}\n"
      "  moldau topic create hello -p 6\n"
      "  echo 'it flows' | moldau produce hello\n"
      "  moldau consume hello -o beginning -e\n"
      "  moldau cluster health --watch\n"
      "\n"
      "  moldau dev kill broker 2{}\n"
      "  moldau dev restart broker 2{}\n"
      "\n"
      "Ctrl-C ends all.\n",
      members.front().kafka, counted_members(members, DevRole::kBroker),
      counted_members(members, DevRole::kController), directory, table.draw(false), brokers, where,
      where);
}

std::string end_of_file(const std::string& path, int lines) {
  std::ifstream file(path, std::ios::ate);
  if (!file) return "";
  const std::streamoff size = file.tellg();
  file.seekg(std::max<std::streamoff>(0, size - kTailBytesMax));
  std::deque<std::string> kept;
  for (std::string line; std::getline(file, line);) {
    kept.push_back("    " + escape_control(line) + "\n");
    if (kept.size() > static_cast<std::size_t>(lines)) kept.pop_front();
  }
  std::string text;
  for (const std::string& line : kept) text += line;
  return text;
}

std::string of_death(const DevMember& member, int status, const std::string& directory) {
  const std::string tail = end_of_file(member.log, kLinesOfLog);
  return fmt::format("{} died: {}\n{}  {}{}\n  it stays down until: moldau dev restart {}{}",
                     member.title(), cause_of(status), tail,
                     tail.empty() ? "its log is " : "that was the end of ", member.log,
                     member.title(), directory_flag(directory));
}

}  // namespace cli::texts
