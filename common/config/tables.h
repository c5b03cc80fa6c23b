// What the three tables of configs share. Internal to this folder.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/config/def.h"

namespace config {

inline constexpr std::int64_t kMsPerMinute = 60'000;
inline constexpr std::int64_t kMsPerHour = 3'600'000;

std::span<const Def> topic_defs();
std::span<const Def> effective_broker_defs();
std::span<const Def> effective_broker_log_defs();
std::span<const Def> effective_broker_cluster_defs();
std::span<const Def> effective_broker_group_defs();
std::span<const Def> effective_broker_txn_defs();
std::span<const Def> inert_broker_defs();
std::span<const Def> inert_broker_group_defs();
std::span<const Def> group_defs();

// Checks that no range expresses (Allowed::check).
std::optional<std::string> check_gzip_level(std::string_view text);
std::optional<std::string> check_listeners(std::string_view text);
std::optional<std::string> check_host_port(std::string_view text);
std::optional<std::string> check_voters(std::string_view text);
std::optional<std::string> check_throttled_replicas(std::string_view text);

}  // namespace config
