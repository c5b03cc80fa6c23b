// The Raft workload: members with a simulated disk each, and the network, clients, operators and
// faults around them. raft_member.cc and raft.cc.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "controller/raft/raft.h"
#include "tests/sim/workload/raft_model.h"
#include "tests/sim/workload/workload.h"

namespace sim {

using namespace controller::raft;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

class RaftCluster;

class Member {
 public:
  Member(RaftCluster& cluster, NodeId id) : cluster_(cluster), id_(id) {}

  void start();
  void crash();
  // Loses the disk; it comes back, if at all, as an empty one of another name.
  void wipe();
  // Begins the cluster's log.
  void found(Membership members);
  bool transfer(NodeId to);
  bool change(Membership next);
  // Takes its leader for gone, rightly or not.
  void suspect();
  void deliver(const Message& message);
  bool alive() const { return raft_.has_value(); }
  const Raft& raft() const { return *raft_; }
  // Proposes when leading; false otherwise.
  bool propose(std::string data);
  Index applied() const { return applied_; }
  std::uint64_t state() const { return state_; }
  NodeId id() const { return id_; }
  base::Uuid directory() const { return {static_cast<std::uint64_t>(id_.value()), disks_}; }
  // Of a new cluster nothing, also not in memory.
  bool empty() const;
  // The members that its log names, and where.
  std::pair<Index, MembershipPtr> members() const;

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

  RaftCluster& cluster_;
  NodeId id_;
  std::uint64_t life_ = 0;
  std::optional<Raft> raft_;
  Store disk_;
  std::uint64_t disks_ = 1;  // how many it has had
  std::deque<DiskOp> unsynced_;
  std::uint64_t written_ = 0;  // last write id given to the disk
  std::uint64_t durable_ = 0;
  bool syncing_ = false;
  std::vector<Parked> parked_;
  base::Instant armed_ = base::Instant::max();
  Index applied_;
  std::uint64_t state_ = 0;
};

class RaftCluster {
 public:
  RaftCluster(World& world, int voters);

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
  base::Random admin;
  int first_voters;
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
  void found();
  void administer();
  bool intact(const Membership& membership, NodeId lost) const;
  bool may_lose(NodeId lost) const;
  std::string describe() const;
  bool agreed(bool ask, base::Instant& asked);

  std::set<std::pair<NodeId, NodeId>> cut_;
  std::map<Term, NodeId> leaders_;
  std::map<std::pair<NodeId, Term>, NodeId> votes_;
  std::map<Index, std::pair<Term, std::uint64_t>> history_;  // term and state after the entry
  Index members_committed_;                                  // the last entry that changed them
};

}  // namespace sim
