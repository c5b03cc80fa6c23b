#include "broker/node/txn_shard.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "broker/node/log_reader.h"
#include "broker/node/producer_ids.h"
#include "common/base/check.h"
#include "common/record/builder.h"

namespace broker {
namespace {

using std::chrono::milliseconds;
using wire::ErrorCode;

// A tag for the log: which core, which append of it.
constexpr int kNumberBits = 40;
constexpr txn::AppendNumber kLoading{0};

constexpr milliseconds kReloadPauseMin{100};
constexpr milliseconds kReloadPauseMax{10'000};
// How long a request may wait for the log. A producer's own patience is longer.
constexpr milliseconds kCommitTimeout{15'000};

base::Bytes encode_batch(const txn::Append& append) {
  record::BatchBuilder batch;
  for (const txn::Record& record : append.records) {
    batch.add(append.timestamp_ms, base::BytesView(record.key),
              record.value ? std::optional<base::BytesView>(*record.value) : std::nullopt);
  }
  return batch.build();
}

bool is_end_of_leadership(ErrorCode error) {
  return error == ErrorCode::kNotLeaderOrFollower || error == ErrorCode::kUnknownTopicOrPartition ||
         error == ErrorCode::kFencedLeaderEpoch;
}

void give(io::Executor& back, TxnDone done, TxnAnswer answer) {
  if (back.here()) return done(std::move(answer));
  back.post(
      [done = std::move(done), answer = std::move(answer)]() mutable { done(std::move(answer)); });
}

}  // namespace

struct TxnShard::Loaded {
  std::unique_ptr<txn::TxnCoordinator> core;
  std::expected<LoadReport, std::string> result;
  std::uint64_t incarnation = 0;
};

// What other threads may read.
struct TxnShard::Published {
  std::atomic<bool> loading{true};
  std::atomic<std::uint64_t> ids{0};
  std::atomic<std::uint64_t> open{0};
  std::atomic<std::uint64_t> committed{0};
  std::atomic<std::uint64_t> aborted{0};
  std::atomic<std::uint64_t> timed_out{0};
  std::atomic<std::uint64_t> expired_ids{0};
};

TxnShard::TxnShard(Node& node, Reactor& reactor, std::shared_ptr<Partition> partition,
                   base::LeaderEpoch leader_epoch)
    : node_(node),
      reactor_(reactor),
      partition_(std::move(partition)),
      leader_epoch_(leader_epoch),
      published_(std::make_unique<Published>()) {
  timer_.on_fire([this] { on_timer(); });
}

TxnShard::~TxnShard() = default;

txn::Config TxnShard::core_config() const {
  const config::BrokerConfig& broker = node_.config;
  const auto topic = partition_->config();
  return {.timeout_ms_max = broker.transaction_max_timeout_ms,
          .expiration = milliseconds(broker.transactional_id_expiration_ms),
          .timeout_check = milliseconds(broker.transaction_abort_check_interval_ms),
          .expiration_check = milliseconds(broker.transaction_expiry_check_interval_ms),
          .batch_bytes_max =
              static_cast<std::size_t>(std::min(topic->max_message_bytes, topic->segment_bytes))};
}

std::uint64_t TxnShard::tag(txn::AppendNumber number) const {
  CHECK(number.value() >> kNumberBits == 0);
  return incarnation_ << kNumberBits | number.value();
}

// ---- any thread

void TxnShard::post(void (TxnShard::*work)()) {
  reactor_.executor.post([self = shared_from_this(), work] { (self.get()->*work)(); });
}

void TxnShard::start() { post(&TxnShard::load); }

void TxnShard::stop() { post(&TxnShard::end); }

void TxnShard::ask(TxnRequest request, io::Executor& back, TxnDone done) {
  if (reactor_.executor.here()) return handle(std::move(request), back, std::move(done));
  reactor_.executor.post([self = shared_from_this(), request = std::move(request), &back,
                          done = std::move(done)]() mutable {
    self->handle(std::move(request), back, std::move(done));
  });
}

void TxnShard::add_to(TxnCoordinators::Totals& totals) const {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  ++totals.shards;
  if (published_->loading.load(kRelaxed)) ++totals.shards_loading;
  totals.ids += published_->ids.load(kRelaxed);
  totals.open += published_->open.load(kRelaxed);
  totals.stats.committed += published_->committed.load(kRelaxed);
  totals.stats.aborted += published_->aborted.load(kRelaxed);
  totals.stats.timed_out += published_->timed_out.load(kRelaxed);
  totals.stats.expired_ids += published_->expired_ids.load(kRelaxed);
}

void TxnShard::publish() {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  published_->loading.store(state_ == State::kLoading, kRelaxed);
  if (core_ == nullptr) return;
  const txn::Stats& stats = core_->stats();
  published_->ids.store(core_->transactions().size(), kRelaxed);
  published_->open.store(core_->open_count(), kRelaxed);
  published_->committed.store(stats.committed, kRelaxed);
  published_->aborted.store(stats.aborted, kRelaxed);
  published_->timed_out.store(stats.timed_out, kRelaxed);
  published_->expired_ids.store(stats.expired_ids, kRelaxed);
}

// ---- loading

void TxnShard::load() {
  if (state_ == State::kStopped) return;
  state_ = State::kLoading;
  ++incarnation_;
  publish();
  if (partition_ == nullptr) return end();
  // What an earlier core appended counts once it is committed: before, it could be taken back.
  const base::Offset end = partition_->bounds().end;
  if (partition_->await_committed(end, reactor_.executor, shared_from_this(), tag(kLoading))) {
    read_log();
  }
}

void TxnShard::read_log() {
  auto loaded = std::make_shared<Loaded>();
  loaded->core = std::make_unique<txn::TxnCoordinator>(core_config());
  loaded->incarnation = incarnation_;
  reactor_.executor.blocking(
      [loaded, partition = partition_] {
        loaded->result = read_batches(*partition, [&](const record::BatchView& batch) {
          if (batch.is_control()) return std::string();
          return for_each_record(batch, [&](const record::RecordView& record) {
            if (record.key) loaded->core->replay(*record.key, record.value);
          });
        });
      },
      [self = shared_from_this(), loaded] { self->on_loaded(*loaded); });
}

void TxnShard::on_loaded(Loaded& loaded) {
  if (state_ != State::kLoading || loaded.incarnation != incarnation_) return;
  if (!loaded.result) {
    node_.diag.error(
        "transactions", "the transactions of a partition could not be loaded, trying again",
        {{"partition", partition_->name().to_string()}, {"error", loaded.result.error()}});
    return reload(ErrorCode::kNone);
  }
  core_ = std::move(loaded.core);
  told_waiting_ = false;
  state_ = State::kServing;
  if (core_->malformed_records() > 0) {
    node_.diag.warn("transactions", "records that say nothing were passed over",
                    {{"partition", partition_->name().to_string()},
                     {"records", std::to_string(core_->malformed_records())}});
  }
  sender_ = std::make_shared<MarkerSender>(
      node_, reactor_, leader_epoch_.value(),
      [weak = weak_from_this(), incarnation = incarnation_](txn::OrderNumber number,
                                                            const std::string& id) {
        const auto self = weak.lock();
        if (self == nullptr || self->incarnation_ != incarnation || self->core_ == nullptr) return;
        txn::Output out;
        self->core_->on_markers_written(number, id, self->node_.clock.wall_ms(), out);
        self->take(std::move(out));
      });
  txn::Output out;
  core_->finish_replay(reactor_.executor.now(), node_.clock.wall_ms(), out);
  take(std::move(out));
}

// ---- serving

void TxnShard::handle(TxnRequest request, io::Executor& back, TxnDone done) {
  if (state_ != State::kServing) {
    return give(back, std::move(done),
                std::unexpected(state_ == State::kLoading ? ErrorCode::kCoordinatorLoadInProgress
                                                          : ErrorCode::kNotCoordinator));
  }
  const txn::Token token = next_token_;
  next_token_ = next_token_ + 1;
  waiting_.emplace(token, Waiting{&back, std::move(done)});
  const txn::Call call{
      .token = token, .now = reactor_.executor.now(), .wall_ms = node_.clock.wall_ms()};
  txn::Output out;
  std::visit([&](const auto& each) { core_->handle(call, each, out); }, request);
  take(std::move(out));
}

// Carries out what the core decided. Answers come last: they may bring the next request.
void TxnShard::take(txn::Output out) {
  for (txn::Append& append : out.append) pending_.push_back(std::move(append));
  if (!pending_.empty() && !append_posted_) {
    append_posted_ = true;
    post(&TxnShard::append_pending);
  }
  if (out.wants_producer_id) ask_for_id();
  publish();
  arm();
  const auto sender = sender_;
  for (txn::MarkerOrder& order : out.markers) sender->send(std::move(order));
  deliver(std::move(out.reply));
}

void TxnShard::deliver(std::vector<txn::Reply> replies) {
  auto self = shared_from_this();
  for (txn::Reply& reply : replies) {
    auto waiting = waiting_.extract(reply.token);
    CHECK(!waiting.empty());
    give(*waiting.mapped().back, std::move(waiting.mapped().done), std::move(reply.response));
  }
}

void TxnShard::ask_for_id() {
  node_.producer_ids->next(
      reactor_.executor, [self = shared_from_this(), incarnation = incarnation_](
                             std::expected<base::ProducerId, ErrorCode> id) {
        if (self->incarnation_ != incarnation || self->core_ == nullptr) return;
        txn::Output out;
        std::variant<base::ProducerId, ErrorCode> given = ErrorCode::kCoordinatorLoadInProgress;
        if (id) given = *id;
        self->core_->give_producer_id(given, self->reactor_.executor.now(),
                                      self->node_.clock.wall_ms(), out);
        self->take(std::move(out));
      });
}

void TxnShard::append_pending() {
  append_posted_ = false;
  if (state_ != State::kServing || pending_.empty()) return;
  const std::vector<txn::Append> appends = std::exchange(pending_, {});
  std::vector<base::Bytes> bytes;
  std::vector<BatchAppend> batches(appends.size());
  std::vector<BatchAppend*> all;
  bytes.reserve(appends.size());
  for (std::size_t i = 0; i < appends.size(); ++i) {
    bytes.push_back(encode_batch(appends[i]));
    batches[i].batch = bytes.back();
    batches[i].acks_all = true;
    all.push_back(&batches[i]);
  }
  partition_->append(all, node_.clock.wall_ms(), AppendOrigin::kCoordinator);
  for (const BatchAppend& batch : batches) {
    if (batch.error != ErrorCode::kNone) return fail(batch.error);
  }
  const txn::AppendNumber newest = appends.back().number;
  if (partition_->await_committed(batches.back().end_offset, reactor_.executor, shared_from_this(),
                                  tag(newest))) {
    return on_committed(newest);
  }
  uncommitted_.push_back({.number = newest, .deadline = reactor_.executor.now() + kCommitTimeout});
  arm();
}

void TxnShard::on_partition_event(std::uint64_t about, ErrorCode error) {
  if (about >> kNumberBits != incarnation_ || state_ == State::kStopped) return;
  const txn::AppendNumber number{about & ((std::uint64_t{1} << kNumberBits) - 1)};
  if (is_end_of_leadership(error)) return end();
  if (number == kLoading) {
    if (state_ != State::kLoading) return;
    return may_load(*partition_, error) ? read_log() : load_later(error);
  }
  if (error != ErrorCode::kNone) {
    fail(error);
  } else {
    on_committed(number);
  }
}

void TxnShard::on_committed(txn::AppendNumber number) {
  if (state_ != State::kServing) return;
  failures_ = 0;
  while (!uncommitted_.empty() && uncommitted_.front().number <= number) {
    uncommitted_.pop_front();
  }
  txn::Output out;
  core_->on_committed(number, out);
  take(std::move(out));
}

// The core is ahead of the log and always will be: begin again from what the log has.
void TxnShard::fail(ErrorCode error) {
  if (state_ != State::kServing) return;
  if (is_end_of_leadership(error)) return end();
  node_.diag.warn(
      "transactions", "a write failed, loading the transactions of the partition again",
      {{"partition", partition_->name().to_string()}, {"error", std::string(name(error))}});
  reload(error);
}

void TxnShard::reload(ErrorCode error) {
  state_ = State::kLoading;
  ++incarnation_;
  base::Duration pause = kReloadPauseMin;
  for (std::uint32_t i = 0; i < failures_ && pause < kReloadPauseMax; ++i) pause *= 2;
  ++failures_;
  reactor_.executor.timers().set(
      timer_, reactor_.executor.now() + std::min<base::Duration>(pause, kReloadPauseMax));
  drop_core(error);
}

// What it waits for is mended by others, who tell nobody: asked often, said once.
void TxnShard::load_later(ErrorCode error) {
  if (!std::exchange(told_waiting_, true)) {
    node_.diag.warn(
        "transactions", "the transactions of a partition wait to be loaded",
        {{"partition", partition_->name().to_string()}, {"why", std::string(name(error))}});
  }
  reactor_.executor.timers().set(timer_, reactor_.executor.now() + kReloadPauseMin);
}

void TxnShard::end() {
  if (state_ == State::kStopped) return;
  state_ = State::kStopped;
  timer_.cancel();
  drop_core(ErrorCode::kNotLeaderOrFollower);
}

void TxnShard::drop_core(ErrorCode error) {
  txn::Output out;
  if (core_ != nullptr) core_->fail(error, out);
  if (sender_ != nullptr) sender_->stop();
  core_.reset();
  sender_.reset();
  pending_.clear();
  uncommitted_.clear();
  publish();
  deliver(std::move(out.reply));
}

// ---- time

void TxnShard::arm() {
  if (state_ != State::kServing) return;
  std::optional<base::Instant> at = core_->wake_at();
  if (!uncommitted_.empty()) {
    at = std::min(at.value_or(base::Instant::max()), uncommitted_.front().deadline);
  }
  if (!at) return timer_.cancel();
  if (timer_.is_set() && timer_.deadline() == *at) return;
  reactor_.executor.timers().set(timer_, *at);
}

void TxnShard::on_timer() {
  if (state_ == State::kLoading) return load();
  if (state_ != State::kServing) return;
  const base::Instant now = reactor_.executor.now();
  txn::Output out;
  for (; !uncommitted_.empty() && uncommitted_.front().deadline <= now; uncommitted_.pop_front()) {
    core_->give_up_waiting(uncommitted_.front().number, out);
  }
  core_->step(now, node_.clock.wall_ms(), out);
  take(std::move(out));
}

}  // namespace broker
