#include "broker/node/fetch_loop.h"

#include <algorithm>
#include <utility>

#include "common/base/mutant.h"

namespace broker {
namespace {

using wire::ErrorCode;

constexpr std::int16_t kVersion = 17;
// Beyond the time that the leader may let us wait.
constexpr base::Duration kPatience = std::chrono::seconds(5);

// These pass by themselves as the metadata reaches both sides: no line for operators.
bool is_passing(ErrorCode error) {
  return error == ErrorCode::kNotLeaderOrFollower || error == ErrorCode::kFencedLeaderEpoch ||
         error == ErrorCode::kUnknownLeaderEpoch || error == ErrorCode::kUnknownTopicId ||
         error == ErrorCode::kUnknownTopicOrPartition || error == ErrorCode::kReplicaNotAvailable;
}

}  // namespace

FetchLoop::FetchLoop(io::Executor& executor, io::Net& net, base::Diag& diag, base::Random random,
                     Options options)
    : executor_(executor),
      diag_(diag),
      random_(random),
      options_(std::move(options)),
      connection_(std::make_unique<PeerConnection>(
          executor, net, diag, random_.split("connection"),
          PeerConnection::Options{
              .client_id = "broker-" + std::to_string(options_.self.value()) + "-fetcher",
              .frame_bytes_max = options_.frame_bytes_max,
              .request_timeout = options_.wait_max + kPatience})),
      rest_timer_([this] { end_rests(); }),
      interrupt_timer_([this] { interrupt(); }),
      pause_timer_([this] { step(); }) {}

FetchLoop::~FetchLoop() = default;

void FetchLoop::stop() {
  stopped_ = true;
  for (auto& [key, item] : items_) drop_wait(item);
  items_.clear();
  in_session_ = 0;
  tags_.clear();
  rest_timer_.cancel();
  interrupt_timer_.cancel();
  pause_timer_.cancel();
  connection_ = nullptr;
}

// ---- what to follow

void FetchLoop::set_leader(std::optional<io::Address> address, bool is_new_process) {
  if (stopped_) return;
  const bool moved = address && (!has_address_ || *address != connection_->address());
  has_address_ = address.has_value();
  if (!moved && !is_new_process) return;
  connection_->abort();
  if (address) connection_->set_address(*address);
  connection_->forget_failures();
  drop_session();
  if (phase_ == Phase::kAsking) phase_ = Phase::kIdle;
  pause_timer_.cancel();
  go_on_soon();
}

void FetchLoop::assign(std::vector<Assignment> assignments) {
  if (stopped_) return;
  for (Assignment& each : assignments) {
    Item& item = items_[each.key];
    drop_wait(item);
    if (item.state == Item::State::kResting) resting_.erase({item.rest_until, each.key});
    tags_.erase(item.tag);
    item.follower = std::move(each.follower);
    item.tag = next_tag_++;
    tags_.emplace(item.tag, each.key);
    item.state = Item::State::kReady;
    item.failures = 0;
    dirty_.insert(each.key);
  }
  go_on_soon();
}

void FetchLoop::remove(const std::vector<FollowKey>& keys) {
  if (stopped_) return;
  for (const FollowKey& key : keys) {
    const auto at = items_.find(key);
    if (at == items_.end()) continue;
    forget(at);
    drop_wait(at->second);
    if (at->second.state == Item::State::kResting) resting_.erase({at->second.rest_until, key});
    tags_.erase(at->second.tag);
    dirty_.erase(key);
    items_.erase(at);
  }
  if (items_.empty()) {
    connection_->abort();
    drop_session();
    phase_ = Phase::kIdle;
    interrupt_timer_.cancel();
    pause_timer_.cancel();
  } else {
    go_on_soon();
  }
}

// Behind what else was posted, so that many changes make one request.
void FetchLoop::go_on_soon() {
  if (step_posted_ || stopped_) return;
  step_posted_ = true;
  executor_.post([self = shared_from_this()] {
    self->step_posted_ = false;
    if (self->stopped_) return;
    if (self->phase_ != Phase::kAsking) return self->step();
    // A long poll is under way. Give it up, but not so often that asking is all we do.
    if (self->dirty_.empty() || self->interrupt_timer_.is_set()) return;
    const base::Duration gap =
        std::chrono::milliseconds(2) +
        std::chrono::microseconds(10) * static_cast<std::int64_t>(self->items_.size());
    const base::Instant earliest = self->asked_at_ + gap;
    if (earliest <= self->executor_.now()) return self->interrupt();
    self->executor_.timers().set(self->interrupt_timer_, earliest);
  });
}

void FetchLoop::interrupt() {
  if (phase_ != Phase::kAsking || dirty_.empty()) return;
  // A connection that is not open yet has nothing to lose: the request is only made anew.
  connection_->abort();
  drop_session();
  phase_ = Phase::kIdle;
  step();
}

// ---- asking

void FetchLoop::step() {
  interrupt_timer_.cancel();
  if (stopped_ || !has_address_ || phase_ == Phase::kAsking || pause_timer_.is_set()) return;
  if (settling_ > 0) {
    phase_ = Phase::kSettling;
    return;
  }
  phase_ = Phase::kIdle;
  wire::FetchRequest request = build();
  const bool has_any =
      std::ranges::any_of(items_, [](const auto& each) { return each.second.sent.has_value(); });
  if (!has_any) {
    // Everybody rests. What the session holds is old: the leader is asked in full next time.
    drop_session();
    return;
  }
  phase_ = Phase::kAsking;
  asked_at_ = executor_.now();
  connection_->call<wire::FetchResponse>(
      request, kVersion,
      [self = shared_from_this()](wire::FetchResponse* response, const io::IoError& error) {
        self->on_answer(response, error);
      });
}

// ---- the answer

void FetchLoop::on_answer(wire::FetchResponse* response, const io::IoError& error) {
  if (stopped_ || phase_ != Phase::kAsking) return;
  phase_ = Phase::kIdle;
  interrupt_timer_.cancel();
  if (response == nullptr) {
    if (options_.losses != nullptr) {
      options_.losses->failed(options_.leader, error, executor_.now());
    }
    // The connection knows when to try again; what was sent is unknown.
    drop_session();
    return step();
  }
  if (options_.losses != nullptr) options_.losses->heard(options_.leader);
  if (response->error_code != ErrorCode::kNone) return on_top_error(response->error_code);
  top_errors_ = 0;
  if (asked_in_full_) {
    session_id_ = response->session_id;
    session_epoch_ = 1;
  } else {
    session_epoch_ = session_epoch_ == INT32_MAX ? 1 : session_epoch_ + 1;
  }
  for (const auto& topic : response->responses) {
    for (const Data& data : topic.partitions) {
      const auto at = items_.find({topic.topic_id, data.partition_index});
      // Given up meanwhile, or given anew: what it says was asked of another assignment.
      if (at == items_.end() || !at->second.sent) continue;
      take(at, data);
    }
  }
  step();
}

void FetchLoop::on_top_error(ErrorCode error) {
  drop_session();
  // A session can be lost at any time; but a leader that refuses a new one too is in trouble.
  const std::uint32_t doublings = std::min<std::uint32_t>(top_errors_++, 16);
  if (top_errors_ == 1) return step();
  const base::Duration delay =
      std::min<base::Duration>(options_.rest_first * (1LL << doublings), options_.rest_most);
  diag_.debug("replicator", "a leader refuses to be fetched from",
              {{"leader", std::to_string(options_.leader.value())},
               {"error", std::to_string(static_cast<int>(error))}});
  executor_.timers().set(pause_timer_, executor_.now() + delay);
}

void FetchLoop::take(Items::iterator at, const Data& data) {
  LeaderAnswer answer;
  answer.leader_epoch = base::LeaderEpoch(at->second.sent->leader_epoch);
  answer.fetch_offset = base::Offset(at->second.sent->fetch_offset);
  answer.high_watermark = base::Offset(data.high_watermark);
  answer.log_start = base::Offset(data.log_start_offset);
  if (data.error_code == ErrorCode::kOffsetOutOfRange && data.log_start_offset >= 0) {
    answer.out_of_range = true;
    return take_good(at, answer);
  }
  if (data.error_code != ErrorCode::kNone) {
    if (MUTANT("repl-ignores-errors")) return;
    return rest(
        at, is_passing(data.error_code)
                ? ""
                : "the leader answers error " + std::to_string(static_cast<int>(data.error_code)));
  }
  answer.records = data.records.bytes;
  if (data.diverging_epoch.epoch >= 0) {
    answer.diverging = EpochEnd{.leader_epoch = base::LeaderEpoch(data.diverging_epoch.epoch),
                                .end = base::Offset(data.diverging_epoch.end_offset)};
  }
  take_good(at, answer);
}

void FetchLoop::take_good(Items::iterator at, const LeaderAnswer& answer) {
  const Followed outcome = at->second.follower->take_from_leader(answer);
  if (at->second.throttled && options_.throttle && !answer.records.empty()) {
    options_.throttle->record(static_cast<std::int64_t>(answer.records.size()), executor_.now());
  }
  switch (outcome.kind) {
    case Followed::Kind::kAppended:
      at->second.failures = 0;
      dirty_.insert(at->first);
      return wait_for_flush(at, /*settle=*/true);
    case Followed::Kind::kNothing:
      at->second.failures = 0;
      dirty_.insert(at->first);  // its start may have moved
      return;
    case Followed::Kind::kStale:
    case Followed::Kind::kRepaired:
      dirty_.insert(at->first);
      return;
    case Followed::Kind::kNeedsTruncation:
      return repair(at, answer);
    case Followed::Kind::kFailed:
      return rest(at, outcome.why);
  }
}

void FetchLoop::wait_for_flush(Items::iterator at, bool settle) {
  Item& item = at->second;
  if (MUTANT("repl-fetches-before-flush")) return;
  const FollowState state = item.follower->follow_state();
  if (state.fetch_offset >= state.end) return;  // durable, or durability asks for no flush
  if (item.follower->await_flushed(state.end, executor_, shared_from_this(), item.tag)) return;
  item.state = Item::State::kFlushing;
  item.settling = settle;
  if (settle) ++settling_;
}

void FetchLoop::on_partition_event(std::uint64_t tag, ErrorCode error) {
  const auto at = by_tag(tag);
  if (stopped_ || at == items_.end() || at->second.state != Item::State::kFlushing) return;
  Item& item = at->second;
  item.state = Item::State::kReady;
  if (std::exchange(item.settling, false)) --settling_;
  if (error == ErrorCode::kNone) {
    dirty_.insert(at->first);
  } else {
    rest(at, "what was copied could not be made durable");
  }
  if (phase_ == Phase::kSettling && settling_ == 0) return step();
  if (phase_ != Phase::kSettling) go_on_soon();
}

void FetchLoop::repair(Items::iterator at, LeaderAnswer answer) {
  answer.records = {};
  at->second.state = Item::State::kRepairing;
  forget(at);
  const std::string name = at->second.follower->name();
  diag_.info("replicator", "cutting off what the leader does not have",
             {{"partition", name}, {"leader", std::to_string(options_.leader.value())}});
  at->second.follower->repair(answer, executor_,
                              [self = shared_from_this(), tag = at->second.tag](Followed outcome) {
                                self->on_repaired(tag, outcome);
                              });
}

void FetchLoop::on_repaired(std::uint64_t tag, const Followed& outcome) {
  const auto at = by_tag(tag);
  if (stopped_ || at == items_.end() || at->second.state != Item::State::kRepairing) return;
  at->second.state = Item::State::kReady;
  if (outcome.kind == Followed::Kind::kFailed) return rest(at, outcome.why);
  dirty_.insert(at->first);
  go_on_soon();
}

}  // namespace broker
