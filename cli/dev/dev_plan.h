// Which processes a dev cluster has, on which ports, and the configuration of each. Pure: what is
// free on the machine and what was there before are arguments.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <string>

#include "cli/dev/dev_list.h"
#include "common/config/broker_config.h"

namespace cli {

struct DevShape {
  std::optional<int> brokers;      // 1 to 16
  std::optional<int> controllers;  // 1, 3 or 5
  std::optional<std::uint16_t> port;
  std::optional<std::uint16_t> http_port;
};

// A port that nobody has: `preferred` when that is one. 0: there is none.
using PickPort = std::function<std::uint16_t(std::uint16_t preferred)>;

// The members of the next start, none of them running, brokers first. Who was there (`before`)
// keeps id and ports, and stays listed when this time fewer brokers are wanted. The error is for
// people.
std::expected<DevMembers, std::string> plan_members(const DevShape& shape, const DevMembers& before,
                                                    const std::string& directory,
                                                    const PickPort& pick);

// How many brokers are to be started: the first ones.
int brokers_wanted(const DevShape& shape, const DevMembers& before);

// Where the member has its configuration, its log and its data: DIRECTORY/broker-2.
std::string folder_of(const std::string& directory, const DevMember& member);

// The text of its moldau.yaml: `given` (file, environment and flags of `moldau dev`), and over that
// what makes it this member. Each is one line `key: "value"`.
std::string config_text(const DevMember& member, const DevMembers& all,
                        const config::GivenValues& given, const std::string& directory);

}  // namespace cli
