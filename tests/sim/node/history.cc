#include "tests/sim/node/history.h"

#include <algorithm>

namespace sim {

void PartitionHistory::wrong(const std::string& why) {
  world_.fail(Verdict::kIncorrect, name_ + ": " + why);
}

void PartitionHistory::known(Value value, std::int64_t offset, const char* how) {
  const auto sent = sent_.find(value);
  const auto what = [&] {
    return "value " + std::to_string(value) + " " + how + " at offset " + std::to_string(offset);
  };
  if (sent == sent_.end()) return wrong(what() + " was never sent here");
  if (sent->second >= 0 && sent->second != offset) {
    return wrong(what() + " is also at " + std::to_string(sent->second));
  }
  const auto [at, fresh] = by_offset_.emplace(offset, value);
  if (at->second != value) {
    return wrong(what() + ", where value " + std::to_string(at->second) + " was");
  }
  sent->second = offset;
  if (!fresh) return;
  // What anybody knows to be there is below the high watermark.
  bounds_.high_watermark = std::max(bounds_.high_watermark, offset + 1);
}

void PartitionHistory::start_is(std::int64_t start, const Bounds& asked, const char* who) {
  if (start < asked.start) {
    return wrong(std::string("the start fell to ") + std::to_string(start) + " from " +
                 std::to_string(asked.start) + " (" + who + ")");
  }
  if (start > deletable_ && !expires_) {
    return wrong("starts at " + std::to_string(start) + ", nobody deleted beyond " +
                 std::to_string(deletable_) + " (" + who + ")");
  }
  bounds_.start = std::max(bounds_.start, start);
}

void PartitionHistory::high_watermark_is(std::int64_t high_watermark, const Bounds& asked,
                                         const char* who) {
  if (high_watermark < asked.high_watermark) {
    return wrong("the high watermark fell to " + std::to_string(high_watermark) + " from " +
                 std::to_string(asked.high_watermark) + " (" + who + ")");
  }
  bounds_.high_watermark = std::max(bounds_.high_watermark, high_watermark);
}

void PartitionHistory::power_lost() {
  by_offset_.clear();
  for (auto& [value, offset] : sent_) offset = -1;
  bounds_.high_watermark = 0;
}

void PartitionHistory::check_contents(const std::map<std::int64_t, Value>& found,
                                      std::int64_t start, std::int64_t high_watermark) {
  for (auto at = by_offset_.lower_bound(start); at != by_offset_.end(); ++at) {
    const auto there = found.find(at->first);
    if (there == found.end() || there->second != at->second) {
      return wrong("value " + std::to_string(at->second) + " at offset " +
                   std::to_string(at->first) + " is lost; the log is [" + std::to_string(start) +
                   ", " + std::to_string(high_watermark) + ")");
    }
  }
  std::int64_t next = start;
  for (const auto& [offset, value] : found) {
    if (offset != next++) return wrong("a hole before offset " + std::to_string(offset));
    polled(value, offset);
  }
  if (next != high_watermark) wrong("nothing at offset " + std::to_string(next));
}

void CommitHistory::asked(const std::string& group, std::int64_t offset) {
  auto& at = groups_[group].asked;
  at = std::max(at, offset);
}

void CommitHistory::committed(const std::string& group, std::int64_t offset) {
  auto& at = groups_[group].committed;
  at = std::max(at, offset);
}

void CommitHistory::fetched(const std::string& group, std::int64_t offset, std::int64_t asked_at) {
  if (offset < asked_at) {
    world_.fail(Verdict::kIncorrect, group + ": committed offset fell to " +
                                         std::to_string(offset) + " from " +
                                         std::to_string(asked_at));
  }
  if (offset > groups_[group].asked) {
    world_.fail(Verdict::kIncorrect,
                group + ": offset " + std::to_string(offset) + " was never committed");
  }
  committed(group, std::max<std::int64_t>(offset, -1));
}

}  // namespace sim
