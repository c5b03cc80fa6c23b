// A replica that follows: appends what its leader answers, and cuts what the leader never had.
#include <algorithm>
#include <utility>

#include "broker/log/log_directory.h"
#include "broker/node/partition.h"
#include "common/base/check.h"
#include "common/base/diag.h"
#include "common/base/mutant.h"

namespace broker {

using wire::ErrorCode;

namespace {

std::string to_text(base::Offset offset) { return std::to_string(offset.value()); }

// Otherwise what cannot be written would be fetched over and over.
bool can_write(const Log& log, LogDirectory* directory) {
  if (log.failed()) return false;
  return directory == nullptr || (!directory->failed() && !directory->health().full());
}

Followed failure(std::string why) {
  return {.kind = Followed::Kind::kFailed, .end = base::Offset(-1), .why = std::move(why)};
}

}  // namespace

const base::Uuid& Partition::directory_id() const {
  return directory_.load()->identity().directory_id;
}

bool Partition::follows_locked(base::LeaderEpoch leader_epoch) const {
  return closed_ == ErrorCode::kNone && !cutting_ && !leading_ && leader_.value() >= 0 &&
         leader_epoch == leader_epoch_;
}

FollowState Partition::follow_state() {
  std::lock_guard lock(mutex_);
  FollowState state;
  state.leader = leader_;
  state.leader_epoch = leader_epoch_;
  state.repairing = cutting_;
  if (!follows_locked(leader_epoch_) || !can_write(*log_, directory_)) return state;
  state.following = true;
  state.throttled = (!in_sync_ || MUTANT("throttle-holds-those-in-sync")) &&
                    config_->follower_throttled.holds(identity_.index, services_.self);
  state.end = log_->end_offset();
  state.log_start = log_->start_offset();
  state.high_watermark = high_watermark_;
  // What was cut off below the start is held as well as anything.
  state.fetch_offset = std::max(own_locked(), state.log_start);
  if (state.fetch_offset > state.log_start) {
    state.last_fetched_epoch = log_->epochs().epoch_at(state.fetch_offset - 1);
  }
  return state;
}

Followed Partition::take_from_leader(const LeaderAnswer& answer) {
  Woken woken;
  Followed followed;
  {
    std::lock_guard lock(mutex_);
    if (!follows_locked(answer.leader_epoch)) return {.kind = Followed::Kind::kStale};
    if (log_->failed()) return failure(log_->failed()->what);
    if (answer.out_of_range || answer.diverging) return {.kind = Followed::Kind::kNeedsTruncation};
    const auto accepted = accept_batches(
        answer.records, {.end = log_->end_offset(),
                         .leader_epoch = answer.leader_epoch,
                         .epoch_at = [this](auto at) {
                           return at < log_->start_offset() ? std::nullopt
                                                            : log_->epochs().epoch_at(at);
                         }});
    if (!accepted) return failure(name().to_string() + ": " + accepted.error());
    parted_at_ = accepted->parted_at;
    if (parted_at_) return {.kind = Followed::Kind::kNeedsTruncation};
    if (!accepted->batches.empty()) {
      const auto appended = log_->append_as_follower(accepted->batches, services_.clock->wall_ms());
      if (!appended) return failure(appended.error().what);
      after_write_locked(appended->bytes, appended->rolled);
      followed.kind = Followed::Kind::kAppended;
    }
    // No further than the logs are known to agree.
    const base::Offset agreed = std::max(answer.fetch_offset, accepted->agreed);
    const base::Offset known = MUTANT("replica-trusts-watermark")
                                   ? log_->end_offset()
                                   : std::min({answer.high_watermark, agreed, log_->end_offset()});
    high_watermark_ = std::max(high_watermark_, known);
    leader_watermark_ = answer.high_watermark;
    if (answer.log_start > log_->start_offset()) {
      // Made durable, and the files removed, with the next checkpoint (Hosting).
      (void)log_->advance_start(std::min(answer.log_start, log_->end_offset()));
      high_watermark_ = std::max(high_watermark_, log_->start_offset());
    }
    followed.end = log_->end_offset();
    woken = settle_locked();
  }
  tell(std::move(woken));
  return followed;
}

// ---- cutting

void Partition::repair(LeaderAnswer answer, io::Executor& home,
                       std::move_only_function<void(Followed)> done) {
  answer.records = {};
  auto result = std::make_shared<Followed>();
  home.blocking([self = shared_from_this(), answer, result] { *result = self->cut_log(answer); },
                [result, done = std::move(done)]() mutable { done(std::move(*result)); });
}

std::expected<Partition::Cut, std::string> Partition::plan_cut_locked(
    const LeaderAnswer& answer) const {
  if (answer.out_of_range) {
    if (answer.log_start.value() < 0) return std::unexpected("the leader names no start");
    return Cut{answer.log_start, true};
  }
  if (!answer.diverging) {
    if (parted_at_) return Cut{*parted_at_, *parted_at_ < log_->start_offset()};
    return std::unexpected("the leader's log has not parted from ours");
  }
  std::optional<EpochEnd> ours;
  if (const auto found = log_->end_offset_for_epoch(answer.diverging->leader_epoch)) {
    ours = EpochEnd{found->leader_epoch, found->start};
  }
  const base::Offset to = cut_of(*answer.diverging, ours, log_->end_offset(), high_watermark_);
  if (to >= log_->end_offset()) return std::unexpected("there is nothing to cut");
  if (to.value() < 0) return std::unexpected("the leader names a negative end");
  return Cut{to, to < log_->start_offset()};
}

Followed Partition::cut_log(const LeaderAnswer& answer) {
  Cut cut;
  {
    std::lock_guard lock(mutex_);
    if (settling_) return failure(name().to_string() + " is moving to another log directory");
    if (!follows_locked(answer.leader_epoch)) return {.kind = Followed::Kind::kStale};
    if (log_->failed()) return failure(log_->failed()->what);
    auto planned = plan_cut_locked(answer);
    if (!planned) return failure(name().to_string() + ": " + planned.error());
    cut = *planned;
    bounds_before_cut_ = bounds_locked();
    cutting_ = true;
    ++works_under_way_;
  }
  const auto carried_out = carry_out(cut);
  Woken woken;
  {
    std::lock_guard lock(mutex_);
    cutting_ = false;
    work_ended_locked();
    if (cut.fully && carried_out) high_watermark_ = cut.to;
    high_watermark_ = std::min(high_watermark_, log_->end_offset());
    parted_at_.reset();
    if (config_after_cut_) log_->set_config(*std::exchange(config_after_cut_, std::nullopt));
    if (closed_ == ErrorCode::kNone) {
      if (auto role = std::exchange(role_after_cut_, std::nullopt)) {
        become_locked(role->first, role->second, woken);
      } else {
        woken = settle_locked();
      }
    }
  }
  cut_ended_.notify_all();
  tell(std::move(woken));
  if (!carried_out) return failure(carried_out.error().what);
  return {.kind = Followed::Kind::kRepaired, .end = cut.to};
}

// Nobody else touches the log meanwhile. Recovery must not look for what will be gone: its point
// falls first.
io::IoResult<void> Partition::carry_out(const Cut& cut) {
  const base::WallMs now = services_.clock->wall_ms();
  LogDirectory& directory = *directory_;
  services_.diag->info("replica",
                       cut.fully ? "a log starts over where its leader's does"
                                 : "a log is cut where its leader's parted from it",
                       {{"partition", name().to_string()},
                        {"end", to_text(log_->end_offset())},
                        {"to", to_text(cut.to)},
                        {"high_watermark", to_text(bounds_before_cut_.visible)}});
  const base::Offset point = cut.fully ? base::Offset(0) : std::min(log_->recovery_point(), cut.to);
  directory.note_recovery_point(name(), point);
  if (auto wrote = directory.write_recovery_points(); !wrote) return wrote;
  auto done =
      cut.fully ? log_->truncate_fully_and_start_at(cut.to, now) : log_->truncate_to(cut.to, now);
  if (!done || !cut.fully) return done;
  directory.note_start(name(), cut.to);
  if (auto wrote = directory.write_starts(); !wrote) return wrote;
  log_->mark_start_durable(cut.to);
  return {};
}

}  // namespace broker
