// What /metrics shows of single groups: how many are in each state, and how far each is behind in
// each partition. Asked of the coordinators when somebody scrapes, on the scraping thread.
#pragma once

#include <cstddef>

#include "broker/broker.h"
#include "common/host/metrics.h"

namespace broker::shell {

// Series of lag at most; what is beyond is not shown, in the order of the coordinators' partitions.
inline constexpr std::size_t kLagSeriesMax = 10'000;

// `broker` outlives the registry.
void add_group_metrics(host::Metrics& metrics, Broker& broker);

}  // namespace broker::shell
