// What the configuration of `moldau dev` comes to: flags over environment over file, over the
// defaults of a laptop.
#pragma once

#include <cstdint>
#include <expected>
#include <string>

#include "cli/dev/dev_node.h"
#include "common/config/broker_config.h"

namespace cli {

inline constexpr std::uint16_t kDefaultPort = 9092;
inline constexpr std::uint16_t kDefaultHttpPort = 9644;

// File, environment and --set, without the defaults of a laptop. All errors, one a line, for
// people.
std::expected<config::GivenValues, std::string> load_dev_values(const DevOptions& options);
// The same for a single node, with everything. All errors, one a line, for people.
std::expected<config::BrokerConfig, std::string> load_dev_config(const DevOptions& options);

}  // namespace cli
