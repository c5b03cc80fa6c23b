#include "broker/fetch/fetch_session.h"

namespace broker {
namespace {

constexpr std::int32_t kInitialEpoch = 0;
constexpr std::int32_t kFinalEpoch = -1;

// Visits every partition of a request as a target.
template <class Visit>
void each_target(const wire::FetchRequest& request, bool by_id, Visit visit) {
  for (const auto& topic : request.topics) {
    for (const auto& partition : topic.partitions) {
      FetchTarget target;
      target.key.partition = partition.partition;
      if (by_id) {
        target.key.topic_id = topic.topic_id;
      } else {
        target.key.topic = topic.topic;
      }
      target.fetch_offset = partition.fetch_offset;
      target.leader_epoch = partition.current_leader_epoch;
      target.last_fetched_epoch = partition.last_fetched_epoch;
      target.bytes_max = partition.partition_max_bytes;
      target.known_high_watermark = partition.high_watermark;
      visit(std::move(target));
    }
  }
}

}  // namespace

std::size_t FetchSession::KeyHash::operator()(const FetchKey& key) const {
  const std::size_t topic =
      key.topic_id.high ^ (key.topic_id.low * 31) ^ std::hash<std::string>{}(key.topic);
  return topic * 0x9e3779b97f4a7c15ULL + static_cast<std::size_t>(key.partition);
}

void FetchSession::put(FetchTarget target) {
  auto found = index_.find(target.key);
  if (found == index_.end()) {
    FetchKey key = target.key;
    targets_.push_back(std::move(target));
    index_.emplace(std::move(key), std::prev(targets_.end()));
    return;
  }
  FetchTarget& kept = *found->second;
  kept.fetch_offset = target.fetch_offset;
  kept.leader_epoch = target.leader_epoch;
  kept.last_fetched_epoch = target.last_fetched_epoch;
  kept.bytes_max = target.bytes_max;
  kept.known_high_watermark = target.known_high_watermark;
}

void FetchSession::forget(const FetchKey& key) {
  auto found = index_.find(key);
  if (found == index_.end()) return;
  targets_.erase(found->second);
  index_.erase(found);
}

void FetchSession::move_to_back(const FetchKey& key) {
  auto found = index_.find(key);
  if (found != index_.end()) targets_.splice(targets_.end(), targets_, found->second);
}

FetchPlan FetchSessions::begin(const wire::FetchRequest& request, std::int16_t version) {
  const bool by_id = version >= 13;
  if (request.session_epoch == kInitialEpoch || request.session_epoch == kFinalEpoch) {
    drop(request.session_id);
    return begin_full(request, by_id, request.session_epoch == kInitialEpoch);
  }
  return go_on(request, by_id);
}

FetchPlan FetchSessions::begin_full(const wire::FetchRequest& request, bool by_id, bool keep) {
  FetchPlan plan;
  if (!keep || sessions_max_ == 0) {
    each_target(request, by_id,
                [&](FetchTarget target) { plan.targets.push_back(std::move(target)); });
    return plan;
  }
  while (sessions_.size() >= sessions_max_) drop(recency_.front());
  auto session = std::make_shared<FetchSession>();
  do {
    session->id_ = static_cast<std::int32_t>(random_.below(0x7fffffff)) + 1;
  } while (sessions_.contains(session->id_));
  session->by_id_ = by_id;
  each_target(request, by_id, [&](FetchTarget target) { session->put(std::move(target)); });
  session->recency_ = recency_.insert(recency_.end(), session->id_);
  sessions_.emplace(session->id_, session);
  plan.session = std::move(session);
  return plan;
}

FetchPlan FetchSessions::go_on(const wire::FetchRequest& request, bool by_id) {
  FetchPlan plan;
  auto found = sessions_.find(request.session_id);
  if (found == sessions_.end()) {
    plan.error = wire::ErrorCode::kFetchSessionIdNotFound;
    return plan;
  }
  auto& session = *found->second;
  if (request.session_epoch != session.next_epoch_) {
    plan.error = wire::ErrorCode::kInvalidFetchSessionEpoch;
    return plan;
  }
  if (by_id != session.by_id_) {
    plan.error = wire::ErrorCode::kFetchSessionTopicIdError;
    return plan;
  }
  // After INT32_MAX comes 1: 0 and -1 mean something else.
  session.next_epoch_ = session.next_epoch_ == 0x7fffffff ? 1 : session.next_epoch_ + 1;
  recency_.splice(recency_.end(), recency_, session.recency_);
  for (const auto& topic : request.forgotten_topics_data) {
    for (const std::int32_t partition : topic.partitions) {
      session.forget(by_id ? FetchKey{topic.topic_id, {}, partition}
                           : FetchKey{{}, topic.topic, partition});
    }
  }
  each_target(request, by_id, [&](FetchTarget target) { session.put(std::move(target)); });
  plan.session = found->second;
  plan.incremental = true;
  return plan;
}

void FetchSessions::drop(std::int32_t id) {
  auto found = sessions_.find(id);
  if (found == sessions_.end()) return;
  recency_.erase(found->second->recency_);
  sessions_.erase(found);
}

}  // namespace broker
