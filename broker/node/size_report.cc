#include "broker/node/size_report.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "broker/node/partition.h"
#include "common/meta/apply.h"
#include "proto/controller.pb.h"

namespace broker {
namespace {

// A change is worth a word when it is a part of what was told, within these.
constexpr std::int64_t kPart = 64;
constexpr std::int64_t kLeast = 1 << 20;
constexpr std::int64_t kMost = 64 << 20;

}  // namespace

void SizeReport::begin_round() {
  std::map<Key, std::weak_ptr<Partition>> all;
  for (const auto& [key, bytes] : told_) all[key];
  const auto table = table_.snapshot();
  for (const auto& [id, topic] : table->by_id) {
    for (const auto& partition : topic->partitions) {
      if (partition) all[{id, partition->index()}] = partition;
    }
  }
  for (auto& [key, partition] : all) round_.push_back({key, std::move(partition)});
  std::ranges::reverse(round_);
}

void SizeReport::describe(proto::HeartbeatRequest& request) {
  request.set_first_sizes(std::exchange(first_, false));
  if (round_.empty()) begin_round();
  for (std::size_t i = 0; i < kLookedAtMax && !round_.empty(); ++i) {
    look_at(round_.back(), request);
    round_.pop_back();
  }
  all_ = all_ || round_.empty();
  request.set_all_sizes(all_);
}

void SizeReport::look_at(const Looked& looked, proto::HeartbeatRequest& request) {
  const auto partition = looked.partition.lock();
  const auto bytes =
      partition ? static_cast<std::int64_t>(partition->bounds().size_bytes) : std::int64_t{0};
  const auto told = told_.find(looked.key);
  const std::int64_t before = told == told_.end() ? 0 : told->second;
  const bool gone = partition == nullptr && told != told_.end();
  if (!gone && std::abs(bytes - before) < std::clamp(before / kPart, kLeast, kMost)) return;
  if (gone) {
    told_.erase(told);
  } else {
    told_[looked.key] = bytes;
  }
  auto* size = request.add_sizes();
  meta::to_proto(looked.key.first, size->mutable_topic_id());
  size->set_partition(looked.key.second);
  size->set_bytes(bytes);
}

void SizeReport::on_reply(const proto::HeartbeatReply* reply) {
  if (reply != nullptr && !reply->sizes_wanted()) return;
  // What the controller knows is unknown, or nothing.
  told_.clear();
  round_.clear();
  first_ = true;
  all_ = false;
}

}  // namespace broker
