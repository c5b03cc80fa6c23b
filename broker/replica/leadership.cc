#include "broker/replica/leadership.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"
#include "common/base/mutant.h"

namespace broker {
namespace {

// The reason (a broker fenced, a controller that changes) takes about as long to get here.
constexpr base::Duration kPauseAfterRefusal = std::chrono::milliseconds(500);
// As long as a client waits for an answer, by Kafka's request.timeout.ms.
constexpr base::Duration kNew = std::chrono::seconds(30);

bool contains(const std::vector<base::BrokerId>& brokers, base::BrokerId id) {
  return std::ranges::find(brokers, id) != brokers.end();
}

bool contains(const std::vector<IsrMember>& members, base::BrokerId id) {
  return std::ranges::find(members, id, &IsrMember::id) != members.end();
}

}  // namespace

Leadership::Leadership(const Options& options, ReplicaSet set,
                       std::shared_ptr<const LiveBrokers> live, base::Offset log_end,
                       base::Offset high_watermark, base::Instant now)
    : options_(options),
      live_(std::move(live)),
      epoch_start_(log_end),
      high_watermark_(std::min(high_watermark, log_end)),
      end_(log_end),
      began_(now),
      now_(now) {
  CHECK(live_ != nullptr);
  adopt(set);
  // Who is in sync gets its time to show up before it can be called slow.
  for (auto& [id, follower] : followers_) {
    if (contains(set_.isr, id)) follower.caught_up_at = now;
  }
}

void Leadership::adopt(const ReplicaSet& set) {
  set_ = set;
  doubtful_.clear();
  std::erase_if(followers_, [&](const auto& each) { return !contains(set_.replicas, each.first); });
  for (const base::BrokerId id : set_.replicas) {
    if (id != options_.self) followers_.try_emplace(id);
  }
}

bool Leadership::is_new(base::Instant now) const {
  return set_.leader_epoch > base::LeaderEpoch(0) && set_.replicas.size() > 1 &&
         now - began_ < kNew;
}

bool Leadership::has_enough_in_sync() const {
  if (MUTANT("replica-needs-nobody-in-sync")) return true;
  const auto wanted =
      std::min(static_cast<std::size_t>(std::max(options_.min_in_sync, 1)), set_.replicas.size());
  return set_.isr.size() >= wanted;
}

// ---- what happens

void Leadership::on_log(base::Offset end, base::Offset own) {
  CHECK(own <= end);
  end_ = end;
  own_ = own;
  advance();
}

Leadership::Taken Leadership::on_fetch(const Fetch& fetch, base::Instant now) {
  const auto found = followers_.find(fetch.id);
  if (found == followers_.end()) return Taken::kNotReplica;
  Progress& follower = found->second;
  const auto live = live_->find(fetch.id);
  const base::BrokerEpoch known =
      std::max(follower.epoch, live == live_->end() ? base::BrokerEpoch(-1) : live->second);
  if (fetch.epoch.value() >= 0 && fetch.epoch < known && !MUTANT("replica-counts-former-lives")) {
    return Taken::kStale;
  }
  CHECK(fetch.offset <= end_);
  now_ = std::max(now_, now);
  // Caught up now, or it was when it fetched last: it has taken everything there was then.
  if (fetch.offset >= end_) {
    follower.caught_up_at = now_;
  } else if (follower.fetched_at && fetch.offset >= follower.end_at_fetch) {
    follower.caught_up_at =
        std::max(follower.caught_up_at.value_or(*follower.fetched_at), *follower.fetched_at);
  }
  if (fetch.epoch.value() >= 0) follower.epoch = fetch.epoch;
  follower.offset = fetch.offset;
  follower.fetched_at = now_;
  follower.end_at_fetch = end_;
  advance();
  return Taken::kTaken;
}

void Leadership::on_metadata(const ReplicaSet& set) {
  CHECK(set.leader_epoch == set_.leader_epoch);
  if (set.partition_epoch <= set_.partition_epoch) return;
  // Whatever was asked for from an older partition epoch is done, or never will be.
  if (under_way_ && under_way_->partition_epoch < set.partition_epoch) under_way_.reset();
  adopt(set);
  advance();
}

void Leadership::on_min_in_sync(std::int32_t count) {
  options_.min_in_sync = count;
  advance();
}

void Leadership::on_time(base::Instant now) {
  now_ = std::max(now_, now);
  advance();
}

// ---- the high watermark

void Leadership::advance() {
  if (!has_enough_in_sync()) return;
  base::Offset reached = MUTANT("replica-counts-unsynced-leader") ? end_ : own_;
  for (const auto& [id, follower] : followers_) {
    if (!counts(id, follower)) continue;
    if (!follower.offset) return;
    reached = std::min(reached, *follower.offset);
  }
  high_watermark_ = std::max(high_watermark_, reached);
}

// The maximal ISR counts. So does who has caught up and may join, for else the watermark could run
// ahead of it for ever under load.
bool Leadership::counts(base::BrokerId id, const Progress& follower) const {
  if (MUTANT("replica-acks-alone")) return false;
  if (contains(set_.isr, id)) {
    const bool leaves = under_way_ && !contains(under_way_->isr, id);
    return !(leaves && MUTANT("replica-counts-minimal-isr"));
  }
  if (may_be_member(id)) return !MUTANT("replica-counts-minimal-isr");
  return follower.offset && is_live(id, follower.epoch) && is_caught_up(follower);
}

bool Leadership::may_be_member(base::BrokerId id) const {
  if (contains(set_.isr, id) || (under_way_ && contains(under_way_->isr, id))) return true;
  return now_ < doubtful_until_ && contains(doubtful_, id);
}

bool Leadership::is_live(base::BrokerId id, base::BrokerEpoch epoch) const {
  const auto found = live_->find(id);
  return found != live_->end() && (epoch.value() < 0 || epoch == found->second);
}

bool Leadership::is_caught_up(const Progress& follower) const {
  return follower.caught_up_at && now_ - *follower.caught_up_at <= options_.lag_max;
}

// ---- the in-sync set

bool Leadership::may_join(base::BrokerId id, const Progress& follower) const {
  if (MUTANT("replica-joins-behind")) return follower.offset && is_live(id, follower.epoch);
  return follower.offset && *follower.offset >= high_watermark_ &&
         *follower.offset >= epoch_start_ && is_live(id, follower.epoch) && is_caught_up(follower);
}

std::vector<IsrMember> Leadership::wanted_isr() const {
  const auto member = [&](base::BrokerId id, base::BrokerEpoch epoch) {
    const auto live = live_->find(id);
    if (epoch.value() < 0 && live != live_->end()) epoch = live->second;
    return IsrMember{id, epoch};
  };
  std::vector<IsrMember> wanted;
  for (const base::BrokerId id : set_.isr) {
    if (id == options_.self) {
      wanted.push_back(member(id, base::BrokerEpoch(-1)));
      continue;
    }
    const auto found = followers_.find(id);
    if (found == followers_.end()) continue;
    const Progress& follower = found->second;
    const bool holds_all = follower.offset && *follower.offset >= end_;
    if (holds_all || is_caught_up(follower)) wanted.push_back(member(id, follower.epoch));
  }
  for (const auto& [id, follower] : followers_) {
    if (!contains(set_.isr, id) && may_join(id, follower)) {
      wanted.push_back(member(id, follower.epoch));
    }
  }
  return wanted;
}

bool Leadership::wants_change() const {
  if (under_way_) return to_send_;
  if (now_ < not_before_) return false;
  const auto wanted = wanted_isr();
  return wanted.size() != set_.isr.size() ||
         !std::ranges::all_of(wanted,
                              [&](const IsrMember& each) { return contains(set_.isr, each.id); });
}

std::optional<IsrProposal> Leadership::propose() {
  if (!wants_change()) return std::nullopt;
  if (!under_way_) {
    auto wanted = wanted_isr();
    // Nobody is proposed who would be refused: the controller takes care of those itself.
    std::erase_if(wanted, [&](const IsrMember& each) {
      return each.id != options_.self && !is_live(each.id, each.epoch);
    });
    was_lost_ = false;
    under_way_ = IsrProposal{set_.leader_epoch, set_.partition_epoch, std::move(wanted)};
  }
  to_send_ = false;
  advance();
  return under_way_;
}

void Leadership::on_answer(const IsrProposal& asked, const IsrAnswer& answer) {
  if (!under_way_ || *under_way_ != asked) return;
  switch (answer.kind) {
    case IsrAnswer::Kind::kDone: {
      ReplicaSet now = set_;
      now.partition_epoch = answer.partition_epoch;
      now.isr = answer.isr;
      under_way_.reset();
      if (now.partition_epoch > set_.partition_epoch) adopt(now);
      break;
    }
    case IsrAnswer::Kind::kRefused:
      doubtful_.clear();
      if (was_lost_) {
        for (const IsrMember& member : under_way_->isr) doubtful_.push_back(member.id);
        doubtful_until_ = now_ + options_.lag_max;
      }
      under_way_.reset();
      not_before_ = now_ + kPauseAfterRefusal;
      break;
    case IsrAnswer::Kind::kOutdated:
      return;  // it may have been done: it counts until the metadata has come
    case IsrAnswer::Kind::kUnknown:
      to_send_ = true;
      was_lost_ = true;
      return;
  }
  advance();
}

std::vector<base::BrokerId> Leadership::maximal_isr() const {
  std::vector<base::BrokerId> all = set_.isr;
  for (const auto& [id, follower] : followers_) {
    if (!contains(all, id) && may_be_member(id)) all.push_back(id);
  }
  return all;
}

std::optional<base::BrokerId> Leadership::reader_among(std::span<const base::BrokerId> nearby,
                                                       base::Offset from) const {
  if (std::ranges::find(nearby, options_.self) != nearby.end()) return std::nullopt;
  std::optional<base::BrokerId> best;
  base::Offset furthest(-1);
  for (base::BrokerId id : set_.replicas) {
    const auto follower = followers_.find(id);
    if (follower == followers_.end() || !contains(set_.isr, id) ||
        std::ranges::find(nearby, id) == nearby.end()) {
      continue;
    }
    const auto& [epoch, held] = std::pair(follower->second.epoch, follower->second.offset);
    if (!held || *held < from || *held <= furthest || !is_live(id, epoch)) continue;
    best = id;
    furthest = *held;
  }
  return best;
}

void Leadership::check_invariants() const {
  CHECK(high_watermark_ <= end_);
  CHECK(epoch_start_ <= end_);
  CHECK(own_ <= end_);
  CHECK(followers_.find(options_.self) == followers_.end());
  if (under_way_) CHECK(under_way_->partition_epoch == set_.partition_epoch);
  for (const auto& [id, follower] : followers_) {
    CHECK(contains(set_.replicas, id));
    CHECK(!follower.offset || *follower.offset <= end_);
  }
}

}  // namespace broker
