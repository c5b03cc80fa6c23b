// Clients that ask coordinators to keep something and then whether they did: what a coordinator has
// confirmed once, every later one knows.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "common/wire/error_code.h"
#include "tests/sim/node/cluster_facts.h"
#include "tests/sim/node/kafka_client.h"

namespace sim {

// Finds the coordinator of one key and asks it the same thing again and again.
class Keeper {
 public:
  Keeper(Facts& facts, const std::string& name, std::vector<std::string> brokers,
         std::int8_t key_type);
  virtual ~Keeper() = default;

  void start() { find(); }
  // How often it was told that all is as it should be.
  std::uint64_t confirmed() const { return confirmed_; }
  const std::string& name() const { return name_; }

 protected:
  virtual void ask() = 0;
  void soon(std::function<void()> step);
  void find();
  // An answer with `error`, or none: looks for the coordinator anew. False: not that.
  bool went_wrong(bool answered, wire::ErrorCode error);
  void confirm();

  Facts& facts_;
  const std::string name_;
  base::Random random_;
  KafkaClient client_;

 private:
  const std::vector<std::string> brokers_;
  const std::int8_t key_type_;
  std::uint64_t confirmed_ = 0;
};

// Registers a transactional id again and again: it keeps its producer id, with rising epochs.
class IdKeeper : public Keeper {
 public:
  IdKeeper(Facts& facts, const std::string& name, std::vector<std::string> brokers)
      : Keeper(facts, name, std::move(brokers), 1) {}

 private:
  void ask() override;

  std::int64_t producer_id_ = -1;
  std::int16_t epoch_ = -1;
};

// Commits rising offsets of a group without members, and reads them back.
class OffsetKeeper : public Keeper {
 public:
  OffsetKeeper(Facts& facts, const std::string& name, std::vector<std::string> brokers)
      : Keeper(facts, name, std::move(brokers), 0) {}

 private:
  void ask() override;
  void read_back();

  std::int64_t sent_ = 0;
  std::int64_t committed_ = 0;
};

}  // namespace sim
