// What must hold of a group whatever happens: who owns what, and what was committed.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "tests/sim/world.h"

namespace sim {

class Ownership {
 public:
  explicit Ownership(World& world) : world_(world) {}

  // `consumer` was told that it owns these in that generation.
  void assigned(const std::string& group, std::int32_t generation, std::size_t consumer,
                const std::vector<std::int32_t>& partitions) {
    for (const std::int32_t partition : partitions) {
      const auto [at, fresh] =
          owners_.try_emplace(std::tuple(group, generation, partition), consumer);
      if (fresh || at->second == consumer) continue;
      world_.fail(Verdict::kIncorrect, "two owners of " + group + "/" + std::to_string(partition) +
                                           " in generation " + std::to_string(generation) +
                                           ": consumers " + std::to_string(at->second) + " and " +
                                           std::to_string(consumer));
    }
  }
  // A commit was acknowledged.
  void committed(const std::string& group, std::int32_t partition, std::int64_t offset) {
    auto& highest = committed_[{group, partition}];
    if (offset > highest) highest = offset;
  }
  // The highest that is acknowledged now; -1 when there is none.
  std::int64_t acknowledged(const std::string& group, std::int32_t partition) const {
    const auto at = committed_.find({group, partition});
    return at == committed_.end() ? -1 : at->second;
  }
  // A commit was read, -1 when there was none; `floor` was acknowledged when it was asked for.
  void fetched(const std::string& group, std::int32_t partition, std::int64_t offset,
               std::int64_t floor) {
    if (offset >= floor) return;
    world_.fail(Verdict::kIncorrect, "the commit of " + group + "/" + std::to_string(partition) +
                                         " went back from " + std::to_string(floor) + " to " +
                                         std::to_string(offset));
  }
  std::size_t assignments() const { return owners_.size(); }
  std::size_t commits() const { return committed_.size(); }

 private:
  World& world_;
  std::map<std::tuple<std::string, std::int32_t, std::int32_t>, std::size_t> owners_;
  std::map<std::pair<std::string, std::int32_t>, std::int64_t> committed_;
};

}  // namespace sim
