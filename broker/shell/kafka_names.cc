#include "broker/shell/kafka_names.h"

#include <functional>
#include <memory>
#include <string>

#include "broker/log/log_directories.h"
#include "broker/node/stats.h"
#include "broker/shell/held_partitions.h"

namespace broker::shell {
namespace {

constexpr std::size_t kProduce = 0;
constexpr std::size_t kFetch = 1;

// Kafka's help texts say no more than the name either.
constexpr const char* kHelp = "As Apache Kafka's JMX exporter shows it.";

void add_replicas(host::Metrics& metrics, Broker& broker) {
  const base::BrokerId self = broker.node().broker_id;
  const auto count = [&](const char* name, auto counts) {
    metrics.gauge(name, kHelp, {}, [&broker, counts] {
      double found = 0;
      each_held(broker, [&](const Held& each) { found += counts(each) ? 1 : 0; });
      return found;
    });
  };
  const auto leads = [self](const Held& each) { return each.state->leader == self; };
  count("kafka_server_replicamanager_partitioncount", [](const Held&) { return true; });
  count("kafka_server_replicamanager_leadercount", leads);
  count("kafka_server_replicamanager_underreplicatedpartitions", [leads](const Held& each) {
    return leads(each) && each.state->isr.size() < each.state->replicas.size();
  });
  count("kafka_server_replicamanager_underminisrpartitioncount", [leads](const Held& each) {
    const auto least = static_cast<std::size_t>(each.here->config()->min_insync_replicas);
    return leads(each) && each.state->isr.size() < least;
  });
  metrics.gauges("kafka_log_log_size", kHelp, [&broker](const host::Metrics::Emit& emit) {
    each_held(broker, [&](const Held& each) {
      emit({{"topic", each.here->topic()}, {"partition", std::to_string(each.here->index())}},
           static_cast<double>(each.here->bounds().size_bytes));
    });
  });
}

// The series without a topic is that of the whole broker.
void add_topics(host::Metrics& metrics, Broker& broker) {
  const auto traffic = std::make_shared<TopicTraffic>();
  const auto each = [&](const char* name, std::uint64_t TopicTraffic::Count::* of) {
    metrics.counters(name, kHelp, [&broker, traffic, of](const host::Metrics::Emit& emit) {
      look_at(broker, *traffic);
      for (const auto& [topic, count] : traffic->totals()) {
        emit({{"topic", topic}}, static_cast<double>(count.*of));
      }
      emit({}, static_cast<double>(traffic->all().*of));
    });
  };
  each("kafka_server_brokertopicmetrics_bytesin_total", &TopicTraffic::Count::produced_bytes);
  each("kafka_server_brokertopicmetrics_bytesout_total", &TopicTraffic::Count::fetched_bytes);
  each("kafka_server_brokertopicmetrics_messagesin_total", &TopicTraffic::Count::produced_records);
}

void add_requests(host::Metrics& metrics, Broker& broker) {
  for (const auto& reactor : broker.node().reactors) {
    const ReactorStats& stats = *reactor->stats;
    metrics.counter("kafka_server_brokertopicmetrics_totalproducerequests_total", kHelp, {},
                    stats.requests[kProduce]);
    metrics.counter("kafka_server_brokertopicmetrics_totalfetchrequests_total", kHelp, {},
                    stats.requests[kFetch]);
    metrics.counter("kafka_server_brokertopicmetrics_failedproducerequests_total", kHelp, {},
                    stats.produce_refused);
  }
  metrics.gauge("kafka_server_socket_server_metrics_connection_count", kHelp, {}, [&broker] {
    double open = 0;
    for (const auto& reactor : broker.node().reactors) {
      open += static_cast<double>(reactor->stats->connections_opened.value()) -
              static_cast<double>(reactor->stats->connections_closed.value());
    }
    return open;
  });
}

}  // namespace

void add_kafka_names(host::Metrics& metrics, Broker& broker) {
  add_replicas(metrics, broker);
  add_topics(metrics, broker);
  add_requests(metrics, broker);
  metrics.gauge("kafka_log_logmanager_offlinelogdirectorycount", kHelp, {},
                [&broker] { return static_cast<double>(broker.directories().failed_count()); });
}

}  // namespace broker::shell
