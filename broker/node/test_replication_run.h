// A random life of a replicated partition: produces, fetches, crashes, elections of which some
// brokers hear late, lost answers. Afterwards everybody is well, and the logs are looked at.
#pragma once

#include <set>
#include <string>

#include "broker/node/test_replicas.h"

namespace broker::test {

class ReplicationRun {
 public:
  explicit ReplicationRun(std::uint64_t seed)
      : replicas_(seed, static_cast<std::int32_t>(1 + seed % 2)),
        random_(replicas_.world.random("run")),
        ear_(std::make_shared<Ear>()) {
    ear_->on_event = [this](std::uint64_t tag, wire::ErrorCode error) {
      if (error == wire::ErrorCode::kNone) acknowledged_[ends_[tag].first] = ends_[tag].second;
    };
  }

  // What went wrong; empty when nothing did.
  std::string run() {
    for (int i = 0; i < 300 && why().empty(); ++i) step();
    if (why().empty()) heal();
    if (why().empty()) check();
    return why();
  }

 private:
  std::string why() const {
    return why_.empty() && replicas_.world.failed() ? replicas_.world.why() : why_;
  }
  Replica& any() { return *replicas_.all[random_.below(replicas_.all.size())]; }
  bool chance(std::uint64_t percent) { return random_.below(100) < percent; }

  void step() {
    Replica& replica = any();
    const auto what = random_.below(100);
    if (what < 35) return produce(replica);
    if (what < 75) return fetch(replica);
    if (what < 80) return consume(replica);
    if (what < 83) return probe(replica);
    if (what < 85) return crash(replica);
    if (what < 88) return boot(replica);
    if (what < 95) return replicas_.tell(replica);
    if (what < 96) return elect();
    if (what < 98 && replica.is_up()) replica.checkpoint();
    replicas_.world.run_for(std::chrono::milliseconds(random_.below(4000)));
    isr(replica);
  }

  void produce(Replica& replica) {
    if (!replica.is_up() || !replica.partition->bounds().is_leader) return;
    const std::string value = "v" + std::to_string(++values_);
    const auto appended = replicas_.append(replica, value, chance(70));
    if (appended.error != wire::ErrorCode::kNone) return;
    const std::uint64_t tag = ends_.size();
    ends_.push_back({appended.base_offset.value(), value});
    if (replica.partition->await_committed(appended.end_offset, *replica.executor, ear_, tag)) {
      ear_->on_partition_event(tag, wire::ErrorCode::kNone);
    }
  }

  void fetch(Replica& replica) {
    if (!replica.is_up()) return;
    replicas_.fetch(replica, chance(50) ? 1 : 1 << 20);
    if (chance(60)) replicas_.flush(replica);
    isr(replica);
  }

  void isr(Replica& replica) {
    for (auto& each : replicas_.all) {
      if (!each->is_up()) continue;
      if (each.get() == &replica) each->partition->check_isr(replicas_.world.now());
      if (each->wants_isr_change && chance(50)) replicas_.change_isr(*each, chance(20));
    }
  }

  void consume(Replica& replica) {
    if (!replica.is_up()) return;
    const auto start = replica.partition->bounds().start;
    const auto answer = replica.partition->read(
        {.from = start, .bytes_max = 1 << 20, .at_least_one_batch = true, .may_block = true});
    collect(bytes_of(answer), shown_);
  }

  // Who is a whole epoch behind must hear so.
  void probe(Replica& replica) {
    if (!replica.is_up()) return;
    const auto bounds = replica.partition->bounds();
    if (!bounds.is_leader || bounds.leader_epoch.value() == 0) return;
    const auto answer =
        replica.partition->read({.from = bounds.start, .leader_epoch = bounds.leader_epoch - 1});
    if (answer.error != wire::ErrorCode::kFencedLeaderEpoch) why_ = "a stale epoch was served";
  }

  void crash(Replica& replica) {
    if (!replica.is_up()) return;
    replica.crash();
    replicas_.on_gone(replica.id);
  }
  void boot(Replica& replica) {
    if (replica.is_up()) return;
    replica.boot(++broker_epochs_);
    if (replicas_.role.leader.value() < 0) replicas_.elect_any();
    replicas_.tell(replica);
  }
  void elect() {
    const auto& isr = replicas_.role.set.isr;
    const auto chosen = isr[random_.below(isr.size())];
    if (replicas_.at(chosen).is_up()) replicas_.elect(chosen.value());
  }

  void heal() {
    for (auto& each : replicas_.all) boot(*each);
    if (replicas_.role.leader.value() < 0) replicas_.elect_any();
    for (int round = 0; round < 4; ++round) {
      replicas_.announce();
      for (auto& each : replicas_.all) replicas_.catch_up(*each);
      for (auto& each : replicas_.all) replicas_.flush(*each);
      replicas_.world.run_for(1s);
      replicas_.leader().partition->check_isr(replicas_.world.now());
      replicas_.change_isr(replicas_.leader());
    }
    for (auto& each : replicas_.all) replicas_.catch_up(*each);
  }

  void check() {
    const auto want = replicas_.leader().content();
    for (auto& each : replicas_.all) {
      if (each->content() != want) why_ = "the logs differ";
    }
    const auto bounds = replicas_.leader().partition->bounds();
    if (bounds.visible != bounds.end) why_ = "the watermark does not reach the end";
    if (replicas_.role.set.isr.size() != 3) why_ = "not all are in sync";
    check_has(want, acknowledged_, "acknowledged");
    check_has(want, shown_, "shown");
  }
  void check_has(const std::map<std::int64_t, std::string>& log,
                 const std::map<std::int64_t, std::string>& promised, const char* what) {
    for (const auto& [offset, value] : promised) {
      const auto found = log.find(offset);
      if (found != log.end() && found->second == value) continue;
      why_ = std::string("what was ") + what + " at " + std::to_string(offset) + " is gone";
    }
  }

  Replicas replicas_;
  base::Random random_;
  std::shared_ptr<Ear> ear_;
  std::vector<std::pair<std::int64_t, std::string>> ends_;  // by tag: offset and value
  std::map<std::int64_t, std::string> acknowledged_;
  std::map<std::int64_t, std::string> shown_;
  std::int64_t broker_epochs_ = 100;
  int values_ = 0;
  std::string why_;
};

inline std::string replication_run(std::uint64_t seed) { return ReplicationRun(seed).run(); }

}  // namespace broker::test
