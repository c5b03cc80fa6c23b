// The partitions that this broker holds, for who counts them when somebody scrapes. Any thread.
#pragma once

#include <functional>
#include <memory>

#include "broker/broker.h"
#include "broker/node/partition.h"
#include "broker/shell/topic_traffic.h"

namespace broker::shell {

// One of them, and what the metadata says of it. Views, for the length of the call.
struct Held {
  std::shared_ptr<Partition> here;
  const meta::Partition* state;
};
void each_held(Broker& broker, const std::function<void(const Held&)>& visit);

// One look of `traffic` at all of them.
void look_at(Broker& broker, TopicTraffic& traffic);

}  // namespace broker::shell
