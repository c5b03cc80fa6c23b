#include "broker/node/coordinator_shard.h"

#include <algorithm>
#include <utility>

#include "broker/node/group_topics.h"
#include "common/base/check.h"
#include "common/io/clock.h"

namespace broker {
namespace {

using wire::ErrorCode;

// A tag for the log: which core, which append of it.
constexpr int kNumberBits = 40;
constexpr group::AppendNumber kLoading{0};

constexpr std::chrono::milliseconds kReloadPauseMin{100};
constexpr std::chrono::milliseconds kReloadPauseMax{10'000};
constexpr std::chrono::milliseconds kRefuseWritesMin{1'000};
constexpr std::chrono::milliseconds kRefuseWritesMax{60'000};

base::Duration doubled(base::Duration first, std::uint32_t times, base::Duration most) {
  base::Duration pause = first;
  for (std::uint32_t i = 0; i < times && pause < most; ++i) pause *= 2;
  return std::min(pause, most);
}

// Requests whose every success is a record.
bool always_writes(const GroupRequest& request) {
  return std::holds_alternative<wire::SyncGroupRequest>(request) ||
         std::holds_alternative<group::CommitOffsets>(request) ||
         std::holds_alternative<group::DeleteGroup>(request) ||
         std::holds_alternative<group::DeleteOffsets>(request) ||
         std::holds_alternative<group::EndTransaction>(request);
}

// Requests of classic members, who may be in a group that decides by topics.
bool needs_topics(const GroupRequest& request) {
  return std::holds_alternative<wire::JoinGroupRequest>(request) ||
         std::holds_alternative<wire::SyncGroupRequest>(request) ||
         std::holds_alternative<wire::LeaveGroupRequest>(request) ||
         std::holds_alternative<group::ConsumerHeartbeat>(request);
}

bool is_end_of_leadership(ErrorCode error) {
  return error == ErrorCode::kNotLeaderOrFollower || error == ErrorCode::kUnknownTopicOrPartition ||
         error == ErrorCode::kFencedLeaderEpoch;
}

void give(io::Executor& back, GroupDone done, GroupAnswer answer) {
  if (back.here()) return done(std::move(answer));
  back.post(
      [done = std::move(done), answer = std::move(answer)]() mutable { done(std::move(answer)); });
}

}  // namespace

struct CoordinatorShard::Loaded {
  std::unique_ptr<group::GroupCoordinator> core;
  std::expected<LoadReport, std::string> result;
  std::uint64_t incarnation = 0;
};

// What other threads may read.
struct CoordinatorShard::Published {
  std::atomic<bool> loading{true};
  std::atomic<std::uint64_t> groups{0};
  std::atomic<std::uint64_t> rebalances{0};
  std::atomic<std::uint64_t> offset_commits{0};
  std::atomic<std::uint64_t> offsets_expired{0};
  std::atomic<std::uint64_t> members_expired{0};
};

CoordinatorShard::CoordinatorShard(Node& node, io::Executor& executor,
                                   std::shared_ptr<Partition> partition,
                                   base::LeaderEpoch leader_epoch, base::Random random)
    : node_(node),
      executor_(executor),
      partition_(std::move(partition)),
      leader_epoch_(leader_epoch),
      random_(random),
      published_(std::make_unique<Published>()) {
  timer_.on_fire([this] { on_timer(); });
}

CoordinatorShard::~CoordinatorShard() = default;

std::uint64_t CoordinatorShard::tag(group::AppendNumber number) const {
  CHECK(number.value() >> kNumberBits == 0);
  return incarnation_ << kNumberBits | number.value();
}

// ---- any thread

void CoordinatorShard::post(void (CoordinatorShard::*work)()) {
  executor_.post([self = shared_from_this(), work] { (self.get()->*work)(); });
}

void CoordinatorShard::start() { post(&CoordinatorShard::load); }

void CoordinatorShard::stop() { post(&CoordinatorShard::end); }

void CoordinatorShard::ask(GroupCaller caller, GroupRequest request, GroupDone done) {
  if (executor_.here()) return handle(std::move(caller), std::move(request), std::move(done));
  executor_.post([self = shared_from_this(), caller = std::move(caller),
                  request = std::move(request), done = std::move(done)]() mutable {
    self->handle(std::move(caller), std::move(request), std::move(done));
  });
}

void CoordinatorShard::topic_deleted(std::string topic, base::Uuid topic_id) {
  executor_.post([self = shared_from_this(), topic = std::move(topic), topic_id]() mutable {
    if (self->state_ == State::kLoading) {
      return self->deleted_while_loading_.emplace_back(std::move(topic), topic_id), void();
    }
    if (self->state_ != State::kServing) return;
    group::Output out;
    self->core_->on_topic_deleted(topic, topic_id, self->node_.clock.wall_ms(), out);
    self->take(std::move(out));
  });
}

void CoordinatorShard::add_to(GroupCoordinators::Totals& totals) const {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  ++totals.shards;
  if (published_->loading.load(kRelaxed)) ++totals.shards_loading;
  totals.groups += published_->groups.load(kRelaxed);
  totals.stats.rebalances += published_->rebalances.load(kRelaxed);
  totals.stats.offset_commits += published_->offset_commits.load(kRelaxed);
  totals.stats.offsets_expired += published_->offsets_expired.load(kRelaxed);
  totals.stats.members_expired += published_->members_expired.load(kRelaxed);
}

void CoordinatorShard::publish() {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  published_->loading.store(state_ == State::kLoading, kRelaxed);
  if (core_ == nullptr) return;
  const group::Stats& stats = core_->stats();
  published_->groups.store(core_->groups().size(), kRelaxed);
  published_->rebalances.store(stats.rebalances, kRelaxed);
  published_->offset_commits.store(stats.offset_commits, kRelaxed);
  published_->offsets_expired.store(stats.offsets_expired, kRelaxed);
  published_->members_expired.store(stats.members_expired, kRelaxed);
}

// ---- loading

void CoordinatorShard::load() {
  if (state_ == State::kStopped) return;
  state_ = State::kLoading;
  ++incarnation_;
  publish();
  if (partition_ == nullptr) return end();
  // What an earlier core appended counts once it is durable: before, a crash could take it back.
  const base::Offset end = partition_->bounds().end;
  if (partition_->await_committed(end, executor_, shared_from_this(), tag(kLoading))) read_log();
}

void CoordinatorShard::read_log() {
  auto loaded = std::make_shared<Loaded>();
  loaded->core = std::make_unique<group::GroupCoordinator>(
      core_config(), random_.split("core " + std::to_string(incarnation_)));
  loaded->incarnation = incarnation_;
  executor_.blocking(
      [loaded, partition = partition_] { loaded->result = load_groups(*partition, *loaded->core); },
      [self = shared_from_this(), loaded] { self->on_loaded(*loaded); });
}

void CoordinatorShard::on_loaded(Loaded& loaded) {
  if (state_ != State::kLoading || loaded.incarnation != incarnation_) return;
  if (!loaded.result) return retry_load(loaded.result.error());
  core_ = std::move(loaded.core);
  told_waiting_ = false;
  state_ = State::kServing;
  if (core_->malformed_records() > 0) {
    node_.diag.warn("groups", "records that say nothing were passed over",
                    {{"partition", partition_->name().to_string()},
                     {"records", std::to_string(core_->malformed_records())}});
  }
  group::Output out;
  const base::WallMs wall_ms = node_.clock.wall_ms();
  core_->finish_replay(executor_.now(), wall_ms, out);
  for (const auto& [topic, id] : std::exchange(deleted_while_loading_, {})) {
    core_->on_topic_deleted(topic, id, wall_ms, out);
  }
  take(std::move(out));
}

void CoordinatorShard::retry_load(const std::string& why) {
  node_.diag.error("groups", "the groups of a partition could not be loaded, trying again",
                   {{"partition", partition_->name().to_string()}, {"error", why}});
  const auto pause = doubled(kReloadPauseMin, failures_++, kReloadPauseMax);
  executor_.timers().set(timer_, executor_.now() + pause);
}

// What it waits for is mended by others, who tell nobody: asked often, said once.
void CoordinatorShard::load_later(ErrorCode error) {
  if (is_end_of_leadership(error)) return end();
  if (!std::exchange(told_waiting_, true)) {
    node_.diag.warn(
        "groups", "the groups of a partition wait to be loaded",
        {{"partition", partition_->name().to_string()}, {"why", std::string(wire::name(error))}});
  }
  executor_.timers().set(timer_, executor_.now() + kReloadPauseMin);
}

// ---- serving

ErrorCode CoordinatorShard::refusal(const GroupRequest& request) const {
  switch (state_) {
    case State::kLoading:
      return ErrorCode::kCoordinatorLoadInProgress;
    case State::kStopped:
      return ErrorCode::kNotCoordinator;
    case State::kServing:
      break;
  }
  const bool refused = always_writes(request) && executor_.now() < writes_refused_until_;
  return refused ? group::coordinator_error(write_error_) : ErrorCode::kNone;
}

void CoordinatorShard::handle(GroupCaller caller, GroupRequest request, GroupDone done) {
  ErrorCode error = refusal(request);
  if (error == ErrorCode::kNone) error = check_producer(request);
  if (error == ErrorCode::kCoordinatorLoadInProgress &&
      std::holds_alternative<wire::HeartbeatRequest>(request)) {
    // It may well be a member: as in Kafka it is let off until we know.
    return give(*caller.back, std::move(done), group::Response(wire::HeartbeatResponse{}));
  }
  if (error != ErrorCode::kNone) {
    return give(*caller.back, std::move(done), std::unexpected(error));
  }
  const group::Token token = next_token_;
  next_token_ = next_token_ + 1;
  waiting_.emplace(token, Waiting{caller.back, std::move(done)});
  const group::Call call{.token = token,
                         .version = caller.version,
                         .client_id = std::move(caller.client_id),
                         .client_host = std::move(caller.client_host),
                         .now = executor_.now(),
                         .wall_ms = node_.clock.wall_ms()};
  if (needs_topics(request)) core_->see_topics(group_topics(node_.image()));
  group::Output out;
  std::visit([&](const auto& each) { core_->handle(call, each, out); }, request);
  take(std::move(out));
}

// Carries out what the core decided. Answers come last: they may bring the next request.
void CoordinatorShard::take(group::Output out) {
  for (group::Append& append : out.append) pending_.push_back(std::move(append));
  if (!pending_.empty() && !append_posted_) {
    append_posted_ = true;
    post(&CoordinatorShard::append_pending);
  }
  publish();
  arm();
  deliver(std::move(out.reply));
}

void CoordinatorShard::deliver(std::vector<group::Reply> replies) {
  auto self = shared_from_this();
  for (group::Reply& reply : replies) {
    auto waiting = waiting_.extract(reply.token);
    CHECK(!waiting.empty());
    give(*waiting.mapped().back, std::move(waiting.mapped().done), std::move(reply.response));
  }
}

void CoordinatorShard::append_pending() {
  append_posted_ = false;
  if (state_ != State::kServing || pending_.empty()) return;
  const std::vector<group::Append> appends = std::exchange(pending_, {});
  std::vector<base::Bytes> bytes;
  std::vector<BatchAppend> batches(appends.size());
  std::vector<BatchAppend*> all;
  bytes.reserve(appends.size());
  for (std::size_t i = 0; i < appends.size(); ++i) {
    bytes.push_back(encode(appends[i]));
    batches[i].batch = bytes.back();
    batches[i].acks_all = true;
    if (appends[i].marker) batches[i].transaction_version = appends[i].marker->transaction_version;
    all.push_back(&batches[i]);
  }
  partition_->append(all, node_.clock.wall_ms(), AppendOrigin::kCoordinator);
  for (const BatchAppend& batch : batches) {
    if (batch.error != ErrorCode::kNone) return fail(batch.error);
  }
  const group::AppendNumber newest = appends.back().number;
  if (partition_->await_committed(batches.back().end_offset, executor_, shared_from_this(),
                                  tag(newest))) {
    return on_committed(newest);
  }
  const auto timeout = std::chrono::milliseconds(node_.config.offsets_commit_timeout_ms);
  uncommitted_.push_back({.number = newest, .deadline = executor_.now() + timeout});
  arm();
}

void CoordinatorShard::on_partition_event(std::uint64_t about, ErrorCode error) {
  if (about >> kNumberBits != incarnation_ || state_ == State::kStopped) return;
  const group::AppendNumber number{about & ((std::uint64_t{1} << kNumberBits) - 1)};
  if (number == kLoading) {
    if (state_ != State::kLoading) return;
    return may_load(*partition_, error) ? read_log() : load_later(error);
  }
  if (is_end_of_leadership(error)) return end();
  if (error != ErrorCode::kNone) {
    fail(error);
  } else {
    on_committed(number);
  }
}

void CoordinatorShard::on_committed(group::AppendNumber number) {
  if (state_ != State::kServing) return;
  failures_ = 0;
  while (!uncommitted_.empty() && uncommitted_.front().number <= number) {
    uncommitted_.pop_front();
  }
  group::Output out;
  core_->on_committed(number, executor_.now(), out);
  take(std::move(out));
}

// The core is ahead of the log and always will be: begin again from what the log has.
void CoordinatorShard::fail(ErrorCode error) {
  if (state_ != State::kServing) return;
  if (is_end_of_leadership(error)) return end();
  node_.diag.warn(
      "groups", "a write failed, loading the groups of the partition again",
      {{"partition", partition_->name().to_string()}, {"error", std::string(name(error))}});
  group::Output out;
  core_->fail(error, out);
  core_.reset();
  pending_.clear();
  uncommitted_.clear();
  state_ = State::kLoading;
  ++incarnation_;
  write_error_ = error;
  const base::Instant now = executor_.now();
  writes_refused_until_ = now + doubled(kRefuseWritesMin, failures_, kRefuseWritesMax);
  executor_.timers().set(timer_, now + doubled(kReloadPauseMin, failures_, kReloadPauseMax));
  ++failures_;
  publish();
  deliver(std::move(out.reply));
}

void CoordinatorShard::end() {
  if (state_ == State::kStopped) return;
  group::Output out;
  if (core_ != nullptr) core_->fail(ErrorCode::kNotLeaderOrFollower, out);
  core_.reset();
  pending_.clear();
  uncommitted_.clear();
  state_ = State::kStopped;
  timer_.cancel();
  publish();
  deliver(std::move(out.reply));
}

// ---- time

void CoordinatorShard::arm() {
  if (state_ != State::kServing) return;
  std::optional<base::Instant> at = core_->wake_at();
  if (!uncommitted_.empty()) {
    at = std::min(at.value_or(base::Instant::max()), uncommitted_.front().deadline);
  }
  if (!at) return timer_.cancel();
  if (timer_.is_set() && timer_.deadline() == *at) return;
  executor_.timers().set(timer_, *at);
}

void CoordinatorShard::on_timer() {
  if (state_ == State::kLoading) return load();
  if (state_ != State::kServing) return;
  const base::Instant now = executor_.now();
  group::Output out;
  for (; !uncommitted_.empty() && uncommitted_.front().deadline <= now; uncommitted_.pop_front()) {
    core_->give_up_waiting(uncommitted_.front().number, out);
  }
  core_->see_topics(group_topics(node_.image()));
  core_->step(now, node_.clock.wall_ms(), out);
  take(std::move(out));
}

}  // namespace broker
