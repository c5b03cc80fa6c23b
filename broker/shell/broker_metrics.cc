#include "broker/shell/broker_metrics.h"

#include <algorithm>
#include <functional>
#include <memory>

#include "broker/api/table.h"
#include "broker/log/cleaner.h"
#include "broker/log/log_directories.h"
#include "broker/node/coordinator.h"
#include "broker/node/stats.h"
#include "broker/node/txn_coordinator.h"
#include "broker/shell/group_metrics.h"
#include "broker/shell/held_partitions.h"
#include "broker/shell/kafka_names.h"
#include "broker/shell/topic_traffic.h"

namespace broker::shell {
namespace {

void add_reactor(host::Metrics& metrics, const ReactorStats& stats) {
  for (const api::ApiEntry& entry : api::served_apis()) {
    metrics.counter("moldau_requests_total", "Requests answered, by API.",
                    {{"api", std::string(entry.name)}},
                    stats.requests[static_cast<std::size_t>(entry.key)]);
  }
  const auto latency = [&](const char* api, const base::Histogram& histogram) {
    metrics.histogram("moldau_request_seconds",
                      "From the arrival of a whole request to its response's way to the socket.",
                      {{"api", api}}, histogram);
  };
  latency("Produce", stats.produce_ns);
  latency("Fetch", stats.fetch_ns);
  latency("other", stats.other_ns);
  metrics.counter("moldau_request_bytes_total", "Bytes of requests.", {}, stats.bytes_in);
  metrics.counter("moldau_response_bytes_total", "Bytes of responses.", {}, stats.bytes_out);
  metrics.counter("moldau_produced_batches_total", "Record batches that passed the checks.", {},
                  stats.batches_in);
  metrics.counter("moldau_produced_records_total", "Records in those batches.", {},
                  stats.records_in);
  metrics.counter("moldau_produce_refused_total", "Batches answered with an error.", {},
                  stats.produce_refused);
  metrics.counter("moldau_fetched_bytes_total", "Bytes of records sent to consumers.", {},
                  stats.fetch_bytes_out);
  metrics.counter("moldau_client_connections_opened_total", "Client connections accepted.", {},
                  stats.connections_opened);
  metrics.counter("moldau_client_connections_closed_total", "Client connections ended.", {},
                  stats.connections_closed);
  metrics.counter("moldau_client_connections_refused_total",
                  "Client connections that the broker ended for what they sent.", {},
                  stats.connections_refused);
  metrics.counter("moldau_client_connections_recalled_total",
                  "Client connections that the broker ended as another one had fallen silent.", {},
                  stats.connections_recalled);
}

// Of the groups that this broker coordinates.
void add_groups(host::Metrics& metrics, Broker& broker) {
  const auto totals = [&broker] { return broker.node().groups->totals(); };
  metrics.gauge("moldau_group_shards", "Partitions of __consumer_offsets coordinated here.", {},
                [totals] { return static_cast<double>(totals().shards); });
  metrics.gauge("moldau_group_shards_loading", "Those whose groups are still being read.", {},
                [totals] { return static_cast<double>(totals().shards_loading); });
  metrics.gauge("moldau_groups", "Consumer groups coordinated here.", {},
                [totals] { return static_cast<double>(totals().groups); });
  const auto count = [&](const char* name, const char* help, auto of) {
    metrics.counter(name, help, {}, host::Metrics::Value([totals, of] {
                      return static_cast<double>(of(totals().stats));
                    }));
  };
  count("moldau_group_rebalances_total", "Rebalances of groups that were begun.",
        [](const group::Stats& stats) { return stats.rebalances; });
  count("moldau_group_offset_commits_total", "Offsets that groups committed.",
        [](const group::Stats& stats) { return stats.offset_commits; });
  count("moldau_group_offsets_expired_total", "Committed offsets that were forgotten.",
        [](const group::Stats& stats) { return stats.offsets_expired; });
  count("moldau_group_members_expired_total", "Members that fell silent and were removed.",
        [](const group::Stats& stats) { return stats.members_expired; });
}

// Of the transactions that this broker coordinates.
void add_transactions(host::Metrics& metrics, Broker& broker) {
  const auto totals = [&broker] { return broker.node().transactions->totals(); };
  metrics.gauge("moldau_txn_shards", "Partitions of __transaction_state coordinated here.", {},
                [totals] { return static_cast<double>(totals().shards); });
  metrics.gauge("moldau_txn_shards_loading", "Those that are still being read.", {},
                [totals] { return static_cast<double>(totals().shards_loading); });
  metrics.gauge("moldau_txn_ids", "Transactional ids coordinated here.", {},
                [totals] { return static_cast<double>(totals().ids); });
  metrics.gauge("moldau_txn_open", "Transactions that have not ended.", {},
                [totals] { return static_cast<double>(totals().open); });
  const auto count = [&](const char* name, const char* help, auto of) {
    metrics.counter(name, help, {}, host::Metrics::Value([totals, of] {
                      return static_cast<double>(of(totals().stats));
                    }));
  };
  count("moldau_txn_committed_total", "Transactions that were decided to commit.",
        [](const txn::Stats& stats) { return stats.committed; });
  count("moldau_txn_aborted_total", "Transactions that were decided to abort.",
        [](const txn::Stats& stats) { return stats.aborted; });
  count("moldau_txn_timed_out_total", "Those of them that were open for too long.",
        [](const txn::Stats& stats) { return stats.timed_out; });
}

// Of each topic this broker holds: totals over its partitions.
void add_topics(host::Metrics& metrics, Broker& broker) {
  const auto each_topic = [&broker](const auto& visit) {
    const auto table = broker.node().partitions->snapshot();
    for (const auto& [id, topic] : table->by_id) visit(*topic);
  };
  metrics.gauges("moldau_log_size_bytes", "Size of a topic's logs on this broker.",
                 [each_topic](const host::Metrics::Emit& emit) {
                   each_topic([&](const TopicPartitions& topic) {
                     std::uint64_t bytes = 0;
                     for (const auto& partition : topic.partitions) {
                       if (partition) bytes += partition->bounds().size_bytes;
                     }
                     emit({{"topic", topic.name}}, static_cast<double>(bytes));
                   });
                 });
  metrics.gauges("moldau_log_end_offset_sum", "Sum of the log end offsets of a topic's partitions.",
                 [each_topic](const host::Metrics::Emit& emit) {
                   each_topic([&](const TopicPartitions& topic) {
                     std::int64_t offsets = 0;
                     for (const auto& partition : topic.partitions) {
                       if (partition) offsets += partition->bounds().end.value();
                     }
                     emit({{"topic", topic.name}}, static_cast<double>(offsets));
                   });
                 });
  metrics.gauge("moldau_partitions", "Partitions that this broker serves.", {}, [each_topic] {
    double count = 0;
    each_topic([&](const TopicPartitions& topic) {
      for (const auto& partition : topic.partitions) count += partition ? 1 : 0;
    });
    return count;
  });
}

// What clients write and read, by topic: a producer's load is counted by the partition's leader.
void add_traffic(host::Metrics& metrics, Broker& broker) {
  const auto traffic = std::make_shared<TopicTraffic>();
  const auto each = [&](const char* name, const char* help,
                        std::uint64_t TopicTraffic::Count::* of) {
    metrics.counters(name, help, [&broker, traffic, of](const host::Metrics::Emit& emit) {
      look_at(broker, *traffic);
      for (const auto& [topic, count] : traffic->totals()) {
        emit({{"topic", topic}}, static_cast<double>(count.*of));
      }
    });
  };
  each("moldau_topic_produced_bytes_total", "Bytes of batches that were appended for clients.",
       &TopicTraffic::Count::produced_bytes);
  each("moldau_topic_produced_records_total", "Records that were appended for clients.",
       &TopicTraffic::Count::produced_records);
  each("moldau_topic_fetched_bytes_total", "Bytes of batches that were sent to consumers.",
       &TopicTraffic::Count::fetched_bytes);
}

// One directory needs no name.
host::Metrics::Labels labels_of(Broker& broker, const LogStore& store) {
  if (broker.directories().all().size() == 1) return {};
  return {{"directory", store.directory->path()}};
}

void add_flusher(host::Metrics& metrics, const FlusherStats& stats,
                 const host::Metrics::Labels& labels) {
  const auto count = [&](const char* name, const char* help,
                         const std::atomic<std::uint64_t>& value) {
    metrics.counter(name, help, labels,
                    host::Metrics::Value([&value] { return static_cast<double>(value.load()); }));
  };
  count("moldau_flush_rounds_total", "Group commits of the log directory.", stats.rounds);
  count("moldau_flush_partitions_total", "Partitions made durable by group commits.",
        stats.partitions);
  count("moldau_flush_failures_total", "Group commits that failed.", stats.failures);
  metrics.histogram("moldau_flush_seconds", "What the syncs of one group commit took.", labels,
                    stats.sync_ns);
}

void add_disk(host::Metrics& metrics, Broker& broker) {
  const auto add_failed = [&](const host::Metrics::Labels& labels, std::function<double()> failed) {
    metrics.gauge("moldau_log_directory_failed",
                  "1 when a failed write or sync took the log directory out of service.", labels,
                  std::move(failed));
  };
  for (const auto& store : broker.directories().all()) {
    const auto labels = labels_of(broker, *store);
    const auto space = [&broker, store = store.get()](std::uint64_t io::Space::* of) {
      return [&broker, store, of] {
        const auto found = broker.node().disk.space(store->directory->path());
        return found ? static_cast<double>((*found).*of) : 0.0;
      };
    };
    metrics.gauge("moldau_log_directory_free_bytes",
                  "Free space in the file system of the log directory.", labels,
                  space(&io::Space::free_bytes));
    metrics.gauge("moldau_log_directory_size_bytes", "Size of the log directory's file system.",
                  labels, space(&io::Space::total_bytes));
    metrics.gauge("moldau_log_directory_full", "1 while writes to the log directory find no space.",
                  labels,
                  [store = store.get()] { return store->directory->health().full() ? 1.0 : 0.0; });
    add_failed(labels, [store = store.get()] { return store->failed() ? 1.0 : 0.0; });
    add_flusher(metrics, store->flusher.stats(), labels);
  }
  for (const auto& unreadable : broker.directories().unreadable()) {
    add_failed({{"directory", unreadable.path}}, [] { return 1.0; });
  }
}

// Of replicas that go from one log directory to another.
void add_moves(host::Metrics& metrics, Broker& broker) {
  const ReplicaMoves::Stats& stats = broker.hosting().move_stats();
  const auto count = [&](const char* outcome, const base::Counter& counter) {
    metrics.counter("moldau_replica_moves_total",
                    "Moves of replicas between log directories that ended, or were refused.",
                    {{"outcome", outcome}}, counter);
  };
  count("done", stats.done);
  count("refused", stats.refused);
  count("failed", stats.failed);
  count("cancelled", stats.cancelled);
  metrics.gauge("moldau_replica_moves", "Moves between log directories that are under way.", {},
                [&broker] { return static_cast<double>(broker.hosting().moves().size()); });
}

void add_cleaner(host::Metrics& metrics, Broker& broker) {
  const auto stats = [&broker] { return broker.hosting().cleaner_stats(); };
  const auto count = [&](const char* name, const char* help, auto Cleaner::Stats::* field) {
    metrics.counter(name, help, {}, host::Metrics::Value([stats, field] {
                      return static_cast<double>(stats().*field);
                    }));
  };
  const auto gauge = [&](const char* name, const char* help, auto Cleaner::Stats::* field) {
    metrics.gauge(name, help, {}, [stats, field] { return static_cast<double>(stats().*field); });
  };
  count("moldau_compaction_rounds_total", "Rounds of compaction that came to their end.",
        &Cleaner::Stats::rounds);
  count("moldau_compaction_failures_total", "Rounds of compaction that failed.",
        &Cleaner::Stats::failures);
  count("moldau_compaction_read_bytes_total", "Bytes of batches that compaction filtered.",
        &Cleaner::Stats::bytes_read);
  count("moldau_compaction_written_bytes_total", "Bytes that compaction wrote in their place.",
        &Cleaner::Stats::bytes_written);
  count("moldau_compaction_read_records_total", "Records that compaction looked at.",
        &Cleaner::Stats::records_read);
  count("moldau_compaction_kept_records_total", "Records of those that stayed.",
        &Cleaner::Stats::records_kept);
  gauge("moldau_compaction_rounds_running", "Logs that are being compacted.",
        &Cleaner::Stats::running);
  gauge("moldau_compaction_dirty_ratio_max", "Dirty share of the dirtiest compacted log.",
        &Cleaner::Stats::dirty_ratio_max);
  gauge("moldau_compaction_key_map_load", "How full the last round's memory for keys was.",
        &Cleaner::Stats::key_map_load);
  gauge("moldau_compaction_overdue_ms_max",
        "How long the longest wait for compaction exceeds max.compaction.lag.ms.",
        &Cleaner::Stats::overdue_ms_max);
  metrics.gauge("moldau_compaction_uncleanable_partitions",
                "Partitions that cannot be compacted: moldau_compaction_uncleanable names them.",
                {}, [stats] { return static_cast<double>(stats().uncleanable.size()); });
  metrics.gauges("moldau_compaction_uncleanable",
                 "Failed tries of each partition that cannot be compacted.",
                 [stats](const host::Metrics::Emit& emit) {
                   for (const Cleaner::Failure& failure : stats().uncleanable) {
                     emit({{"topic", failure.name.topic},
                           {"partition", std::to_string(failure.name.partition)}},
                          static_cast<double>(failure.times));
                   }
                 });
}

// Records that the slowest follower of a partition still has to fetch.
std::int64_t lag_of(Partition& partition) {
  std::int64_t lag = 0;
  const base::Offset end = partition.bounds().end;
  for (const auto& [id, progress] : partition.followers()) {
    lag = std::max(lag, end - progress.offset.value_or(base::Offset(0)));
  }
  return lag;
}

void add_replication(host::Metrics& metrics, Broker& broker) {
  const base::BrokerId self = broker.node().broker_id;
  const auto count = [&](const char* name, const char* help, auto counts) {
    metrics.gauge(name, help, {}, [&broker, counts] {
      double found = 0;
      each_held(broker, [&](const Held& each) { found += counts(each) ? 1 : 0; });
      return found;
    });
  };
  count("moldau_led_partitions", "Partitions that this broker leads.",
        [self](const Held& each) { return each.state->leader == self; });
  count("moldau_under_replicated_partitions",
        "Partitions led here that have fewer replicas in sync than they have replicas.",
        [self](const Held& each) {
          return each.state->leader == self && each.state->isr.size() < each.state->replicas.size();
        });
  count("moldau_offline_partitions", "Partitions with a replica here that nobody leads.",
        [](const Held& each) { return each.state->leader == meta::kNoBroker; });
  metrics.gauge("moldau_replica_lag_records_max",
                "Most records that a follower of a partition led here still has to fetch.", {},
                [&broker, self] {
                  std::int64_t most = 0;
                  each_held(broker, [&](const Held& each) {
                    if (each.state->leader == self) most = std::max(most, lag_of(*each.here));
                  });
                  return static_cast<double>(most);
                });
  const auto throttled = [&](const char* side, const ReplicationThrottle& throttle) {
    metrics.counter("moldau_replication_throttled_bytes_total",
                    "Bytes of throttled replicas that were sent (leader) or copied (follower).",
                    {{"side", side}}, host::Metrics::Value([&throttle] {
                      return static_cast<double>(throttle.bytes());
                    }));
  };
  throttled("leader", broker.node().throttles.leader);
  throttled("follower", broker.node().throttles.follower);
  const IsrChanges::Stats& stats = broker.isr_changes()->stats();
  metrics.counter("moldau_isr_shrinks_total",
                  "Times that a partition led here lost an in-sync replica.", {}, stats.shrinks);
  metrics.counter("moldau_isr_expands_total",
                  "Times that a partition led here gained an in-sync replica.", {}, stats.expands);
}

}  // namespace

void add_broker_metrics(host::Metrics& metrics, Broker& broker, bool kafka_names) {
  if (kafka_names) add_kafka_names(metrics, broker);
  add_groups(metrics, broker);
  add_group_metrics(metrics, broker);
  add_transactions(metrics, broker);
  for (const auto& reactor : broker.node().reactors) add_reactor(metrics, *reactor->stats);
  metrics.gauge("moldau_client_connections", "Client connections that are open.", {}, [&broker] {
    double open = 0;
    for (const auto& reactor : broker.node().reactors) {
      open += static_cast<double>(reactor->stats->connections_opened.value()) -
              static_cast<double>(reactor->stats->connections_closed.value());
    }
    return open;
  });
  add_topics(metrics, broker);
  add_traffic(metrics, broker);
  add_disk(metrics, broker);
  add_replication(metrics, broker);
  add_moves(metrics, broker);
  add_cleaner(metrics, broker);
}

}  // namespace broker::shell
