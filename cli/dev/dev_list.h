// dev.json: the processes of a cluster that `moldau dev` runs on this machine, for the commands
// beside it and for programs. Its writer is the process in the foreground (dev_cluster.h); it is
// replaced whole, so a reader sees the one or the other.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/dev/process.h"

namespace cli {

enum class DevRole { kBroker, kController };
// "broker", "controller".
std::string_view name(DevRole role);

struct DevMember {
  std::int32_t id = 0;
  DevRole role = DevRole::kBroker;
  std::optional<ProcessId> process;  // none: it is down
  // Ports on 127.0.0.1; 0: this role has none.
  std::uint16_t kafka = 0;
  std::uint16_t internal = 0;
  std::uint16_t http = 0;
  std::uint16_t grpc = 0;
  std::string log;  // its file

  // "broker 2".
  std::string title() const;
  // "moldau-broker".
  std::string program() const;
  bool is(DevRole of, std::int32_t number) const { return role == of && id == number; }
};
using DevMembers = std::vector<DevMember>;

std::string format_members(const DevMembers& members);
// The error says what is wrong, without the file's name.
std::expected<DevMembers, std::string> parse_members(std::string_view text);

// DIRECTORY/dev.json. Nothing when there is none; the error names the file.
std::expected<std::optional<DevMembers>, std::string> read_members(const std::string& directory);
std::expected<void, std::string> write_members(const std::string& directory,
                                               const DevMembers& members);

}  // namespace cli
