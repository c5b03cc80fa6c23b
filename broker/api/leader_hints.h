// Tells a client that asked the wrong broker who leads, with the address, so that it need not ask
// for metadata first (KIP-951). For one answer: where each partition's leader is, each broker once.
#pragma once

#include <algorithm>
#include <string_view>

#include "broker/node/node.h"
#include "common/base/uuid.h"
#include "common/wire/error_code.h"

namespace broker::api {

class LeaderHints {
 public:
  LeaderHints(const Node& node, std::string_view listener)
      : image_(node.image()), listener_(listener) {}

  // Errors that come with a hint.
  static bool wants(wire::ErrorCode error) {
    return error == wire::ErrorCode::kNotLeaderOrFollower ||
           error == wire::ErrorCode::kFencedLeaderEpoch;
  }

  // The topic by id, or by name when there is no id. `leader` is a response's current_leader,
  // `endpoints` its node_endpoints.
  template <class Leader, class Endpoints>
  void add(const base::Uuid& topic_id, std::string_view topic, std::int32_t partition,
           Leader& leader, Endpoints& endpoints) const {
    const meta::Topic* found =
        topic_id == base::Uuid() ? image_->topic(topic) : image_->topic(topic_id);
    if (found == nullptr || partition < 0 ||
        static_cast<std::size_t>(partition) >= found->partitions.size()) {
      return;
    }
    const meta::Partition& state = found->partitions[static_cast<std::size_t>(partition)];
    leader.leader_id = state.leader.value();
    leader.leader_epoch = state.leader_epoch.value();
    const meta::Broker* broker = image_->broker(state.leader);
    const meta::Listener* address = broker == nullptr ? nullptr : broker->listener(listener_);
    if (address == nullptr) return;
    if (std::ranges::any_of(endpoints,
                            [&](const auto& each) { return each.node_id == leader.leader_id; })) {
      return;
    }
    auto& out = endpoints.emplace_back();
    out.node_id = leader.leader_id;
    out.host = address->host;
    out.port = address->port;
    if (!broker->rack.empty()) out.rack = broker->rack;
  }

 private:
  meta::ImagePtr image_;
  std::string_view listener_;
};

}  // namespace broker::api
