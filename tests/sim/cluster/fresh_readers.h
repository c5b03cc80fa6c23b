// Consumers who come when all is over, and find everything that anybody was told of.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/sim/cluster/cluster.h"
#include "tests/sim/cluster/tail_reader.h"

namespace sim {

class FreshReaders {
 public:
  explicit FreshReaders(Cluster& cluster) : cluster_(cluster) {}

  // Reads a partition from its beginning to the last offset that is known of, as a client of that
  // name; returns the offset behind it. Fails the run, and returns -1, when that takes more than
  // 60 s.
  std::int64_t read(const std::string& topic, std::int32_t partition, const std::string& name);

 private:
  Cluster& cluster_;
  std::vector<std::unique_ptr<TailReader>> readers_;  // kept: events of the world know them
};

}  // namespace sim
