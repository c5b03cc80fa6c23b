#include "common/config/broker_config.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"
#include "common/config/consumer_group_config.h"
#include "common/config/listeners.h"
#include "common/config/number.h"

namespace config {
namespace {

// Typed reading of values that are known and parsed.
class Values {
 public:
  explicit Values(const GivenValues& given) { layers_.given = &given; }

  std::optional<std::string> text(std::string_view key) const { return layers_.value(key); }
  bool is_given(std::string_view key) const { return layers_.set_value(key).has_value(); }
  std::string required(std::string_view key) const {
    auto value = text(key);
    CHECK(value.has_value());
    return *std::move(value);
  }
  std::int16_t short_of(std::string_view key) const { return number<std::int16_t>(required(key)); }
  std::int32_t int_of(std::string_view key) const { return number<std::int32_t>(required(key)); }
  std::int64_t long_of(std::string_view key) const { return number<std::int64_t>(required(key)); }
  bool bool_of(std::string_view key) const { return required(key) == "true"; }

 private:
  BrokerLayers layers_;
};

std::expected<void, Error> parse_all(GivenValues& given) {
  for (auto& [key, value] : given) {
    const Def* def = find(Resource::kBroker, key);
    if (def == nullptr)
      return std::unexpected(Error{ErrorKind::kUnknownKey, key, "Unknown configuration " + key});
    auto parsed = parse_value(*def, value.value);
    if (!parsed) return std::unexpected(std::move(parsed.error()));
    value.value = std::move(*parsed);
  }
  return {};
}

Error bad(std::string_view key, std::string why) {
  return {ErrorKind::kInvalidValue, std::string(key),
          "Invalid configuration " + std::string(key) + ": " + std::move(why)};
}

std::string in_lower_case(std::string text) {
  std::ranges::transform(text, text.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return text;
}

// What brokers use among themselves must be an address that the others are told.
std::expected<void, Error> read_inter_broker_listener(const Values& values, BrokerConfig& config) {
  const auto named = [&](std::string_view name) {
    return std::ranges::any_of(config.advertised_listeners,
                               [&](const Listener& each) { return each.name == name; });
  };
  const auto wanted = values.text("inter.broker.listener.name");
  if (wanted && !named(*wanted))
    return std::unexpected(
        bad("inter.broker.listener.name", *wanted + " is not one of the advertised listeners"));
  config.inter_broker_listener_name = wanted ? *wanted
                                      : named("INTERNAL")
                                          ? "INTERNAL"
                                          : config.advertised_listeners.front().name;
  return {};
}

std::expected<void, Error> read_cluster(const Values& values, BrokerConfig& config) {
  auto voters = parse_voters(values.text("controller.quorum.voters").value_or(""));
  if (!voters) return std::unexpected(bad("controller.quorum.voters", voters.error()));
  config.controller_quorum_voters = *std::move(voters);
  config.rack_aware_reads =
      values.text("replica.selector.class").value_or("").ends_with(".RackAwareReplicaSelector");
  config.balance_new_brokers = values.bool_of("moldau.balance.new.brokers");
  config.broker_heartbeat_interval_ms = values.int_of("broker.heartbeat.interval.ms");
  config.broker_session_timeout_ms = values.int_of("broker.session.timeout.ms");
  config.recall_clients = values.bool_of("moldau.recall.clients.enable");
  config.controlled_shutdown_enable = values.bool_of("controlled.shutdown.enable");
  config.auto_leader_rebalance_enable = values.bool_of("auto.leader.rebalance.enable");
  config.leader_imbalance_check_interval_seconds =
      values.long_of("leader.imbalance.check.interval.seconds");
  config.num_replica_fetchers = values.int_of("num.replica.fetchers");
  config.replica_fetch_max_bytes = values.int_of("replica.fetch.max.bytes");
  config.replica_fetch_min_bytes = values.int_of("replica.fetch.min.bytes");
  config.replica_fetch_response_max_bytes = values.int_of("replica.fetch.response.max.bytes");
  config.replica_fetch_wait_max_ms = values.int_of("replica.fetch.wait.max.ms");
  if (config.broker_heartbeat_interval_ms * 2 > config.broker_session_timeout_ms)
    return std::unexpected(
        bad("broker.heartbeat.interval.ms", "it is more than half of broker.session.timeout.ms"));
  return {};
}

std::expected<void, Error> read_listeners(const Values& values, BrokerConfig& config) {
  const std::string map = values.required("listener.security.protocol.map");
  auto listeners = parse_listeners(values.required("listeners"), map);
  if (!listeners) return std::unexpected(bad("listeners", listeners.error()));
  if (listeners->empty()) return std::unexpected(bad("listeners", "there must be one"));
  config.listeners = *std::move(listeners);
  config.advertised_listeners = config.listeners;
  if (const auto text = values.text("advertised.listeners")) {
    auto advertised = parse_listeners(*text, map);
    if (!advertised) return std::unexpected(bad("advertised.listeners", advertised.error()));
    if (auto error = advertised_error(*advertised, config.listeners))
      return std::unexpected(bad("advertised.listeners", *std::move(error)));
    config.advertised_listeners = *std::move(advertised);
  }
  return read_inter_broker_listener(values, config);
}

std::expected<void, Error> read_identity(const Values& values, BrokerConfig& config) {
  if (const auto id = values.text("node.id")) config.node_id = number<std::int32_t>(*id);
  config.cluster_id = values.text("moldau.cluster.id");
  config.broker_rack = values.text("broker.rack");
  config.data_dir = values.required("moldau.data.dir");
  config.log_dirs = split_list(values.text("log.dirs").value_or(""));
  if (config.log_dirs.empty()) config.log_dirs = split_list(values.text("log.dir").value_or(""));
  if (config.log_dirs.empty()) config.log_dirs = {config.data_dir + "/logs"};
  config.metadata_dir = values.text("metadata.log.dir").value_or(config.data_dir + "/metadata");
  const auto http = parse_host_port(values.required("moldau.http.listen"));
  CHECK(http.has_value());
  config.http_listen = *http;
  config.metrics_kafka_names = values.bool_of("moldau.metrics.kafka.names");
  const auto grpc = parse_host_port(values.required("moldau.grpc.listen"));
  CHECK(grpc.has_value());
  config.grpc_listen = *grpc;
  config.reactors = values.int_of("moldau.reactors");
  config.background_threads = values.int_of("background.threads");
  return {};
}

void read_requests(const Values& values, BrokerConfig& config) {
  config.socket_request_max_bytes = values.int_of("socket.request.max.bytes");
  config.socket_listen_backlog_size = values.int_of("socket.listen.backlog.size");
  config.socket_send_buffer_bytes = values.int_of("socket.send.buffer.bytes");
  config.socket_receive_buffer_bytes = values.int_of("socket.receive.buffer.bytes");
  config.connections_max_idle_ms = values.long_of("connections.max.idle.ms");
  config.connections_max = values.int_of("max.connections");
  config.connections_max_per_ip = values.int_of("max.connections.per.ip");
  config.fetch_max_bytes = values.int_of("fetch.max.bytes");
  config.fetch_session_slots = values.int_of("max.incremental.fetch.session.cache.slots");
  config.request_partition_size_limit = values.int_of("max.request.partition.size.limit");
}

void read_topics_and_logs(const Values& values, BrokerConfig& config) {
  config.auto_create_topics_enable = values.bool_of("auto.create.topics.enable");
  config.delete_topic_enable = values.bool_of("delete.topic.enable");
  config.num_partitions = values.int_of("num.partitions");
  config.default_replication_factor = values.int_of("default.replication.factor");
  config.log_retention_check_interval_ms = values.long_of("log.retention.check.interval.ms");
  config.replica_lag_time_max_ms = values.long_of("replica.lag.time.max.ms");
  config.num_recovery_threads_per_data_dir = values.int_of("num.recovery.threads.per.data.dir");
  config.producer_id_expiration_ms = values.int_of("producer.id.expiration.ms");
  config.producer_id_expiration_check_interval_ms =
      values.int_of("producer.id.expiration.check.interval.ms");
}

void read_groups(const Values& values, BrokerConfig& config) {
  config.group_min_session_timeout_ms = values.int_of("group.min.session.timeout.ms");
  config.group_max_session_timeout_ms = values.int_of("group.max.session.timeout.ms");
  config.group_initial_rebalance_delay_ms = values.int_of("group.initial.rebalance.delay.ms");
  if (values.is_given("moldau.group.initial.quiet.ms") ||
      !values.is_given("group.initial.rebalance.delay.ms")) {
    config.group_initial_quiet_ms = values.int_of("moldau.group.initial.quiet.ms");
  }
  config.group_max_size = values.int_of("group.max.size");
  config.group_consumer_session_timeout_ms = values.int_of("group.consumer.session.timeout.ms");
  config.group_consumer_heartbeat_interval_ms =
      values.int_of("group.consumer.heartbeat.interval.ms");
  config.group_consumer_max_size = values.int_of("group.consumer.max.size");
  config.group_consumer_migration_policy =
      in_lower_case(values.required("group.consumer.migration.policy"));
  config.group_consumer_assignors = split_list(values.required("group.consumer.assignors"));
  config.offset_metadata_max_bytes = values.int_of("offset.metadata.max.bytes");
  config.offsets_topic_num_partitions = values.int_of("offsets.topic.num.partitions");
  config.offsets_topic_replication_factor = values.short_of("offsets.topic.replication.factor");
  config.offsets_topic_segment_bytes = values.int_of("offsets.topic.segment.bytes");
  config.offsets_retention_minutes = values.int_of("offsets.retention.minutes");
  config.offsets_retention_check_interval_ms =
      values.long_of("offsets.retention.check.interval.ms");
  config.offsets_commit_timeout_ms = values.int_of("offsets.commit.timeout.ms");
}

void read_transactions(const Values& values, BrokerConfig& config) {
  config.transaction_max_timeout_ms = values.int_of("transaction.max.timeout.ms");
  config.transaction_abort_check_interval_ms =
      values.int_of("transaction.abort.timed.out.transaction.cleanup.interval.ms");
  config.transaction_expiry_check_interval_ms =
      values.int_of("transaction.remove.expired.transaction.cleanup.interval.ms");
  config.transaction_log_num_partitions = values.int_of("transaction.state.log.num.partitions");
  config.transaction_log_replication_factor =
      values.short_of("transaction.state.log.replication.factor");
  config.transaction_log_min_isr = values.int_of("transaction.state.log.min.isr");
  config.transaction_log_segment_bytes = values.int_of("transaction.state.log.segment.bytes");
  config.transactional_id_expiration_ms = values.int_of("transactional.id.expiration.ms");
}

std::expected<void, Error> check_relations(const BrokerConfig& config) {
  if (config.group_min_session_timeout_ms > config.group_max_session_timeout_ms)
    return std::unexpected(
        bad("group.min.session.timeout.ms", "it is larger than group.max.session.timeout.ms"));
  if (config.group_consumer_assignors.empty())
    return std::unexpected(bad("group.consumer.assignors", "there must be one"));
  return check_consumer_groups({.given = &config.given});
}

}  // namespace

std::optional<std::string> BrokerLayers::set_value(std::string_view name) const {
  for (const Overrides* layer : {broker, cluster}) {
    if (layer == nullptr) continue;
    if (const auto at = layer->find(name); at != layer->end()) return at->second;
  }
  if (given == nullptr) return std::nullopt;
  const auto at = given->find(name);
  return at == given->end() ? std::nullopt : std::optional(at->second.value);
}

std::optional<std::string> BrokerLayers::value(std::string_view name) const {
  if (auto value = set_value(name)) return value;
  const Def* def = find(Resource::kBroker, name);
  if (def == nullptr || !def->default_value) return std::nullopt;
  return std::string(*def->default_value);
}

std::expected<BrokerConfig, Error> BrokerConfig::from(GivenValues given) {
  if (auto parsed = parse_all(given); !parsed) return std::unexpected(std::move(parsed.error()));
  BrokerConfig config;
  config.given = std::move(given);
  const Values values(config.given);
  if (auto read = read_identity(values, config); !read)
    return std::unexpected(std::move(read.error()));
  if (auto read = read_listeners(values, config); !read)
    return std::unexpected(std::move(read.error()));
  if (auto read = read_cluster(values, config); !read)
    return std::unexpected(std::move(read.error()));
  read_requests(values, config);
  read_topics_and_logs(values, config);
  read_groups(values, config);
  read_transactions(values, config);
  if (auto checked = check_relations(config); !checked)
    return std::unexpected(std::move(checked.error()));
  return config;
}

BrokerConfig BrokerConfig::defaults() {
  auto config = from({});
  CHECK(config.has_value());
  return *std::move(config);
}

}  // namespace config
