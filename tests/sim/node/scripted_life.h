// A short life of one node with its clients, in which one thing goes wrong. What the scripts have
// in common: the steps of which they consist, whoever starts the node again when it has ended or
// must end, and what everybody must find after the last crash. A script derives from it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/sim/node/consumer.h"
#include "tests/sim/node/node_process.h"
#include "tests/sim/node/one_fault.h"
#include "tests/sim/node/producer.h"
#include "tests/sim/node/topics.h"

namespace sim {

class ScriptedLife {
 public:
  // Of these topics one is "kept": no fault may lose what was acknowledged there, it is what the
  // consumer reads, and from its first partition records are deleted.
  ScriptedLife(World& world, OneFault fault, std::vector<TopicSpec> topics);
  virtual ~ScriptedLife() = default;
  ScriptedLife(const ScriptedLife&) = delete;
  ScriptedLife& operator=(const ScriptedLife&) = delete;

 protected:
  static constexpr const char* kKept = "kept";

  // ---- steps; false, and the run has failed, when they do not come to an end

  bool begin();
  // So many from a new producer to each partition.
  bool produce(std::uint64_t batches);
  bool delete_some();
  bool until(const std::string& otherwise, const std::function<bool()>& done);
  void wrong(const std::string& why) { world_.fail(Verdict::kIncorrect, why); }
  // Nothing goes wrong any more.
  void heal();
  // Every partition as a fresh client finds it after another crash; those of "kept" are returned.
  std::vector<TopicContents> read_everything(bool power);

  // ---- what a script makes of the fault

  // Once, before the disk operation at which it happens. Power, kills and failures of the disk need
  // nothing more.
  virtual void on_fault() {}
  virtual void producer_made(const TopicSpec& /*spec*/, Producer& /*producer*/) {}
  // A disk has failed, so that the node will end. Then, when it ends.
  virtual void broke() {}
  virtual void ends_broken() {}

  // ---- what a script knows of the end, while everything is read

  // That is in a partition of "kept". False: the run has failed.
  virtual bool was_read(std::int32_t /*partition*/, const TopicContents& /*contents*/) {
    return true;
  }
  virtual void all_was_read() {}

  void fill_disk(std::uint64_t room);

  World& world_;
  const OneFault fault_;
  const std::vector<TopicSpec> topics_;
  Facts facts_;
  SimRpc rpc_;
  NodeProcess node_;
  Administrator admin_;
  Consumer consumer_;
  std::vector<std::unique_ptr<Producer>> producers_;

 private:
  void arm();
  void before_operation();
  void supervise();
  void on_broken();

  bool happened_ = false;
  bool broken_ = false;
  int readers_ = 0;
};

}  // namespace sim
