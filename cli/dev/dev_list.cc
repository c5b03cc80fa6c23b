#include "cli/dev/dev_list.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

namespace cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kHost = "127.0.0.1:";

Json address(std::uint16_t port) {
  return port == 0 ? Json(nullptr) : Json(fmt::format("{}{}", kHost, port));
}

std::uint16_t port_of(const Json& json, const char* key) {
  const Json& value = json.at(key);
  if (value.is_null()) return 0;
  const auto text = value.get<std::string>();
  if (!text.starts_with(kHost)) throw std::runtime_error(fmt::format("{}: {}", key, text));
  const int port = std::stoi(text.substr(kHost.size()));
  if (port < 1 || port > 65535) throw std::runtime_error(fmt::format("{}: {}", key, text));
  return static_cast<std::uint16_t>(port);
}

DevMember member_of(const Json& json) {
  DevMember member;
  member.id = json.at("id").get<std::int32_t>();
  const auto role = json.at("role").get<std::string>();
  if (role != "broker" && role != "controller") throw std::runtime_error("role: " + role);
  member.role = role == "broker" ? DevRole::kBroker : DevRole::kController;
  if (!json.at("pid").is_null()) {
    member.process = {.pid = json.at("pid").get<pid_t>(),
                      .started = json.at("started").get<std::uint64_t>()};
  }
  member.kafka = port_of(json, "kafka");
  member.internal = port_of(json, "internal");
  member.http = port_of(json, "http");
  member.grpc = port_of(json, "grpc");
  member.log = json.at("log").get<std::string>();
  return member;
}

std::string file_of(const std::string& directory) { return directory + "/dev.json"; }

}  // namespace

std::string_view name(DevRole role) { return role == DevRole::kBroker ? "broker" : "controller"; }

std::string DevMember::title() const { return fmt::format("{} {}", name(role), id); }
std::string DevMember::program() const { return fmt::format("moldau-{}", name(role)); }

std::string format_members(const DevMembers& members) {
  Json list = Json::array();
  for (const DevMember& member : members) {
    list.push_back(
        {{"id", member.id},
         {"role", name(member.role)},
         {"pid", member.process ? Json(member.process->pid) : Json(nullptr)},
         {"kafka", address(member.kafka)},
         {"internal", address(member.internal)},
         {"http", address(member.http)},
         {"grpc", address(member.grpc)},
         {"log", member.log},
         // With the pid it names one process for ever: clock ticks from the machine's start.
         {"started", member.process ? Json(member.process->started) : Json(nullptr)}});
  }
  return list.dump(2) + "\n";
}

std::expected<DevMembers, std::string> parse_members(std::string_view text) {
  try {
    DevMembers members;
    const Json list = Json::parse(text);
    if (!list.is_array()) return std::unexpected("not a list");
    for (const Json& each : list) members.push_back(member_of(each));
    return members;
  } catch (const std::exception& error) {
    return std::unexpected(error.what());
  }
}

std::expected<std::optional<DevMembers>, std::string> read_members(const std::string& directory) {
  std::ifstream file(file_of(directory));
  if (!file) return std::nullopt;
  const std::string text(std::istreambuf_iterator<char>(file), {});
  auto members = parse_members(text);
  if (!members) return std::unexpected(fmt::format("{}: {}", file_of(directory), members.error()));
  return std::move(*members);
}

std::expected<void, std::string> write_members(const std::string& directory,
                                               const DevMembers& members) {
  const std::string path = file_of(directory);
  const std::string fresh = path + ".tmp";
  {
    std::ofstream file(fresh, std::ios::trunc);
    file << format_members(members);
    file.close();
    if (!file) return std::unexpected(fmt::format("cannot write {}", fresh));
  }
  if (std::rename(fresh.c_str(), path.c_str()) == 0) return {};
  return std::unexpected(fmt::format("rename {}: {}", fresh, std::strerror(errno)));
}

}  // namespace cli
