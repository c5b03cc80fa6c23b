// The settings of a shard of groups, from the broker's and the offsets topic's.
#include <algorithm>

#include "broker/node/coordinator_shard.h"
#include "common/base/check.h"
#include "common/config/consumer_group_config.h"

namespace broker {
namespace {

// Configured times may be longer than a Duration can be; a century is for ever.
base::Duration within_a_century(std::chrono::milliseconds span) {
  return std::min(span, std::chrono::milliseconds(100LL * 365 * 24 * 3600 * 1000));
}

// Configs allow the names of assignors only.
std::vector<group::Assignor> assignors(const std::vector<std::string>& names) {
  std::vector<group::Assignor> out;
  for (const std::string& name : names) {
    if (const auto assignor = group::find_assignor(name)) out.push_back(*assignor);
  }
  CHECK(!out.empty());
  return out;
}

// Configs allow these names only.
group::Migration migration(std::string_view policy) {
  if (policy == "disabled") return group::Migration::kDisabled;
  if (policy == "upgrade") return group::Migration::kUpgrade;
  if (policy == "downgrade") return group::Migration::kDowngrade;
  CHECK(policy == "bidirectional");
  return group::Migration::kBidirectional;
}

}  // namespace

group::Config CoordinatorShard::core_config() const {
  using std::chrono::milliseconds;
  const config::BrokerConfig& broker = node_.config;
  const auto topic = partition_->config();
  return {
      .session_timeout_min = milliseconds(broker.group_min_session_timeout_ms),
      .session_timeout_max = milliseconds(broker.group_max_session_timeout_ms),
      .initial_rebalance_delay = milliseconds(broker.group_initial_rebalance_delay_ms),
      .initial_quiet =
          broker.group_initial_quiet_ms
              ? std::optional<base::Duration>(milliseconds(*broker.group_initial_quiet_ms))
              : std::nullopt,
      .group_size_max = broker.group_max_size,
      .offset_metadata_bytes_max = broker.offset_metadata_max_bytes,
      .offsets_retention = within_a_century(std::chrono::minutes(broker.offsets_retention_minutes)),
      .offsets_retention_check =
          within_a_century(milliseconds(broker.offsets_retention_check_interval_ms)),
      .consumer_session_timeout = milliseconds(broker.group_consumer_session_timeout_ms),
      .consumer_heartbeat_interval = milliseconds(broker.group_consumer_heartbeat_interval_ms),
      .consumer_assignment_interval =
          milliseconds(config::ConsumerGroupConfig::resolve({}, {.given = &broker.given})
                           .assignment_interval_ms),
      .consumer_group_size_max = broker.group_consumer_max_size,
      .consumer_assignors = assignors(broker.group_consumer_assignors),
      .migration = migration(broker.group_consumer_migration_policy),
      .batch_bytes_max =
          static_cast<std::size_t>(std::min(topic->max_message_bytes, topic->segment_bytes))};
}

}  // namespace broker
