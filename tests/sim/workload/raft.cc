#include "controller/raft/raft.h"

#include <algorithm>

#include "tests/sim/workload/raft_cluster.h"

namespace sim {
namespace {

const std::string kLast = "the last one";

}  // namespace

RaftCluster::RaftCluster(World& at, int voters)
    : world(at),
      network(world.random("network")),
      faults(world.random("faults")),
      disk(world.random("disk")),
      client(world.random("client")),
      admin(world.random("admin")),
      first_voters(voters) {
  // One more, that may be taken in later.
  for (int i = 1; i <= voters + 1; ++i) ids.push_back(NodeId(i));
  if (client.chance(1, 2)) append_bytes_max = 1;
  for (NodeId id : ids) members.emplace(id, std::make_unique<Member>(*this, id));
}

void RaftCluster::send(const Message& message) {
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

void RaftCluster::vote_spoken(NodeId voter, Term term, NodeId candidate) {
  auto [at, fresh] = votes_.try_emplace({voter, term}, candidate);
  if (!fresh && at->second != candidate) {
    wrong("member " + std::to_string(voter.value()) + " voted twice in term " +
          std::to_string(term.value()));
  }
}

void RaftCluster::look_at(const Member& member) {
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

void RaftCluster::committed(Member& member, const Entry& entry, std::uint64_t state) {
  auto [at, fresh] = history_.try_emplace(entry.index, entry.term, state);
  if (!fresh && at->second != std::pair(entry.term, state)) {
    wrong("committed logs differ at " + std::to_string(entry.index.value()) + " on member " +
          std::to_string(member.id().value()));
  }
  // The leader that commits a proposal tells its client.
  if (member.raft().leading() && !entry.data->empty()) {
    acknowledged.try_emplace(*entry.data, entry.index);
  }
  if (entry.members) members_committed_ = std::max(members_committed_, entry.index);
  if (fresh) world.trace("commit", static_cast<std::uint64_t>(entry.index.value()), state);
}

void RaftCluster::propose_often() {
  for (auto& [id, member] : members) {
    const auto count = client.below(4);
    for (std::uint64_t i = 0; i < count; ++i) {
      if (!member->propose("value " + std::to_string(proposed))) break;
      ++proposed;
    }
  }
  if (faulty) world.after(milliseconds(client.between(5, 60)), [this] { propose_often(); });
}

void RaftCluster::misbehave() {
  if (!faulty) return;
  Member& member = *members.at(ids[faults.below(ids.size())]);
  switch (faults.below(8)) {
    case 6:
      if (!may_lose(member.id())) break;
      member.wipe();
      if (faults.chance(1, 2)) member.start();
      break;
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

// Whether a majority of the voters has the disks that they vote with, `lost` left out.
bool RaftCluster::intact(const Membership& membership, NodeId lost) const {
  std::size_t voters = membership.voters();
  std::size_t whole = 0;
  bool learner = false;
  for (const auto& each : membership.members) {
    const bool has = each.id != lost && members.at(each.id)->directory() == each.directory;
    if (each.voter && has) ++whole;
    if (!each.voter) learner = true;
  }
  // A leader that does not know yet that a learner is lost may let it vote.
  if (learner) ++voters;
  return whole * 2 > voters;
}

// The disk of a member may be lost as long as, under every membership that may be in force, a
// majority is intact: that is all that the quorum promises.
bool RaftCluster::may_lose(NodeId lost) const {
  for (const auto& [id, other] : members) {
    const auto [index, membership] = other->members();
    if (membership && index >= members_committed_ && !intact(*membership, lost)) return false;
  }
  return members_committed_ > Index(0);
}

// What the first node does, which the node finds out by asking (controller/node/quorum_founder.h).
void RaftCluster::found() {
  if (members_committed_ > Index(0)) return;
  world.after(milliseconds(50), [this] { found(); });
  Membership first;
  for (const auto& [id, member] : members) {
    if (!member->empty()) return;
    if (id.value() <= first_voters) first.members.push_back({id, member->directory(), true, {}, 0});
  }
  members.begin()->second->found(std::move(first));
}

// Operators: hand the leadership over, take voters out, add others.
void RaftCluster::administer() {
  if (!faulty) return;
  world.after(milliseconds(admin.between(50, 2000)), [this] { administer(); });
  const NodeId chosen = ids[admin.below(ids.size())];
  const auto action = admin.below(4);
  if (admin.chance(1, 4)) members.at(chosen)->suspect();
  for (auto& [id, member] : members) {
    if (!member->alive() || !member->raft().leading()) continue;
    const Membership now = member->raft().members();
    if (action == 0) {
      member->transfer(admin.chance(1, 2) ? chosen : kNobody);
    } else if (const auto* known = now.find(chosen)) {
      const bool one_left = now.voters() == 1 && known->voter;
      if (action != 1 || one_left || !intact(now.without(chosen), kNobody)) continue;
      member->change(now.without(chosen));
    } else {
      member->change(now.with({chosen, base::Uuid{}, false, {}, 0}));
    }
  }
}

// All members of the one leader's quorum are voters and have applied the same, the last one too.
bool RaftCluster::agreed(bool ask, base::Instant& asked) {
  const Member* leader = nullptr;
  for (auto& [id, member] : members) {
    if (ask && member->propose(kLast)) asked = world.now();
    if (member->raft().ready()) leader = member.get();
  }
  if (!leader || !acknowledged.contains(kLast)) return false;
  for (const auto& each : leader->raft().members().members) {
    if (!each.voter || members.at(each.id)->applied() != leader->applied()) return false;
  }
  return true;
}

std::string RaftCluster::describe() const {
  std::string out;
  for (const auto& [id, member] : members) {
    const Raft& raft = member->raft();
    out += "\n  " + std::to_string(id.value()) + " disk " +
           std::to_string(member->directory().low) + " role " +
           std::to_string(static_cast<int>(raft.role())) + " term " +
           std::to_string(raft.term().value()) + " end " +
           std::to_string(raft.log().last_index().value()) + " commit " +
           std::to_string(raft.commit().value()) + " members at " +
           std::to_string(raft.log().members_index().value()) + ":";
    for (const auto& each : raft.members().members) {
      out += " " + std::to_string(each.id.value()) + "/" + std::to_string(each.directory.low) +
             (each.voter ? "" : "?");
    }
  }
  return out;
}

void RaftCluster::run() {
  for (auto& [id, member] : members) member->start();
  found();
  world.after(milliseconds(10), [this] { propose_often(); });
  world.after(milliseconds(3000), [this] { administer(); });
  world.after(milliseconds(2000), [this] { misbehave(); });
  world.run_for(seconds(30));
  if (world.failed()) return;

  // Phase 2: everything heals; everybody must catch up within a few elections.
  faulty = false;
  cut_.clear();
  for (auto& [id, member] : members) {
    if (!member->alive()) member->start();
  }
  base::Instant asked{};
  const bool settled = world.run_until(
      [&] {
        // A leader that is about to be deposed may take it and lose it: ask again.
        const bool ask = world.now() - asked > milliseconds(500) && !acknowledged.contains(kLast);
        return agreed(ask, asked);
      },
      seconds(20));
  if (world.failed()) return;
  if (!settled) {
    return world.fail(Verdict::kNoProgress, "no agreement 20 s after all was healed:" + describe());
  }
  const Member* leader = nullptr;
  for (auto& [id, member] : members) {
    if (member->raft().ready()) leader = member.get();
  }
  if (!leader) return world.fail(Verdict::kNoProgress, "nobody leads at the end");
  const Member& one = *leader;
  for (const auto& each : one.raft().members().members) {
    if (members.at(each.id)->state() != one.state()) wrong("states differ at the end");
  }
  for (const auto& [data, index] : acknowledged) {
    if (index > one.applied()) wrong("acknowledged, and gone: " + data);
  }
}

void run_raft(World& world, int voters) {
  auto cluster = std::make_unique<RaftCluster>(world, voters);
  cluster->run();
}

}  // namespace sim
