#include "cli/dev/dev_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "cli/dev/dev_config.h"

namespace cli {
namespace {

constexpr int kBrokersMax = 16;

std::int32_t count(const DevMembers& members, DevRole role) {
  return static_cast<std::int32_t>(std::ranges::count(members, role, &DevMember::role));
}

int controllers_wanted(const DevShape& shape, const DevMembers& before) {
  if (shape.controllers) return *shape.controllers;
  if (const int known = count(before, DevRole::kController); known > 0) return known;
  return brokers_wanted(shape, before) >= 3 ? 3 : 1;
}

std::optional<std::string> refusal(const DevShape& shape, const DevMembers& before,
                                   const std::string& directory) {
  const int brokers = brokers_wanted(shape, before);
  if (brokers < 1 || brokers > kBrokersMax) {
    return fmt::format("--brokers {}: 1 to {} fit on one machine", brokers, kBrokersMax);
  }
  const int controllers = controllers_wanted(shape, before);
  if (controllers != 1 && controllers != 3 && controllers != 5) {
    return fmt::format("--controllers {}: a quorum has 1, 3 or 5", controllers);
  }
  const int known = count(before, DevRole::kController);
  if (known != 0 && known != controllers) {
    return fmt::format("--controllers {}: the cluster in {} has {}", controllers, directory, known);
  }
  return std::nullopt;
}

// From here on the system gives ports to outgoing connections: one may be in use at the next start.
constexpr int kEphemeral = 32'768;

// A port next to the first one of its kind, so that people can guess it.
std::uint16_t beside(std::optional<std::uint16_t> first, std::uint16_t otherwise, int distance) {
  const int port = first.value_or(otherwise) + distance;
  if (port == distance || (distance > 0 && port >= kEphemeral)) return 0;
  return static_cast<std::uint16_t>(port);
}

DevMember new_member(DevRole role, std::int32_t id, const DevShape& shape, const PickPort& pick) {
  DevMember member{.id = id, .role = role};
  if (role == DevRole::kBroker) {
    member.kafka = pick(beside(shape.port, kDefaultPort, id - 1));
    member.internal = pick(0);
    member.http = pick(beside(shape.http_port, kDefaultHttpPort, id - 1));
  } else {
    member.grpc = pick(0);
    member.http = pick(beside(shape.http_port, kDefaultHttpPort, kBrokersMax + id - 1));
  }
  return member;
}

bool lacks_a_port(const DevMember& member) {
  return member.http == 0 ||
         (member.role == DevRole::kBroker ? member.kafka == 0 || member.internal == 0
                                          : member.grpc == 0);
}

// The ports that the first broker was told to have.
std::optional<std::string> take_wanted_ports(const DevShape& shape, DevMember& first,
                                             const PickPort& pick) {
  const auto take = [&](std::optional<std::uint16_t> wanted, std::uint16_t& port) {
    if (!wanted || *wanted == 0 || *wanted == port) return true;
    port = pick(*wanted);
    return port == *wanted;
  };
  if (!take(shape.port, first.kafka)) return fmt::format("port {} is taken", *shape.port);
  if (!take(shape.http_port, first.http)) return fmt::format("port {} is taken", *shape.http_port);
  return std::nullopt;
}

using Lines = std::map<std::string, std::string>;

void add_broker_lines(const DevMember& member, const std::string& folder, Lines& lines) {
  const auto listener = [](std::string_view name, std::uint16_t port) {
    return fmt::format("{}://127.0.0.1:{}", name, port);
  };
  lines["listeners"] =
      listener("PLAINTEXT", member.kafka) + "," + listener("INTERNAL", member.internal);
  lines["advertised.listeners"] = lines["listeners"];
  lines["listener.security.protocol.map"] = "PLAINTEXT:PLAINTEXT,INTERNAL:PLAINTEXT";
  lines["inter.broker.listener.name"] = "INTERNAL";
  lines["moldau.data.dir"] = folder + "/data";
  lines["log.dirs"] = folder + "/data/logs";
  // One person waits for one consumer here: nobody else is about to join.
  lines.try_emplace("group.initial.rebalance.delay.ms", "0");
}

void add_controller_lines(const DevMember& member, const std::string& folder, Lines& lines) {
  lines["moldau.grpc.listen"] = fmt::format("127.0.0.1:{}", member.grpc);
  lines["moldau.data.dir"] = folder + "/data";
  lines["log.dirs"] = folder + "/data";
  for (const char* of_brokers : {"listeners", "advertised.listeners", "broker.rack",
                                 "inter.broker.listener.name", "listener.security.protocol.map"}) {
    lines.erase(of_brokers);
  }
}

std::string quoted(std::string_view value) {
  std::string out = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out + "\"";
}

}  // namespace

int brokers_wanted(const DevShape& shape, const DevMembers& before) {
  if (shape.brokers) return *shape.brokers;
  const int known = count(before, DevRole::kBroker);
  return known > 0 ? known : 3;
}

std::expected<DevMembers, std::string> plan_members(const DevShape& shape, const DevMembers& before,
                                                    const std::string& directory,
                                                    const PickPort& pick) {
  if (auto wrong = refusal(shape, before, directory)) return std::unexpected(*wrong);
  DevMembers members;
  const auto add_all = [&](DevRole role, int wanted) {
    const int all = std::max(wanted, count(before, role));
    for (int id = 1; id <= all; ++id) {
      const auto known =
          std::ranges::find_if(before, [&](const DevMember& each) { return each.is(role, id); });
      DevMember member = known == before.end() ? new_member(role, id, shape, pick) : *known;
      member.process.reset();
      member.log = fmt::format("{}/{}.log", folder_of(directory, member), name(role));
      members.push_back(std::move(member));
    }
  };
  add_all(DevRole::kBroker, brokers_wanted(shape, before));
  add_all(DevRole::kController, controllers_wanted(shape, before));
  if (auto taken = take_wanted_ports(shape, members.front(), pick)) return std::unexpected(*taken);
  if (std::ranges::any_of(members, lacks_a_port)) {
    return std::unexpected("no port is free on 127.0.0.1");
  }
  return members;
}

std::string folder_of(const std::string& directory, const DevMember& member) {
  return fmt::format("{}/{}-{}", directory, name(member.role), member.id);
}

std::string config_text(const DevMember& member, const DevMembers& all,
                        const config::GivenValues& given, const std::string& directory) {
  Lines lines;
  for (const auto& [key, value] : given) lines[key] = value.value;
  std::string voters;
  for (const DevMember& each : all) {
    if (each.role != DevRole::kController) continue;
    voters += fmt::format("{}{}@127.0.0.1:{}", voters.empty() ? "" : ",", each.id, each.grpc);
  }
  lines["node.id"] = std::to_string(member.id);
  lines["controller.quorum.voters"] = voters;
  lines["moldau.http.listen"] = fmt::format("127.0.0.1:{}", member.http);
  const std::string folder = folder_of(directory, member);
  if (member.role == DevRole::kBroker) {
    add_broker_lines(member, folder, lines);
  } else {
    add_controller_lines(member, folder, lines);
  }
  std::string text = "# Written by `moldau dev` at every start: changes here are lost.\n";
  for (const auto& [key, value] : lines) text += fmt::format("{}: {}\n", key, quoted(value));
  return text;
}

}  // namespace cli
