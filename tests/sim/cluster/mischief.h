// All that goes wrong in the cluster workload, drawn from the seed: machines that crash, freeze,
// end in order, run full, lose a log directory or all of them; networks that are cut, one way too;
// clocks that jump; and what an operator does meanwhile: moves, drains, restarts one broker after
// the other.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "common/control/quorum_client.h"
#include "tests/sim/cluster/cluster.h"
#include "tests/sim/node/kafka_client.h"

namespace sim {

class Mischief {
 public:
  Mischief(Cluster& cluster, std::string topic, std::int32_t partitions);
  ~Mischief();

  // For `span` or until stop().
  void start(base::Duration span);
  // Nothing new goes wrong; drains are ended. What is wrong stays so until Cluster::heal().
  void stop();

 private:
  BrokerMachine& any_broker();
  ControllerMachine& any_controller();
  std::string any_host();

  void step();
  void harm_broker(BrokerMachine& broker);
  void harm_controller(ControllerMachine& controller);
  void harm_network();
  void cut();
  void operate();
  void reassign();
  void drain(std::int32_t broker);
  void resume();
  void restart_in_turn(std::size_t next);
  void await_restart(std::size_t at, int patience);
  void await_calm(int patience);
  void wipe(BrokerMachine& broker);
  bool nothing_is_wrong() const;
  void await_return(const BrokerMachine& wiped, std::int64_t former_epoch, int patience);
  std::int64_t epoch_of(const BrokerMachine& broker) const;

  World& world_;
  Cluster& cluster_;
  const std::string topic_;
  const std::int32_t partitions_;
  base::Random random_;
  KafkaClient admin_;
  SimExecutor operator_;
  std::unique_ptr<control::QuorumClient> quorum_;
  std::size_t victim_;  // the only broker that ever loses its disk
  std::int32_t draining_ = -1;
  bool active_ = false;
  bool restarting_ = false;  // brokers, one after the other
  bool stop_restarts_ = false;
  bool calm_ = false;  // until the one with the empty disk is known to have one
};

}  // namespace sim
