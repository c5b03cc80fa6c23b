// What a member of the Raft workload has instead of a disk and a state machine.
#pragma once

#include <optional>
#include <vector>

#include "common/base/random.h"
#include "controller/raft/raft.h"

namespace sim {

namespace raft = controller::raft;

// The state machine: a running hash of all that was applied.
inline std::uint64_t mix(std::uint64_t state, const raft::Entry& entry) {
  state = base::Random(state ^ static_cast<std::uint64_t>(entry.term.value())).next();
  for (char c : *entry.data) state = (state ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return state;
}

// One write as the disk model sees it: exactly one of the four.
struct DiskOp {
  std::optional<raft::HardState> hard_state;
  std::optional<raft::Snapshot> install;
  std::optional<raft::Snapshot> compact;
  std::optional<raft::Entry> entry;
};

struct Store {
  raft::HardState hard_state;
  raft::Snapshot snapshot;
  std::vector<raft::Entry> entries;

  void apply(const DiskOp& op) {
    if (op.hard_state) hard_state = *op.hard_state;
    if (op.install) {
      snapshot = *op.install;
      entries.clear();
    }
    if (op.compact && op.compact->index > snapshot.index) {
      snapshot = *op.compact;
      std::erase_if(entries, [&](const raft::Entry& each) { return each.index <= snapshot.index; });
    }
    if (op.entry) {
      std::erase_if(entries,
                    [&](const raft::Entry& each) { return each.index >= op.entry->index; });
      entries.push_back(*op.entry);
    }
  }
};

}  // namespace sim
