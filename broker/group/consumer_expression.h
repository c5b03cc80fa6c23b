// Subscriptions by regular expression (RE2 syntax, as Kafka 4 takes it). An expression comes from a
// client: its length and the memory of its program are bounded, and matching takes linear time.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace broker::group {

// Nothing when it can be used; else what is wrong with it.
std::optional<std::string> expression_error(std::string_view expression);

// Those of the names that it matches from end to end. None when it cannot be used.
std::set<std::string, std::less<>> matching(
    std::string_view expression,
    const std::function<void(const std::function<void(std::string_view)>&)>& for_each_name);

}  // namespace broker::group
