// Carries the ISR changes that partitions led here ask for to the controller: those that come
// together go in one Broker/AlterPartition, one call at a time, again after a while when the
// controller could not be asked. Also the clock of the ISR: lets every led partition look for
// followers that lag. Lives on the home executor.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "broker/node/controller_client.h"
#include "broker/node/isr_change_sink.h"
#include "broker/node/partition.h"
#include "common/base/diag.h"
#include "common/base/histogram.h"
#include "common/base/random.h"
#include "common/base/timer_wheel.h"
#include "common/io/executor.h"
#include "common/meta/delta.h"

namespace broker {

class PartitionTable;
class Registrar;

class IsrChanges final : public IsrChangeSink {
 public:
  struct Options {
    base::BrokerId self;
    base::Duration lag_max = std::chrono::seconds(30);  // replica.lag.time.max.ms
  };
  // All outlive it.
  IsrChanges(io::Executor& home, ControllerClient& controller, Registrar& registrar,
             PartitionTable& partitions, base::Diag& diag, base::Random random, Options options);
  ~IsrChanges() override;

  void isr_change_wanted(std::shared_ptr<Partition> partition) override;
  // Home.
  void start();
  void stop();
  // Home: counts what became of the in-sync replicas of partitions that are led here.
  void count(const meta::Delta& delta);
  struct Stats {
    base::Counter shrinks;
    base::Counter expands;
  };
  const Stats& stats() const { return stats_; }  // any thread

 private:
  struct Asked {
    std::shared_ptr<Partition> partition;
    IsrProposal proposal;
  };
  // By topic and index, so that requests are the same in every run.
  struct ByName {
    bool operator()(const std::shared_ptr<Partition>& a, const std::shared_ptr<Partition>& b) const;
  };
  void add(std::shared_ptr<Partition> partition);
  void send_soon();
  void send();
  void on_reply(std::vector<Asked> asked,
                const std::expected<proto::AlterPartitionReply, CallError>& reply);
  void on_one(const Asked& asked, const proto::AlterPartitionReply::Partition& answer);
  void fail_all(const std::vector<Asked>& asked, const CallError& error);
  void check_lag();

  io::Executor& home_;
  ControllerClient& controller_;
  Registrar& registrar_;
  PartitionTable& partitions_;
  base::Diag& diag_;
  base::Random random_;
  const Options options_;
  Stats stats_;
  std::set<std::shared_ptr<Partition>, ByName> wanted_;
  std::set<std::shared_ptr<Partition>, ByName> refused_;  // ask again when refused_timer_ fires
  bool sending_ = false;                                  // a call is under way
  bool send_posted_ = false;
  std::uint32_t failures_ = 0;  // in a row
  base::Timer retry_;
  base::Timer refused_timer_;
  base::Timer lag_timer_;
  std::shared_ptr<bool> alive_;
};

}  // namespace broker
