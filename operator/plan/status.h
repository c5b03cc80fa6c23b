// Statuses of resources: conditions that are always all there, with the time of their last change.
// Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/time.h"
#include "operator/types/json.h"

namespace kube {

struct Condition {
  std::string_view type;
  bool is_true = false;
  std::string_view reason;
  std::string message;
};

// As in a status: with the generation of `resource`, and the time of the last change kept from its
// status where that has the same.
Json conditions_of(const Json& resource, const std::vector<Condition>& conditions,
                   base::WallMs now);

// "2026-01-31T12:00:00Z"
std::string timestamp(base::WallMs at);
// The same backwards; nothing when it is not one.
std::optional<base::WallMs> parse_timestamp(const std::string& text);

// The condition of that type in the status that the resource has; an empty object when it has none.
const Json& condition_of(const Json& resource, std::string_view type);

}  // namespace kube
