// The feature levels that this release knows: what a broker says it supports (ApiVersions), what a
// new cluster finalizes, and what UpdateFeatures accepts. A level is offered only when what it
// promises to clients is there: transaction.version, for one, makes clients use the second
// transaction protocol.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace meta {

struct SupportedFeature {
  std::string_view name;
  std::int16_t min = 0;
  std::int16_t max = 0;
  std::int16_t initial = 0;  // finalized in a new cluster; 0: not finalized
};

// Sorted by name. Levels are Kafka's. metadata.version tells tools what to expect of a cluster;
// ours holds other records, so the level is the newest that the released tools know by name
// (4.3-IV0): some switch features off for levels that they do not.
inline constexpr std::array kSupportedFeatures = {
    SupportedFeature{"eligible.leader.replicas.version", 0, 1, 1},
    SupportedFeature{"group.version", 0, 1, 1},
    SupportedFeature{"kraft.version", 1, 1, 1},
    SupportedFeature{"metadata.version", 30, 30, 30},
    SupportedFeature{"transaction.version", 0, 2, 2},
};

// Null when this release does not know it.
constexpr const SupportedFeature* supported_feature(std::string_view name) {
  for (const auto& each : kSupportedFeatures) {
    if (each.name == name) return &each;
  }
  return nullptr;
}

}  // namespace meta
