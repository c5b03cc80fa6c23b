// For tests: a cluster to which random things happen, decided by the controller's decisions, with a
// ghost beside it that knows which replica holds all that was acknowledged. Whatever happens, these
// must hold after every step (rows 1, 2, 8 and 9 of the classes of defects that we test for):
//
//   - a leader is a live replica in sync; one leader per leader epoch; the epoch never falls and
//     grows with every other leader
//   - the ISR is a set of replicas and never empty; nobody joins it who is fenced or shutting down
//   - the ELR is disjoint from the ISR, and empty once min.insync.replicas are in sync
//   - everybody in the ISR holds all that was acknowledged, unless an unclean election was allowed
//     or the last one who had it lost its tail
//   - whose last member in sync lost its disk has no leader until an unclean election
//   - who is unfenced had applied its registration
//   - nobody leads or joins whose log directory is known to have failed
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "controller/cluster/decide.h"

namespace controller::cluster {

struct RandomEvent {
  std::uint8_t kind = 0;
  std::uint8_t a = 0;
  std::uint8_t b = 0;
  std::uint8_t c = 0;
};

class RandomCluster {
 public:
  RandomCluster();
  // What was violated, or nothing.
  std::optional<std::string> step(const RandomEvent& event);
  // One after the other; the first violation.
  static std::optional<std::string> run(const std::vector<RandomEvent>& events);

  // How often things happened: a run in which nothing does proves nothing.
  struct Counts {
    int elections = 0;
    int joins = 0;
    int refusals = 0;
    int eligible = 0;  // leaders from the ELR
    int reassigned = 0;
    int lost = 0;  // ISRs whose last member lost its disk
  };
  const Counts& counts() const { return counts_; }

 private:
  using Key = std::pair<std::string, std::int32_t>;
  struct Process {
    std::uint64_t incarnation = 0;
    meta::ImagePtr view = std::make_shared<const meta::Image>();  // what it has applied
  };
  // An ISR change on its way to the controller.
  struct InFlight {
    proto::AlterPartitionRequest request;
    Key key;
    std::map<std::int32_t, std::uint64_t> incarnations;  // of the members, as the leader saw them
  };
  struct Ghost {
    std::set<base::BrokerId> whole;                  // who holds all that was acknowledged
    std::map<std::int32_t, base::BrokerId> leaders;  // by leader epoch
  };

  std::int64_t apply(const std::vector<proto::Record>& records);
  // What a process finds on its disk: all, perhaps not the tail, or another disk.
  enum class Kept : std::uint8_t { kAll, kSome, kOneDirectory, kNothing };
  std::int64_t enroll(std::int32_t id, Kept kept);
  void bounce(std::int32_t id, const RandomEvent& event);
  void beat(std::int32_t id, std::uint8_t lag, bool want_shutdown);
  // Log directories: random_cluster_directories.cc.
  void put_directories(std::int32_t id, Kept kept, proto::RegisterBrokerRequest& request);
  void settle_replicas();
  void tell_directories(const RandomEvent& event);
  void check_storage(const Key& key, const meta::Partition* before, const meta::Partition& now);
  void propose(const RandomEvent& event);
  void deliver(const RandomEvent& event);
  void acknowledge(const Key& key);
  void elect(const RandomEvent& event);
  void reassign(const RandomEvent& event);
  void configure(const RandomEvent& event);
  void drain(const RandomEvent& event);

  void check();
  void check_partition(const Key& key, const meta::Partition* before, const meta::Partition& now);
  void check_data(const Key& key, const meta::Partition* before, const meta::Partition& now);
  void violate(const std::string& what) {
    if (!violation_) violation_ = what;
  }
  bool unclean_allowed(const Key& key) const;
  Key key_of(const RandomEvent& event) const;

  Settings settings_;
  base::Random random_{5};
  meta::ImagePtr image_ = std::make_shared<const meta::Image>();
  meta::ImagePtr before_ = image_;
  std::int64_t offset_ = 0;
  std::uint64_t incarnations_ = 0;
  std::map<std::int32_t, Process> processes_;
  // What is so, whatever the controller knows of it.
  std::map<std::int32_t, std::vector<base::Uuid>> directories_;  // that a broker has
  std::map<std::int32_t, std::set<base::Uuid>> failed_;          // of this process
  std::map<std::pair<Key, std::int32_t>, base::Uuid> homes_;     // of each replica
  std::vector<InFlight> in_flight_;
  std::map<Key, Ghost> ghosts_;
  // Of this step.
  std::optional<base::BrokerId> lost_tail_;
  std::optional<InFlight> delivered_;
  bool asked_unclean_ = false;
  std::optional<std::string> violation_;
  Counts counts_;
};

// `count` events out of the generator.
std::vector<RandomEvent> random_events(base::Random& random, std::size_t count);

}  // namespace controller::cluster
