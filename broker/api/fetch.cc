#include "broker/api/fetch.h"

#include <algorithm>
#include <array>

#include "broker/api/leader_hints.h"
#include "broker/limits.h"
#include "broker/node/stats.h"

namespace broker::api {
namespace {

using wire::ErrorCode;

// A slice shorter than this is read from the medium on the reactor: asking costs more.
constexpr std::uint64_t kProbedBytes = 64 << 10;
// Under memory pressure pages may go again before they are read: then the reactor waits for them.
constexpr std::uint32_t kWarmUpsMax = 4;
// At least, so that what may be sent is worth an answer.
constexpr base::Duration kThrottlePause = std::chrono::milliseconds(10);

bool is_cached(const io::FileSlice& slice) {
  std::array<std::byte, 1> probe;
  for (const std::uint64_t at : {std::uint64_t{0}, slice.length / 2, slice.length - 1}) {
    auto got = slice.file->read_cached_at(probe, slice.position + at);
    if (!got && got.error().code == EAGAIN) return false;
  }
  return true;
}

// Who fetches, when it is a replica.
std::optional<ReadRequest::Follower> follower_of(const Context& context,
                                                 const wire::FetchRequest& request) {
  const bool has_state = context.version >= 15;
  const std::int32_t id = has_state ? request.replica_state.replica_id : request.replica_id;
  if (id < 0) return std::nullopt;
  return ReadRequest::Follower{
      .id = base::BrokerId(id),
      .epoch = base::BrokerEpoch(has_state ? request.replica_state.replica_epoch : -1),
      .now = context.reactor.executor.now(),
      .is_progress = true};
}

std::vector<base::BrokerId> brokers_in(const std::string& rack, const meta::Image& image) {
  std::vector<base::BrokerId> out;
  for (const auto& [id, broker] : image.brokers()) {
    if (broker->rack == rack && broker->live()) out.push_back(id);
  }
  return out;
}

}  // namespace

void fetch(Context& context, const wire::FetchRequest& request, Reply<wire::FetchResponse> reply) {
  FetchPlan plan = context.reactor.fetch_sessions->begin(request, context.version);
  if (plan.error != ErrorCode::kNone) {
    wire::FetchResponse response;
    response.error_code = plan.error;
    return reply(response);
  }
  std::make_shared<FetchOperation>(context, request, std::move(plan), std::move(reply))->start();
}

FetchOperation::FetchOperation(Context& context, const wire::FetchRequest& request, FetchPlan plan,
                               Reply<wire::FetchResponse> reply)
    : node_(context.node),
      reactor_(context.reactor),
      plan_(std::move(plan)),
      reply_(std::move(reply)),
      deadline_(context.reactor.executor.now() +
                std::chrono::milliseconds(std::max(0, request.max_wait_ms))),
      bytes_max_(std::clamp<std::int64_t>(
          request.max_bytes, 0,
          std::min<std::int64_t>(limits::kFetchBytesMax, context.node.config.fetch_max_bytes))),
      read_committed_(request.isolation_level == 1),
      by_id_(context.version >= 13),
      with_hints_(context.version >= 16),
      follower_(follower_of(context, request)),
      any_replica_(!follower_ && context.version >= 11),
      listener_(context.listener) {
  if (follower_) context.use.replica = true;
  // As Kafka does: more than fits can never come.
  bytes_min_ = std::min<std::int64_t>(request.min_bytes, bytes_max_);
  auto& targets = plan_.session ? plan_.session->targets() : plan_.targets;
  items_.reserve(targets.size());
  for (auto& target : targets) items_.emplace_back().target = &target;
  if (plan_.session) session_epoch_ = plan_.session->epoch();
  if (any_replica_ && node_.config.rack_aware_reads && !request.rack_id.empty()) {
    nearby_ = brokers_in(request.rack_id, *node_.image());
  }
}

void FetchOperation::start() {
  resolve(*node_.partitions->snapshot());
  timer_.on_fire([this] {
    auto self = shared_from_this();
    if (reactor_.executor.now() < deadline_) return run();
    read();
    finish();
  });
  run();
}

void FetchOperation::resolve(const PartitionTable::Snapshot& table) {
  for (auto& item : items_) {
    const FetchKey& key = item.target->key;
    const TopicPartitions* topic = by_id_ ? table.find(key.topic_id) : table.find(key.topic);
    if (topic == nullptr) {
      item.error = by_id_ ? ErrorCode::kUnknownTopicId : ErrorCode::kUnknownTopicOrPartition;
      continue;
    }
    if (key.partition < 0 || static_cast<std::size_t>(key.partition) >= topic->partitions.size()) {
      item.error = ErrorCode::kUnknownTopicOrPartition;
      continue;
    }
    item.partition = topic->partitions[static_cast<std::size_t>(key.partition)];
    if (item.partition == nullptr) item.error = ErrorCode::kNotLeaderOrFollower;
  }
}

void FetchOperation::read() {
  bytes_ = 0;
  throttled_bytes_ = 0;
  const std::int64_t may_send =
      follower_ ? node_.throttles.leader.left(reactor_.executor.now()) : INT64_MAX;
  for (auto& item : items_) {
    item.answer = ReadAnswer();
    if (item.partition == nullptr) {
      item.answer.error = item.error;
      continue;
    }
    const std::int64_t left = std::max<std::int64_t>(0, bytes_max_ - bytes_);
    ReadRequest request;
    request.from = base::Offset(item.target->fetch_offset);
    request.bytes_max =
        static_cast<std::uint32_t>(std::clamp<std::int64_t>(item.target->bytes_max, 0, left));
    // The first partition with data is served whatever the limits say (KIP-74).
    request.at_least_one_batch = bytes_ == 0;
    request.read_committed = read_committed_;
    request.any_replica = any_replica_;
    request.nearby = nearby_;
    request.may_block = warm_ups_ >= kWarmUpsMax;
    if (item.target->leader_epoch >= 0) {
      request.leader_epoch = base::LeaderEpoch(item.target->leader_epoch);
    }
    if (item.target->last_fetched_epoch >= 0) {
      request.last_fetched_epoch = base::LeaderEpoch(item.target->last_fetched_epoch);
    }
    request.follower = follower_;
    if (follower_) request.follower->throttled_bytes_max = may_send - throttled_bytes_;
    item.answer = item.partition->read(request);
    if (!item.answer.slice) continue;
    const auto length = static_cast<std::int64_t>(item.answer.slice->bytes.length);
    bytes_ += length;
    if (item.answer.throttled) throttled_bytes_ += length;
  }
  // Told once: what is read again while it waits says nothing new.
  if (follower_) follower_->is_progress = false;
}

// The follower does not know how far the high watermark is, and could.
bool FetchOperation::is_behind(const Item& item) const {
  return follower_ && item.answer.high_watermark > watermark_to_pass(item);
}

// Beyond this, the high watermark is news to the follower.
base::Offset FetchOperation::watermark_to_pass(const Item& item) {
  const FetchTarget& target = *item.target;
  return base::Offset(
      target.fetch_offset > target.known_high_watermark ? target.known_high_watermark : INT64_MAX);
}

bool FetchOperation::enough() const {
  if (items_.empty() || bytes_ >= bytes_min_) return true;
  return std::ranges::any_of(items_, [&](const Item& item) {
    return is_behind(item) || item.answer.cold.has_value() ||
           item.answer.error != ErrorCode::kNone || item.answer.diverging.has_value() ||
           item.answer.read_there.has_value();
  });
}

void FetchOperation::run() {
  read();
  if (!enough() && reactor_.executor.now() < deadline_) {
    park();
    if (parked_) return;
    // More became visible between the read and the wait, or was there beyond the limits: what can
    // be had now is the answer.
    read();
  }
  finish();
}

void FetchOperation::finish() {
  stop_waiting();
  if (warm_up()) answer();
}

void FetchOperation::park() {
  parked_ = true;
  base::Instant wake_at = deadline_;
  for (std::size_t i = 0; i < items_.size(); ++i) {
    Item& item = items_[i];
    if (item.waiting) continue;
    if (item.answer.held_back) {
      // There is more than it may be sent: it is time that it waits for.
      const base::Instant now = reactor_.executor.now();
      wake_at = std::min(wake_at, now + node_.throttles.leader.wait(now) + kThrottlePause);
      continue;
    }
    // Behind what was just read; without data, behind the position itself.
    const base::Offset from =
        item.answer.slice ? item.answer.slice->end_bound : base::Offset(item.target->fetch_offset);
    if (follower_
            ? item.partition->await_written(from, watermark_to_pass(item), reactor_.executor,
                                            shared_from_this(), i)
            : item.partition->await_visible(
                  {.from = from, .read_committed = read_committed_, .any_replica = any_replica_},
                  reactor_.executor, shared_from_this(), i)) {
      parked_ = false;
      return;
    }
    item.waiting = true;
  }
  if (!timer_.is_set()) reactor_.executor.timers().set(timer_, wake_at);
}

void FetchOperation::on_partition_event(std::uint64_t tag, ErrorCode) {
  items_[tag].waiting = false;
  if (answered_ || !parked_) return;
  parked_ = false;
  run();
}

void FetchOperation::stop_waiting() {
  timer_.cancel();
  parked_ = false;
  for (auto& item : items_) {
    if (item.waiting) item.partition->stop_waiting(this);
    item.waiting = false;
  }
}

bool FetchOperation::warm_up() {
  if (++warm_ups_ > kWarmUpsMax) return true;
  std::vector<io::FileSlice> cold;
  for (const auto& item : items_) {
    if (item.answer.cold) cold.push_back(*item.answer.cold);
    if (!item.answer.slice || item.answer.slice->bytes.length < kProbedBytes) continue;
    if (!is_cached(item.answer.slice->bytes)) cold.push_back(item.answer.slice->bytes);
  }
  if (cold.empty()) return true;
  reactor_.executor.blocking(
      [cold = std::move(cold)] {
        for (const auto& slice : cold) slice.file->prefetch(slice.position, slice.length);
      },
      [self = shared_from_this()] {
        self->read();
        self->finish();
      });
  return false;
}

bool FetchOperation::worth_telling(const Item& item) const {
  if (!plan_.incremental || !item.target->told) return true;
  const ReadAnswer& answer = item.answer;
  return answer.slice.has_value() || answer.error != ErrorCode::kNone ||
         answer.diverging.has_value() || answer.read_there.has_value() ||
         answer.high_watermark.value() != item.target->told_high_watermark ||
         answer.last_stable.value() != item.target->told_last_stable ||
         answer.log_start.value() != item.target->told_log_start;
}

void FetchOperation::answer() {
  answered_ = true;
  wire::FetchResponse response;
  std::vector<io::FileSlice> slices;
  if (plan_.session && plan_.session->epoch() != session_epoch_) {
    // Another request went on with this session meanwhile: its targets are no longer ours.
    response.error_code = ErrorCode::kInvalidFetchSessionEpoch;
    return reply_(response);
  }
  if (plan_.session) response.session_id = plan_.session->id();
  for (auto& item : items_) {
    if (worth_telling(item)) tell(item, response, slices);
  }
  if (plan_.session) {
    for (auto& item : items_) {
      if (!item.answer.slice) continue;
      const FetchKey key = item.target->key;
      plan_.session->move_to_back(key);
    }
  }
  reactor_.stats->fetch_bytes_out.add(static_cast<std::uint64_t>(bytes_));
  if (throttled_bytes_ > 0) {
    node_.throttles.leader.record(throttled_bytes_, reactor_.executor.now());
  }
  reply_(response, std::move(slices));
}

void FetchOperation::tell(Item& item, wire::FetchResponse& response,
                          std::vector<io::FileSlice>& slices) {
  const FetchKey& key = item.target->key;
  if (response.responses.empty() || response.responses.back().topic != key.topic ||
      response.responses.back().topic_id != key.topic_id) {
    auto& topic = response.responses.emplace_back();
    topic.topic = key.topic;
    topic.topic_id = key.topic_id;
  }
  auto& out = response.responses.back().partitions.emplace_back();
  ReadAnswer& answer = item.answer;
  out.partition_index = key.partition;
  out.error_code = answer.error;
  out.high_watermark = answer.high_watermark.value();
  out.last_stable_offset = answer.last_stable.value();
  out.log_start_offset = answer.log_start.value();
  if (with_hints_ && LeaderHints::wants(answer.error)) {
    LeaderHints(node_, listener_)
        .add(key.topic_id, key.topic, key.partition, out.current_leader, response.node_endpoints);
  }
  if (answer.read_there) out.preferred_read_replica = answer.read_there->value();
  if (answer.diverging) {
    out.diverging_epoch.epoch = answer.diverging->leader_epoch.value();
    out.diverging_epoch.end_offset = answer.diverging->start.value();
  }
  if (read_committed_) {
    out.aborted_transactions.emplace();
    for (const auto& aborted : answer.aborted) {
      out.aborted_transactions->push_back({.producer_id = aborted.producer_id.value(),
                                           .first_offset = aborted.first_offset.value()});
    }
  }
  if (answer.slice) {
    out.records = wire::Records::external(answer.slice->bytes.length,
                                          static_cast<std::uint32_t>(slices.size()));
    slices.push_back(answer.slice->bytes);
    if (!follower_) item.partition->note_fetched(answer.slice->bytes.length);
  } else {
    out.records = wire::Records::of({});
  }
  item.target->told = true;
  item.target->told_high_watermark = answer.high_watermark.value();
  item.target->told_last_stable = answer.last_stable.value();
  item.target->told_log_start = answer.log_start.value();
}

}  // namespace broker::api
