#include "cli/command/dev_control.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <filesystem>

#include "cli/client/interrupt.h"
#include "cli/dev/control_socket.h"
#include "cli/dev/dev_list.h"
#include "cli/dev/dev_texts.h"
#include "cli/dev/local_ports.h"
#include "cli/text/quantity.h"
#include "cli/text/table.h"

namespace cli {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLookEvery{50};
constexpr milliseconds kProbePatience{300};

struct ControlOptions {
  std::string data_dir = texts::default_cluster_dir();
  std::string role;
  std::optional<std::int32_t> id;
  std::string timeout = "60s";
  bool no_wait = false;

  bool everybody() const { return role.empty(); }
};

DevMembers read(const ControlOptions& options) {
  auto members = read_members(options.data_dir);
  if (!members) throw Failure(members.error());
  if (*members) return std::move(**members);
  throw Failure(fmt::format("no cluster in {}", options.data_dir),
                "start one with `moldau dev --brokers 3 --controllers 3`, or say --data-dir");
}

// Who is meant, in the order of dev.json.
DevMembers chosen(const ControlOptions& options) {
  DevMembers members;
  for (DevMember& each : read(options)) {
    if (!options.everybody() && options.role != name(each.role)) continue;
    if (options.id && *options.id != each.id) continue;
    members.push_back(std::move(each));
  }
  if (!members.empty()) return members;
  throw Failure(fmt::format("there is no {} {} in {}", options.role, options.id.value_or(0),
                            options.data_dir),
                "see `moldau dev list`");
}

bool is_up(const DevMember& member) {
  return member.process && runs(*member.process, member.program());
}

// The member as dev.json has it now.
DevMember look_again(const ControlOptions& options, const DevMember& member) {
  for (DevMember& each : read(options)) {
    if (each.is(member.role, member.id)) return std::move(each);
  }
  throw Failure(fmt::format("{} has gone from {}/dev.json", member.title(), options.data_dir));
}

Deadline deadline_of(const ControlOptions& options) {
  const auto timeout = parse_duration(options.timeout);
  if (timeout) return Deadline::in(*timeout);
  throw usage_failure(fmt::format("--timeout {}: not a time", options.timeout),
                      "write it as 500ms, 10s or 5m");
}

void pause_or_give_up(const Deadline& until, const std::string& what, const DevMember& member) {
  if (until.passed()) throw Failure(what, fmt::format("see {}", member.log));
  pause_for(kLookEvery);
}

// ---- signals

void wait_for_end(const ControlOptions& options, const DevMember& member) {
  const Deadline until = deadline_of(options);
  while (is_up(member)) {
    pause_or_give_up(until, fmt::format("{} has not ended in {}", member.title(), options.timeout),
                     member);
  }
}

// Only a process that dev.json names is ever sent anything.
void send_signal(const ControlOptions& options, Context& context, int number,
                 std::string_view done) {
  for (const DevMember& member : chosen(options)) {
    if (!is_up(member)) {
      context.remark(fmt::format("{} is down", member.title()));
      continue;
    }
    kill(member.process->pid, number);
    const bool ends = number == SIGTERM || number == SIGKILL;
    if (number == SIGTERM && is_paused(*member.process)) kill(member.process->pid, SIGCONT);
    if (ends && !options.no_wait) wait_for_end(options, member);
    context.print(fmt::format("{} {} (pid {})\n", member.title(), done, member.process->pid));
  }
}

void ask(const ControlOptions& options, const std::string& request) {
  auto answer = ask_foreground(options.data_dir, request);
  if (!answer) {
    throw Failure(answer.error(), "start it with `moldau dev --brokers 3 --controllers 3`");
  }
  if (*answer != "ok") throw Failure(*answer);
}

void stop(const ControlOptions& options, Context& context) {
  if (!options.everybody()) return send_signal(options, context, SIGTERM, "stopped");
  const DevMembers members = chosen(options);
  ask(options, "stop");
  for (const DevMember& member : members) {
    if (!options.no_wait) wait_for_end(options, member);
  }
  context.print("the cluster has ended\n");
}

// ---- restart

void wait_until_ready(const ControlOptions& options, const DevMember& before) {
  const Deadline until = deadline_of(options);
  bool seen = false;  // the new process
  while (true) {
    const DevMember now = look_again(options, before);
    const bool fresh = now.process && now.process != before.process;
    if (fresh && ask_readiness(now.http, kProbePatience).ready) return;
    seen = seen || fresh;
    if (seen && !fresh) {
      throw Failure(fmt::format("{} ended again\n{}", now.title(), texts::end_of_file(now.log, 5)),
                    fmt::format("see {}", now.log));
    }
    pause_or_give_up(
        until, fmt::format("{} runs, but is not ready after {}", now.title(), options.timeout),
        now);
  }
}

void restart(const ControlOptions& options, Context& context) {
  // One after the other: whoever restarts all of them wants the cluster to stay up.
  for (const DevMember& member : chosen(options)) {
    ask(options, "restart " + member.title());
    if (!options.no_wait) wait_until_ready(options, member);
    const DevMember now = look_again(options, member);
    context.print(fmt::format(
        "{} {}\n", member.title(),
        options.no_wait ? "restarts"
                        : fmt::format("is ready (pid {})", now.process ? now.process->pid : 0)));
    context.flush();
  }
}

// ---- list

std::string state_of(const DevMember& member) {
  if (!is_up(member)) return "down";
  if (is_paused(*member.process)) return "paused";
  const Readiness readiness = ask_readiness(member.http, kProbePatience);
  if (readiness.ready) return "ready";
  return readiness.why_not.empty() ? "starting" : "not ready: " + readiness.why_not;
}

void list(const ControlOptions& options, Context& context) {
  Table table({{"NODE"}, {"STATE"}, {"PID", true}, {"CLIENTS"}, {"HTTP"}, {"LOG"}});
  for (const DevMember& member : chosen(options)) {
    table.add({member.title(), state_of(member),
               is_up(member) ? std::to_string(member.process->pid) : "-",
               member.kafka == 0 ? "-" : fmt::format("127.0.0.1:{}", member.kafka),
               fmt::format("127.0.0.1:{}", member.http), member.log});
  }
  context.print(table.draw(context.color()));
}

// ---- the tree

using Run = std::function<void(const ControlOptions&, Context&)>;

CLI::App* add_control(CLI::App& dev, Context& context, const std::string& word,
                      const std::string& about, Run run) {
  auto options = std::make_shared<ControlOptions>();
  CLI::App* command = dev.add_subcommand(word, about);
  command->add_option("ROLE", options->role, "Only these (default: all)")
      ->check(CLI::IsMember({"broker", "controller"}));
  command->add_option("ID", options->id, "Only this one");
  command->add_option("--data-dir", options->data_dir, "Where the cluster's data is")
      ->type_name("DIR");
  if (word == "stop" || word == "kill" || word == "restart") {
    command->add_option("--timeout", options->timeout, "How long to wait (default 60s)")
        ->type_name("TIME");
    command->add_flag("--no-wait", options->no_wait, "Do not wait until it has happened");
  }
  command->callback([options, run = std::move(run), &context] {
    options->data_dir = std::filesystem::absolute(options->data_dir).lexically_normal();
    run(*options, context);
  });
  return command;
}

Run signal_run(int number, std::string_view done) {
  return [number, done](const ControlOptions& options, Context& context) {
    send_signal(options, context, number, done);
  };
}

}  // namespace

void add_dev_control_commands(CLI::App& dev, Context& context) {
  add_control(dev, context, "list", "Show the processes of a cluster that runs here", list);
  add_control(dev, context, "stop", "End a node, or all of the cluster, cleanly (SIGTERM)", stop);
  add_control(dev, context, "kill", "End a node at once (SIGKILL)", signal_run(SIGKILL, "killed"));
  add_control(dev, context, "pause", "Freeze a node (SIGSTOP)", signal_run(SIGSTOP, "paused"));
  add_control(dev, context, "resume", "Let a frozen node go on (SIGCONT)",
              signal_run(SIGCONT, "goes on"));
  add_control(dev, context, "restart", "Start a node again; wait until it is ready", restart);
}

}  // namespace cli
