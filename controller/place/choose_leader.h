// Who leads a partition: the first of its replicas, in the order of the assignment, that may. Pure.
// The rules are Kafka's (KIP-460, KIP-966); docs/replication.md explains them.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "common/base/ids.h"

namespace controller::place {

enum class Wish : std::uint8_t {
  kKeep,       // the leader stays while it may lead
  kPreferred,  // the first replica, if it is in sync; otherwise as kKeep
};

struct Ballot {
  const std::vector<base::BrokerId>& replicas;  // first is preferred
  const std::vector<base::BrokerId>& isr;
  const std::vector<base::BrokerId>& elr;
  std::optional<base::BrokerId> leader;  // at present
  // Registered, not fenced, not shutting down.
  std::function<bool(base::BrokerId)> live;
  Wish wish = Wish::kKeep;
  // A replica that is not known to hold what was acknowledged may lead when no other can.
  bool unclean = false;
  // Known to hold nothing: of those who would lead uncleanly the last.
  std::vector<base::BrokerId> empty = {};
};

enum class Ground : std::uint8_t {
  kInSync,    // in the ISR
  kEligible,  // in the ELR: what was acknowledged is on it
  kUnclean,   // what was acknowledged may be lost
};

struct Chosen {
  base::BrokerId leader;
  Ground ground = Ground::kInSync;
  friend bool operator==(const Chosen&, const Chosen&) = default;
};

// Nothing when nobody may lead.
std::optional<Chosen> choose_leader(const Ballot& ballot);

}  // namespace controller::place
