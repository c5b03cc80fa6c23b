#include "controller/cluster/replica_sizes.h"

#include <algorithm>

#include "common/meta/apply.h"

namespace controller::cluster {
namespace {

constexpr base::Duration kMeasured = std::chrono::seconds(30);
constexpr base::Duration kBucket = std::chrono::seconds(1);
// A broker of an earlier release tells nothing: it must not keep balancing from its end.
constexpr base::Duration kAwaited = std::chrono::seconds(60);

}  // namespace

void ReplicaSizes::clear(base::Instant now) {
  advance(now);
  awaited_until_ = now + kAwaited;
  held_.clear();
  copied_.clear();
}

bool ReplicaSizes::take(const proto::HeartbeatRequest& request, const meta::Image& image,
                        base::Instant now) {
  advance(now);
  const base::BrokerId broker(request.broker_id());
  if (request.first_sizes()) {
    std::erase_if(held_, [&](const auto& each) { return !image.broker(each.first); });
    held_[broker] = {};
  }
  const auto found = held_.find(broker);
  if (found == held_.end()) return true;
  const int count = std::min(request.sizes_size(), kSizesMax);
  for (int i = 0; i < count; ++i) tell(broker, found->second, request.sizes(i), image);
  found->second.all = found->second.all || request.all_sizes();
  return false;
}

void ReplicaSizes::tell(base::BrokerId broker, Held& held,
                        const proto::HeartbeatRequest::Size& size, const meta::Image& image) {
  const base::Uuid id = meta::from_proto(size.topic_id());
  const meta::Topic* topic = image.topic(id);
  if (!topic) {
    held.topics.erase(id);
    return;
  }
  const auto at = static_cast<std::size_t>(size.partition());
  if (size.partition() < 0 || at >= topic->partitions.size()) return;
  auto& known = held.topics[id];
  if (at >= known.size()) known.resize(topic->partitions.size());
  const std::int64_t bytes = std::max<std::int64_t>(0, size.bytes());
  const auto& adding = topic->partitions[at].adding;
  // Before it has told of all, what is new to us may have been there for long.
  if (held.all && std::ranges::find(adding, broker) != adding.end()) copied(bytes - known[at]);
  known[at] = bytes;
}

bool ReplicaSizes::complete(const meta::Image& image) const {
  return std::ranges::all_of(image.brokers(), [this](const auto& each) {
    if (!each.value->heartbeats || each.value->fenced) return true;
    const auto found = held_.find(each.key);
    return found != held_.end() && found->second.all;
  });
}

bool ReplicaSizes::awaited(const meta::Image& image) const {
  return now_ < awaited_until_ && !complete(image);
}

std::int64_t ReplicaSizes::of(base::BrokerId broker, const base::Uuid& topic,
                              std::int32_t partition) const {
  const auto held = held_.find(broker);
  if (held == held_.end()) return 0;
  const auto known = held->second.topics.find(topic);
  const auto at = static_cast<std::size_t>(partition);
  if (known == held->second.topics.end() || at >= known->second.size()) return 0;
  return known->second[at];
}

std::int64_t ReplicaSizes::of(const base::Uuid& topic, std::int32_t index,
                              const meta::Partition& partition) const {
  std::int64_t most = 0;
  for (const base::BrokerId id : partition.replicas) most = std::max(most, of(id, topic, index));
  return most;
}

void ReplicaSizes::advance(base::Instant now) {
  now_ = std::max(now_, now);
  while (!copied_.empty() && now_ - copied_.front().begin > kMeasured) copied_.pop_front();
}

void ReplicaSizes::copied(std::int64_t bytes) {
  if (bytes <= 0) return;
  if (copied_.empty() || now_ - copied_.back().begin >= kBucket) copied_.push_back({now_, 0});
  copied_.back().bytes += bytes;
}

std::int64_t ReplicaSizes::copied_per_second() const {
  if (copied_.empty()) return 0;
  std::int64_t sum = 0;
  for (const Bucket& each : copied_) sum += each.bytes;
  const auto span = std::max(kBucket, now_ - copied_.front().begin);
  return static_cast<std::int64_t>(static_cast<double>(sum) /
                                   std::chrono::duration<double>(span).count());
}

std::int64_t bytes_to_copy(const base::Uuid& topic, std::int32_t index,
                           const meta::Partition& partition, const ReplicaSizes& sizes) {
  if (partition.adding.empty()) return 0;
  const std::int64_t whole = sizes.of(topic, index, partition);
  std::int64_t left = 0;
  for (const base::BrokerId id : partition.adding) {
    if (std::ranges::find(partition.isr, id) != partition.isr.end()) continue;
    left += std::max<std::int64_t>(0, whole - sizes.of(id, topic, index));
  }
  return left;
}

proto::CopyProgress progress_of(std::int64_t bytes_left, const ReplicaSizes& sizes) {
  proto::CopyProgress out;
  const std::int64_t rate = sizes.copied_per_second();
  out.set_bytes_left(bytes_left);
  out.set_bytes_per_second(rate);
  if (bytes_left == 0) {
    out.set_seconds_left(0);
  } else if (rate > 0) {
    out.set_seconds_left((bytes_left - 1) / rate + 1);
  }
  return out;
}

}  // namespace controller::cluster
