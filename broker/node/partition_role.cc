// What the metadata makes of a replica, and what a leader asks to have changed.
#include <algorithm>
#include <utility>

#include "broker/node/partition.h"
#include "common/base/mutant.h"

namespace broker {

using wire::ErrorCode;

void Partition::become(PartitionRole role, base::Instant now) {
  Woken woken;
  {
    std::lock_guard lock(mutex_);
    if (closed_ != ErrorCode::kNone) return;
    if (cutting_) {
      role_after_cut_.emplace(std::move(role), now);
      return;
    }
    become_locked(role, now, woken);
  }
  tell(std::move(woken));
}

void Partition::become_locked(const PartitionRole& role, base::Instant now, Woken& woken) {
  if (role.set.leader_epoch < leader_epoch_) return;
  const bool is_new_epoch = role.set.leader_epoch > leader_epoch_;
  in_sync_ = std::ranges::find(role.set.isr, services_.self) != role.set.isr.end();
  const bool leads = role.leader == services_.self ||
                     (leading_.has_value() && MUTANT("node-leads-on-when-replaced"));
  if (!is_new_epoch && leads == leading_.has_value()) {
    leader_ = role.leader;
    if (!leading_) return;
    leading_->on_metadata(role.set);
    leading_->on_live(role.live);
  } else {
    high_watermark_ = visible_locked();
    leader_epoch_ = role.set.leader_epoch;
    leader_ = role.leader;
    leading_.reset();
    guards_.break_everything();
    parted_at_.reset();
    if (leads) {
      log_->assign_epoch(leader_epoch_, log_->end_offset());
      leading_.emplace(Leadership::Options{.self = services_.self,
                                           .lag_max = services_.lag_max,
                                           .min_in_sync = config_->min_insync_replicas},
                       role.set, role.live, log_->end_offset(), high_watermark_, now);
    } else {
      log_->drop_empty_epochs();
    }
    // Who reads is to see the new epoch; who waits for a commit goes on with a leader that stays.
    take_locked(woken, ErrorCode::kNotLeaderOrFollower, [](const Waiter& waiter) {
      return waiter.wanted != Wanted::kCommitted && waiter.wanted != Wanted::kDurable;
    });
    if (!leads) {
      take_locked(woken, ErrorCode::kNotLeaderOrFollower,
                  [](const Waiter& waiter) { return waiter.wanted == Wanted::kCommitted; });
    }
  }
  std::ranges::move(settle_locked(), std::back_inserter(woken));
}

void Partition::set_live(std::shared_ptr<const LiveBrokers> live) {
  Woken woken;
  {
    std::lock_guard lock(mutex_);
    if (role_after_cut_) role_after_cut_->first.live = live;
    if (!leading_ || closed_ != ErrorCode::kNone) return;
    leading_->on_live(std::move(live));
    woken = settle_locked();
  }
  tell(std::move(woken));
}

// ---- the in-sync set

void Partition::want_isr_change() {
  if (services_.isr_change_wanted) services_.isr_change_wanted(shared_from_this());
}

std::optional<IsrProposal> Partition::take_isr_proposal(base::Instant now) {
  std::lock_guard lock(mutex_);
  if (!leading_ || closed_ != ErrorCode::kNone) return std::nullopt;
  leading_->on_time(now);
  return leading_->propose();
}

void Partition::on_isr_answer(const IsrProposal& asked, const IsrAnswer& answer) {
  Woken woken;
  bool wants_change = false;
  {
    std::lock_guard lock(mutex_);
    if (!leading_ || closed_ != ErrorCode::kNone) return;
    leading_->on_answer(asked, answer);
    woken = settle_locked();
    wants_change = answer.kind == IsrAnswer::Kind::kDone && leading_->wants_change();
  }
  tell(std::move(woken));
  if (wants_change) want_isr_change();
}

void Partition::check_isr(base::Instant now) {
  Woken woken;
  bool wants_change = false;
  {
    std::lock_guard lock(mutex_);
    if (!leading_ || closed_ != ErrorCode::kNone) return;
    leading_->on_time(now);
    woken = settle_locked();
    wants_change = leading_->wants_change();
  }
  tell(std::move(woken));
  if (wants_change) want_isr_change();
}

std::map<base::BrokerId, Leadership::Progress> Partition::followers() {
  std::lock_guard lock(mutex_);
  return leading_ ? leading_->followers() : std::map<base::BrokerId, Leadership::Progress>();
}

}  // namespace broker
