// Features whose levels this release supports: what ApiVersions tells and UpdateFeatures accepts.
// Clients and tools choose behaviour by them; see docs/metadata.md.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace broker::api {

struct SupportedFeature {
  std::string_view name;
  std::int16_t level_min;
  std::int16_t level_max;
};
std::span<const SupportedFeature> supported_features();

}  // namespace broker::api
