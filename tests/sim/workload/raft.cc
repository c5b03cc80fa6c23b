#include "controller/raft/raft.h"

#include <algorithm>
#include <cstdio>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "tests/sim/workload/raft_model.h"
#include "tests/sim/workload/workload.h"

namespace sim {
namespace {

using namespace controller::raft;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

class Cluster;

class Member {
 public:
  Member(Cluster& cluster, NodeId id) : cluster_(cluster), id_(id) {}

  void start();
  void crash();
  void deliver(const Message& message);
  bool alive() const { return raft_.has_value(); }
  const Raft& raft() const { return *raft_; }
  // Proposes when leading; false otherwise.
  bool propose(std::string data);
  Index applied() const { return applied_; }
  std::uint64_t state() const { return state_; }
  NodeId id() const { return id_; }

 private:
  struct Parked {
    std::uint64_t write_id;
    Message message;
  };
  void step(const Input& input);
  void carry_out(Output& out);
  void start_sync();
  void finish_sync(std::uint64_t write_id, std::size_t ops);
  void release();
  void arm();
  void load_snapshot(const Snapshot& snapshot);
  void maybe_compact();

  Cluster& cluster_;
  NodeId id_;
  std::uint64_t life_ = 0;
  std::optional<Raft> raft_;
  Store disk_;
  std::deque<DiskOp> unsynced_;
  std::uint64_t written_ = 0;  // last write id given to the disk
  std::uint64_t durable_ = 0;
  bool syncing_ = false;
  std::vector<Parked> parked_;
  base::Instant armed_ = base::Instant::max();
  Index applied_;
  std::uint64_t state_ = 0;
};

class Cluster {
 public:
  Cluster(World& world, int voters)
      : world(world),
        network(world.random("network")),
        faults(world.random("faults")),
        disk(world.random("disk")),
        client(world.random("client")) {
    for (int i = 1; i <= voters; ++i) ids.push_back(NodeId(i));
    if (client.chance(1, 2)) append_bytes_max = 1;
    for (NodeId id : ids) members.emplace(id, std::make_unique<Member>(*this, id));
  }

  void run();
  void send(const Message& message);
  void committed(Member& member, const Entry& entry, std::uint64_t state);
  void look_at(const Member& member);
  void vote_spoken(NodeId voter, Term term, NodeId candidate);
  void wrong(const std::string& why) { world.fail(Verdict::kIncorrect, why); }

  World& world;
  base::Random network;
  base::Random faults;
  base::Random disk;
  base::Random client;
  std::vector<NodeId> ids;
  std::map<NodeId, std::unique_ptr<Member>> members;
  bool faulty = true;
  // Small ones make entries of older terms arrive apart from those of the own term.
  std::size_t append_bytes_max = 200;
  std::uint64_t proposed = 0;
  std::map<std::string, Index> acknowledged;

 private:
  void misbehave();
  void propose_often();

  std::set<std::pair<NodeId, NodeId>> cut_;
  std::map<Term, NodeId> leaders_;
  std::map<std::pair<NodeId, Term>, NodeId> votes_;
  std::map<Index, std::pair<Term, std::uint64_t>> history_;  // term and state after the entry
};

void Member::start() {
  Recovered recovered{disk_.hard_state, disk_.snapshot, disk_.entries};
  Config config;
  config.self = id_;
  config.voters = cluster_.ids;
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
                    std::make_shared<const std::string>(std::to_string(state_))};
  unsynced_.push_back({.compact = snapshot});
  Output out;
  raft_->step(Compact{snapshot}, cluster_.world.now(), out);
}

void Cluster::send(const Message& message) {
  if (const auto* request = std::get_if<VoteRequest>(&message.body); request && !request->pre) {
    vote_spoken(message.from, message.term, message.from);
  }
  if (const auto* reply = std::get_if<VoteReply>(&message.body); reply && !reply->pre) {
    if (reply->granted) vote_spoken(message.from, message.term, message.to);
  }
  const int copies = !faulty ? 1 : network.chance(5, 100) ? 0 : network.chance(3, 100) ? 2 : 1;
  for (int i = 0; i < copies; ++i) {
    const auto delay = microseconds(network.between(100, network.chance(1, 20) ? 300000 : 8000));
    world.after(delay, [this, message] {
      if (!cut_.contains({message.from, message.to})) members.at(message.to)->deliver(message);
    });
  }
}

void Cluster::vote_spoken(NodeId voter, Term term, NodeId candidate) {
  auto [at, fresh] = votes_.try_emplace({voter, term}, candidate);
  if (!fresh && at->second != candidate) {
    wrong("member " + std::to_string(voter.value()) + " voted twice in term " +
          std::to_string(term.value()));
  }
}

void Cluster::look_at(const Member& member) {
  if (!member.raft().leading()) return;
  auto [at, fresh] = leaders_.try_emplace(member.raft().term(), member.id());
  if (fresh) {
    world.trace("leader", static_cast<std::uint64_t>(member.id().value()),
                static_cast<std::uint64_t>(member.raft().term().value()));
  }
  if (at->second != member.id()) {
    wrong("two leaders in term " + std::to_string(member.raft().term().value()));
  }
}

void Cluster::committed(Member& member, const Entry& entry, std::uint64_t state) {
  auto [at, fresh] = history_.try_emplace(entry.index, entry.term, state);
  if (!fresh && at->second != std::pair(entry.term, state)) {
    wrong("committed logs differ at " + std::to_string(entry.index.value()) + " on member " +
          std::to_string(member.id().value()));
  }
  // The leader that commits a proposal tells its client.
  if (member.raft().leading() && !entry.data->empty()) {
    acknowledged.try_emplace(*entry.data, entry.index);
  }
  if (fresh) world.trace("commit", static_cast<std::uint64_t>(entry.index.value()), state);
}

void Cluster::propose_often() {
  for (auto& [id, member] : members) {
    const auto count = client.below(4);
    for (std::uint64_t i = 0; i < count; ++i) {
      if (!member->propose("value " + std::to_string(proposed))) break;
      ++proposed;
    }
  }
  if (faulty) world.after(milliseconds(client.between(5, 60)), [this] { propose_often(); });
}

void Cluster::misbehave() {
  if (!faulty) return;
  Member& member = *members.at(ids[faults.below(ids.size())]);
  switch (faults.below(6)) {
    case 0:
    case 1:
      if (member.alive()) {
        member.crash();
      } else {
        member.start();
      }
      break;
    case 2:
      if (!member.alive()) member.start();
      break;
    case 3:  // one-way
      cut_.emplace(member.id(), ids[faults.below(ids.size())]);
      break;
    case 4:  // alone
      for (NodeId other : ids) {
        cut_.emplace(member.id(), other);
        cut_.emplace(other, member.id());
      }
      break;
    default:
      cut_.clear();
  }
  world.after(milliseconds(faults.between(20, 900)), [this] { misbehave(); });
}

void Cluster::run() {
  for (auto& [id, member] : members) member->start();
  world.after(milliseconds(10), [this] { propose_often(); });
  world.after(milliseconds(2000), [this] { misbehave(); });
  world.run_for(seconds(30));
  if (world.failed()) return;

  // Phase 2: everything heals; everybody must catch up within a few elections.
  faulty = false;
  cut_.clear();
  for (auto& [id, member] : members) {
    if (!member->alive()) member->start();
  }
  const std::string last = "the last one";
  base::Instant asked{};
  const bool settled = world.run_until(
      [&] {
        // A leader that is about to be deposed may take it and lose it: ask again.
        const bool ask = world.now() - asked > milliseconds(500) && !acknowledged.contains(last);
        const Index index = members.begin()->second->applied();
        for (auto& [id, member] : members) {
          if (ask && member->propose(last)) asked = world.now();
          if (member->applied() != index) return false;
        }
        return acknowledged.contains(last);
      },
      seconds(20));
  if (world.failed()) return;
  if (!settled) return world.fail(Verdict::kNoProgress, "no agreement 20 s after all was healed");
  const Member& one = *members.begin()->second;
  for (auto& [id, member] : members) {
    if (member->state() != one.state()) wrong("states differ at the end");
  }
  for (const auto& [data, index] : acknowledged) {
    if (index > one.applied()) wrong("acknowledged, and gone: " + data);
  }
}

}  // namespace

void run_raft(World& world, int voters) {
  auto cluster = std::make_unique<Cluster>(world, voters);
  cluster->run();
}

}  // namespace sim
