#include "broker/shell/broker_metrics.h"

#include "broker/api/table.h"
#include "broker/log/log_directory.h"
#include "broker/node/stats.h"

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

}  // namespace

void add_broker_metrics(host::Metrics& metrics, Broker& broker) {
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
  metrics.gauge("moldau_log_directory_failed",
                "1 when a failed write or sync took the log directory out of service.", {},
                [&broker] { return broker.node().log_directory->failed() ? 1.0 : 0.0; });
  const Flusher* flusher = broker.flusher();
  const auto count = [&](const char* name, const char* help,
                         const std::atomic<std::uint64_t>& value) {
    metrics.counter(name, help, {},
                    host::Metrics::Value([&value] { return static_cast<double>(value.load()); }));
  };
  count("moldau_flush_rounds_total", "Group commits of the log directory.",
        flusher->stats().rounds);
  count("moldau_flush_partitions_total", "Partitions made durable by group commits.",
        flusher->stats().partitions);
  count("moldau_flush_failures_total", "Group commits that failed.", flusher->stats().failures);
}

}  // namespace broker::shell
