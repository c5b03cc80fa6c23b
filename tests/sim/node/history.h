// What the clients of the node workload know, and what may therefore never be otherwise: the
// checker. Every value is written once, ever. Keyed by partition; answers that arrive are told to
// it in real-time order, together with what was known when their question was asked.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>

#include "tests/sim/world.h"

namespace sim {

using Value = std::uint64_t;

class PartitionHistory {
 public:
  PartitionHistory(World& world, std::string name) : world_(world), name_(std::move(name)) {}

  // ---- producers
  void sent(Value value) { sent_.emplace(value, -1); }
  // A producer was told so (acks=all).
  void acknowledged(Value value, std::int64_t offset) { known(value, offset, "acknowledged"); }

  // ---- consumers
  void polled(Value value, std::int64_t offset) { known(value, offset, "polled"); }

  // What has been learnt so far: take one with the question, give it back with the answer.
  struct Bounds {
    std::int64_t start = 0;
    std::int64_t high_watermark = 0;
  };
  const Bounds& bounds() const { return bounds_; }
  void start_is(std::int64_t start, const Bounds& asked, const char* who);
  void high_watermark_is(std::int64_t high_watermark, const Bounds& asked, const char* who);

  // ---- deletion
  void asked_to_delete(std::int64_t offset) { deletable_ = std::max(deletable_, offset); }
  void may_expire() { expires_ = true; }

  // Power was lost and this partition promises nothing about that: whatever it holds now counts.
  void power_lost();
  std::int64_t deletable() const { return deletable_; }

  // ---- the end: what a fresh client finds
  void check_contents(const std::map<std::int64_t, Value>& found, std::int64_t start,
                      std::int64_t high_watermark);
  std::size_t acknowledged_count() const { return by_offset_.size(); }
  // The number of values known at or above `offset`.
  const std::map<std::int64_t, Value>& by_offset() const { return by_offset_; }

 private:
  void known(Value value, std::int64_t offset, const char* how);
  void wrong(const std::string& why);

  World& world_;
  const std::string name_;
  std::unordered_map<Value, std::int64_t> sent_;  // with its offset, -1: not known
  std::map<std::int64_t, Value> by_offset_;
  Bounds bounds_;
  std::int64_t deletable_ = 0;  // nothing else may make the start go up ...
  bool expires_ = false;        // ... but retention
};

// Offsets that groups committed: never go back.
class CommitHistory {
 public:
  explicit CommitHistory(World& world) : world_(world) {}
  void asked(const std::string& group, std::int64_t offset);
  void committed(const std::string& group, std::int64_t offset);
  std::int64_t last(const std::string& group) { return groups_[group].committed; }
  // `asked_at` is last() when the question was asked.
  void fetched(const std::string& group, std::int64_t offset, std::int64_t asked_at);

 private:
  struct Group {
    std::int64_t asked = -1;
    std::int64_t committed = -1;
  };
  World& world_;
  std::map<std::string, Group> groups_;
};

}  // namespace sim
