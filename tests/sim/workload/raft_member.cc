#include "tests/sim/workload/raft_cluster.h"

namespace sim {

void Member::start() {
  Recovered recovered{disk_.hard_state, disk_.snapshot, disk_.entries};
  Config config;
  config.self = id_;
  config.directory = directory();
  config.append_bytes_max = cluster_.append_bytes_max;
  config.appends_in_flight_max = 4;
  ++life_;
  unsynced_.clear();
  parked_.clear();
  written_ = durable_ = 0;
  syncing_ = false;
  armed_ = base::Instant::max();
  raft_.emplace(
      config, std::move(recovered),
      cluster_.world.random("raft " + std::to_string(id_.value()) + " " + std::to_string(life_)),
      cluster_.world.now());
  load_snapshot(disk_.snapshot);
  cluster_.world.trace("start", static_cast<std::uint64_t>(id_.value()), life_);
  step(Start{});
}

void Member::crash() {
  cluster_.world.trace("crash", static_cast<std::uint64_t>(id_.value()), life_);
  // Any prefix of what was not synced may have reached the medium.
  const auto kept = cluster_.disk.below(unsynced_.size() + 1);
  for (std::size_t i = 0; i < kept; ++i) disk_.apply(unsynced_[i]);
  unsynced_.clear();
  raft_.reset();
  ++life_;
}

void Member::wipe() {
  if (alive()) crash();
  disk_ = Store{};
  ++disks_;
  cluster_.world.trace("wipe", static_cast<std::uint64_t>(id_.value()), disks_);
}

void Member::found(Membership members) { step(Found{std::move(members)}); }

bool Member::transfer(NodeId to) {
  if (!alive() || !raft_->leading()) return false;
  step(Transfer{to});
  return true;
}

bool Member::change(Membership next) {
  if (!alive() || !raft_->can_change()) return false;
  step(ChangeMembers{std::move(next)});
  return true;
}

void Member::suspect() {
  if (alive()) step(LeaderGone{raft_->leader()});
}

bool Member::empty() const {
  return alive() && raft_->log().last_index() == Index(0) && !raft_->log().members();
}

std::pair<Index, MembershipPtr> Member::members() const {
  if (alive()) return {raft_->log().members_index(), raft_->log().members()};
  std::pair<Index, MembershipPtr> out{disk_.snapshot.index, disk_.snapshot.members};
  for (const Entry& each : disk_.entries) {
    if (each.members) out = {each.index, each.members};
  }
  return out;
}

void Member::deliver(const Message& message) {
  if (alive()) step(Receive{message});
}

bool Member::propose(std::string data) {
  if (!alive() || !raft_->leading()) return false;
  step(Propose{{std::make_shared<const std::string>(std::move(data))}});
  return true;
}

void Member::step(const Input& input) {
  Output out;
  raft_->step(input, cluster_.world.now(), out);
  raft_->check_invariants();
  carry_out(out);
  if (alive()) cluster_.look_at(*this);
  arm();
}

void Member::carry_out(Output& out) {
  if (out.hard_state) unsynced_.push_back({.hard_state = out.hard_state});
  if (out.install) unsynced_.push_back({.install = out.install});
  for (const Entry& each : out.append) unsynced_.push_back({.entry = each});
  if (out.write_id > 0) written_ = out.write_id;
  if (out.install) load_snapshot(*out.install);
  for (const Entry& each : out.committed) {
    if (each.index != applied_ + 1) cluster_.wrong("a committed entry was skipped");
    applied_ = each.index;
    state_ = mix(state_, each);
    cluster_.committed(*this, each, state_);
  }
  for (const Message& each : out.send) cluster_.send(each);
  for (Message& each : out.send_after_sync) parked_.push_back({written_, std::move(each)});
  if (!out.committed.empty()) maybe_compact();
  release();
  if (!syncing_ && !unsynced_.empty()) start_sync();
}

void Member::start_sync() {
  syncing_ = true;
  cluster_.world.after(microseconds(cluster_.disk.between(100, 15000)),
                       [this, life = life_, id = written_, ops = unsynced_.size()] {
                         if (life == life_) finish_sync(id, ops);
                       });
}

void Member::finish_sync(std::uint64_t write_id, std::size_t ops) {
  syncing_ = false;
  for (std::size_t i = 0; i < ops; ++i) {
    disk_.apply(unsynced_.front());
    unsynced_.pop_front();
  }
  durable_ = write_id;
  release();
  step(Synced{write_id});
  if (alive() && !syncing_ && !unsynced_.empty()) start_sync();
}

void Member::release() {
  while (!parked_.empty() && parked_.front().write_id <= durable_) {
    cluster_.send(parked_.front().message);
    parked_.erase(parked_.begin());
  }
}

void Member::arm() {
  if (!alive()) return;
  const base::Instant wake = raft_->wake_at();
  if (wake == base::Instant::max() || wake == armed_) return;
  armed_ = wake;
  cluster_.world.at(wake, [this, life = life_, wake] {
    if (life != life_ || armed_ != wake) return;
    armed_ = base::Instant::max();
    step(Tick{});
  });
}

void Member::load_snapshot(const Snapshot& snapshot) {
  applied_ = snapshot.index;
  state_ = snapshot.data ? std::stoull(*snapshot.data) : 0;
}

void Member::maybe_compact() {
  if (applied_ - raft_->log().snapshot().index < 30 || !cluster_.faults.chance(1, 4)) return;
  Snapshot snapshot{applied_, *raft_->log().term_at(applied_),
                    std::make_shared<const std::string>(std::to_string(state_)),
                    raft_->log().members_at(applied_)};
  unsynced_.push_back({.compact = snapshot});
  Output out;
  raft_->step(Compact{snapshot}, cluster_.world.now(), out);
}

}  // namespace sim
