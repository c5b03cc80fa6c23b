// Finds what a mistyped word may have been meant to be. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cli {

// The known word with the fewest letters added, left out, changed or swapped, when those are few
// for its length. Nothing when none is near.
std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& known);

}  // namespace cli
