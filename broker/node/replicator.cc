#include "broker/node/replicator.h"

#include <algorithm>

#include "broker/node/partition_table.h"

namespace broker {

Replicator::Replicator(Node& node, base::Random random, Options options)
    : node_(node), random_(random), options_(std::move(options)) {}

Replicator::~Replicator() = default;

Replicator::LoopId Replicator::loop_of(base::BrokerId leader, const FollowKey& key) const {
  const std::uint64_t mixed =
      (key.topic_id.low ^ key.topic_id.high) + static_cast<std::uint64_t>(key.partition);
  return {leader, static_cast<std::size_t>(mixed % std::max<std::size_t>(1, options_.fetchers))};
}

Replicator::Loop& Replicator::loop(const LoopId& id) {
  Loop& out = loops_[id];
  if (out.loop != nullptr) return out;
  // Neighbours of a leader go to different reactors, as do the loops of one leader.
  const auto place =
      static_cast<std::uint32_t>(id.first.value()) * static_cast<std::uint32_t>(options_.fetchers) +
      static_cast<std::uint32_t>(id.second);
  Reactor& reactor = node_.reactor_for(place);
  FetchLoop::Options options = options_.fetch;
  options.leader = id.first;
  out.executor = &reactor.executor;
  out.loop = std::make_shared<FetchLoop>(
      reactor.executor, reactor.net, node_.diag,
      random_.split("loop " + std::to_string(id.first.value()) + "/" + std::to_string(id.second)),
      std::move(options));
  return out;
}

void Replicator::on_change(const meta::Image& after, const meta::Delta& delta) {
  if (stopped_) return;
  std::map<LoopId, Orders> orders;
  for (const auto& [id, topic] : delta.topics) look_at(topic, id, orders);
  for (auto& [id, ordered] : orders) {
    Loop& each = loop(id);
    tell_leader(id, each, after);
    each.executor->post([fetches = each.loop, what = std::move(ordered)]() mutable {
      if (!what.remove.empty()) fetches->remove(what.remove);
      if (!what.assign.empty()) fetches->assign(std::move(what.assign));
    });
  }
  if (delta.brokers.empty() && !delta.from_snapshot) return;
  for (auto& [id, each] : loops_) tell_leader(id, each, after);
}

void Replicator::look_at(const meta::TopicDelta& topic, base::Uuid id,
                         std::map<LoopId, Orders>& orders) {
  if (topic.after == nullptr) {
    for (auto at = where_.lower_bound({id, 0}); at != where_.end() && at->first.topic_id == id;) {
      const FollowKey key = at->first;
      ++at;
      leave(key, orders);
    }
    return;
  }
  const auto table = node_.partitions->snapshot();
  for (const std::int32_t index : topic.partitions) {
    const FollowKey key{id, index};
    const meta::Partition& now = topic.after->partitions[static_cast<std::size_t>(index)];
    const auto partition = table->find(id, index);
    const bool ours = std::ranges::find(now.replicas, node_.broker_id) != now.replicas.end();
    if (!ours || partition == nullptr || now.leader == meta::kNoBroker ||
        now.leader == node_.broker_id) {
      leave(key, orders);
      continue;
    }
    const LoopId to = loop_of(now.leader, key);
    const auto from = where_.find(key);
    if (from != where_.end() && from->second != to) leave(key, orders);
    const bool is_new = !where_.contains(key);
    // A change of the ISR alone is none for the follower.
    if (!is_new && topic.before != nullptr &&
        static_cast<std::size_t>(index) < topic.before->partitions.size() &&
        topic.before->partitions[static_cast<std::size_t>(index)].leader_epoch ==
            now.leader_epoch) {
      continue;
    }
    if (is_new) {
      where_[key] = to;
      ++loop(to).partitions;
    }
    orders[to].assign.push_back({key, make_follower(partition)});
  }
}

void Replicator::leave(const FollowKey& key, std::map<LoopId, Orders>& orders) {
  const auto at = where_.find(key);
  if (at == where_.end()) return;
  orders[at->second].remove.push_back(key);
  --loops_.at(at->second).partitions;
  where_.erase(at);
}

void Replicator::tell_leader(const LoopId& id, Loop& loop, const meta::Image& image) {
  const meta::Broker* broker = image.broker(id.first);
  std::optional<io::Address> address;
  bool is_new_process = false;
  if (broker != nullptr) {
    if (const meta::Listener* listener = broker->listener(options_.listener)) {
      address = io::Address{listener->host, listener->port};
    }
    is_new_process = loop.leader_epoch != broker->epoch;
    loop.leader_epoch = broker->epoch;
  }
  if (!is_new_process && address == loop.address) return;
  loop.address = address;
  loop.executor->post(
      [to = loop.loop, address, is_new_process] { to->set_leader(address, is_new_process); });
}

void Replicator::abandon() {
  for (auto& [id, each] : loops_) each.loop->stop();
}

void Replicator::stop(std::move_only_function<void()> done) {
  stopped_ = true;
  if (loops_.empty()) return done();
  io::Executor& home = node_.reactors[0]->executor;
  auto left = std::make_shared<std::size_t>(loops_.size());
  auto shared_done = std::make_shared<std::move_only_function<void()>>(std::move(done));
  for (auto& [id, each] : loops_) {
    each.executor->post([&home, loop = each.loop, left, shared_done] {
      loop->stop();
      home.post([left, shared_done] {
        if (--*left == 0) (*shared_done)();
      });
    });
  }
}

}  // namespace broker
