// What a broker shows on /metrics. Reads counters that reactors write; any thread.
#pragma once

#include "broker/broker.h"
#include "common/host/metrics.h"

namespace broker::shell {

// `broker` outlives `metrics`. With `kafka_names`, kafka_names.h too.
void add_broker_metrics(host::Metrics& metrics, Broker& broker, bool kafka_names);

}  // namespace broker::shell
