// The same figures once more, under the names that the usual rules of the JMX exporter give to
// Apache Kafka's, byte for byte: for dashboards and alerts that were made for it. Config
// moldau.metrics.kafka.names. What has no meaning here (the JVM, idle percentages) is not there.
#pragma once

#include "broker/broker.h"
#include "broker/shell/topic_traffic.h"
#include "common/host/metrics.h"

namespace broker::shell {

// `broker` outlives `metrics`.
void add_kafka_names(host::Metrics& metrics, Broker& broker);

}  // namespace broker::shell
