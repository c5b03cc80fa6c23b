// The configuration of one broker (with its controller, when it has one in its process): where the
// values came from, and the values themselves, typed.
//
// A value is looked for in this order: command line (--set), environment, file, default; dynamic
// overrides from the metadata log come before all of them, one broker's before all brokers'.
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/config/def.h"

namespace config {

// One value given at start, and who gave it: "moldau.yaml:3:5", "--set",
// "MOLDAU_LOG__RETENTION__MS".
struct GivenValue {
  std::string value;
  std::string origin;
};
// Values given at start, after precedence. Every key is known and every value was parsed.
using GivenValues = std::map<std::string, GivenValue, std::less<>>;

// Where a broker's values are looked for. Views: the maps must outlive it.
struct BrokerLayers {
  const Overrides* broker = nullptr;   // dynamic, of this broker
  const Overrides* cluster = nullptr;  // dynamic, of all brokers
  const GivenValues* given = nullptr;  // of this process

  // The value in force of a broker config: nothing when it is null.
  std::optional<std::string> value(std::string_view name) const;
  // The same without the default.
  std::optional<std::string> set_value(std::string_view name) const;
};

struct Listener {
  std::string name;      // as in listeners: "PLAINTEXT", "INTERNAL"
  std::string protocol;  // PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL
  std::string host;      // empty: every address of the machine
  std::uint16_t port = 0;
  friend bool operator==(const Listener&, const Listener&) = default;
};
// "NAME://host:port,...", with `protocol_map` of listener.security.protocol.map. The error is text.
std::expected<std::vector<Listener>, std::string> parse_listeners(std::string_view text,
                                                                  std::string_view protocol_map);
struct HostPort {
  std::string host;
  std::uint16_t port = 0;
  friend bool operator==(const HostPort&, const HostPort&) = default;
};
// "host:port", "[::1]:port", ":port".
std::optional<HostPort> parse_host_port(std::string_view text);

// A controller of the quorum: "id@host:port".
struct Voter {
  std::int32_t id = 0;
  HostPort address;
  friend bool operator==(const Voter&, const Voter&) = default;
};
// Of controller.quorum.voters. The error is text.
std::expected<std::vector<Voter>, std::string> parse_voters(std::string_view text);

// Typed values. Members are named like the keys; units are in the names.
struct BrokerConfig {
  // Who and where.
  std::optional<std::int32_t> node_id;
  std::optional<std::string> cluster_id;
  std::optional<std::string> broker_rack;
  std::vector<Listener> listeners;
  std::vector<Listener> advertised_listeners;   // same as listeners when not set; host may be empty
  std::string inter_broker_listener_name;       // one of the advertised listeners
  bool balance_new_brokers = true;              // a broker that is added gets its share
  bool rack_aware_reads = false;                // replica.selector.class sends consumers nearby
  std::vector<Voter> controller_quorum_voters;  // empty: the controller is in this process
  std::string data_dir;
  std::vector<std::string> log_dirs;
  std::string metadata_dir;
  HostPort http_listen;
  bool metrics_kafka_names = false;
  HostPort grpc_listen;       // of a controller
  std::int32_t reactors = 0;  // 0: one per core
  std::int32_t background_threads = 10;

  // Requests and connections.
  std::int32_t socket_request_max_bytes = 0;
  std::int32_t socket_listen_backlog_size = 0;
  std::int32_t socket_send_buffer_bytes = 0;     // -1: as the system has it
  std::int32_t socket_receive_buffer_bytes = 0;  // -1: as the system has it
  std::int64_t connections_max_idle_ms = 0;
  std::int32_t connections_max = 0;
  std::int32_t connections_max_per_ip = 0;
  std::int32_t fetch_max_bytes = 0;
  std::int32_t fetch_session_slots = 0;
  std::int32_t request_partition_size_limit = 0;

  // Topics.
  bool auto_create_topics_enable = true;
  bool delete_topic_enable = true;
  std::int32_t num_partitions = 1;
  std::int32_t default_replication_factor = 3;

  // Logs.
  std::int64_t log_retention_check_interval_ms = 0;
  std::int32_t num_recovery_threads_per_data_dir = 0;
  std::int32_t producer_id_expiration_ms = 0;
  std::int32_t producer_id_expiration_check_interval_ms = 0;

  // Replication.
  std::int64_t replica_lag_time_max_ms = 0;

  // Being one of a cluster.
  std::int32_t broker_heartbeat_interval_ms = 0;
  std::int32_t broker_session_timeout_ms = 0;
  bool controlled_shutdown_enable = true;
  bool recall_clients = true;
  bool auto_leader_rebalance_enable = true;
  std::int64_t leader_imbalance_check_interval_seconds = 0;
  std::int32_t num_replica_fetchers = 1;
  std::int32_t replica_fetch_max_bytes = 0;
  std::int32_t replica_fetch_min_bytes = 1;
  std::int32_t replica_fetch_response_max_bytes = 0;
  std::int32_t replica_fetch_wait_max_ms = 0;

  // Groups and offsets.
  std::int32_t group_min_session_timeout_ms = 0;
  std::int32_t group_max_session_timeout_ms = 0;
  std::int32_t group_initial_rebalance_delay_ms = 0;
  // Nothing: the delay was given and this was not, so that the delay is what it says.
  std::optional<std::int32_t> group_initial_quiet_ms;
  std::int32_t group_max_size = 0;
  std::int32_t group_consumer_session_timeout_ms = 0;
  std::int32_t group_consumer_heartbeat_interval_ms = 0;
  std::int32_t group_consumer_max_size = 0;
  std::vector<std::string> group_consumer_assignors;  // "uniform", "range"; never empty
  // "disabled", "upgrade", "downgrade" or "bidirectional"
  std::string group_consumer_migration_policy;
  std::int32_t offset_metadata_max_bytes = 0;
  std::int32_t offsets_topic_num_partitions = 0;
  std::int16_t offsets_topic_replication_factor = 0;
  std::int32_t offsets_topic_segment_bytes = 0;
  std::int32_t offsets_retention_minutes = 0;
  std::int64_t offsets_retention_check_interval_ms = 0;
  std::int32_t offsets_commit_timeout_ms = 0;

  // Transactions.
  std::int32_t transaction_max_timeout_ms = 0;
  std::int32_t transaction_abort_check_interval_ms = 0;
  std::int32_t transaction_expiry_check_interval_ms = 0;
  std::int32_t transaction_log_num_partitions = 0;
  std::int16_t transaction_log_replication_factor = 0;
  std::int32_t transaction_log_min_isr = 0;
  std::int32_t transaction_log_segment_bytes = 0;
  std::int32_t transactional_id_expiration_ms = 0;

  // As they were given at start: for describe() and for what topics inherit.
  GivenValues given;

  // From values that were loaded (yaml_config.h) or put together by hand. Errors name the key.
  static std::expected<BrokerConfig, Error> from(GivenValues given);
  // With every value at its default.
  static BrokerConfig defaults();
};

}  // namespace config
