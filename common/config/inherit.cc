#include "common/config/inherit.h"

#include <utility>

#include "common/base/check.h"
#include "common/config/number.h"

namespace config {
namespace {

// A broker's value in the unit of the topic's config. Negative values stand for "no limit" in every
// unit.
std::string scaled(std::string text, std::int64_t scale) {
  if (scale == 1) return text;
  const auto unscaled = number<std::int64_t>(text);
  // The scaled configs are 32-bit: no overflow.
  return unscaled < 0 ? text : std::to_string(unscaled * scale);
}

}  // namespace

Inherited inherited_value(const Def& def, const Overrides& overrides, const BrokerLayers& layers) {
  if (const auto at = overrides.find(def.name); at != overrides.end())
    if (auto parsed = parse_value(def, at->second))
      return {.value = *std::move(parsed), .is_override = true};
  for (const Synonym& synonym : def.synonyms) {
    const Def* broker_def = find(Resource::kBroker, synonym.name);
    CHECK(broker_def != nullptr);
    const auto set = layers.set_value(synonym.name);
    if (!set) continue;
    if (auto parsed = parse_value(*broker_def, *set))
      return {.value = scaled(*std::move(parsed), synonym.scale), .from = &synonym};
  }
  if (!def.default_value) return {};
  return {.value = std::string(*def.default_value)};
}

std::string parsed_or_default(const Def& def, const std::optional<std::string>& value) {
  if (value)
    if (auto parsed = parse_value(def, *value)) return *std::move(parsed);
  CHECK(def.default_value.has_value());
  return std::string(*def.default_value);
}

}  // namespace config
