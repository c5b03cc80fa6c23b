#include "common/config/throttled_replicas.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "common/config/def.h"
#include "common/config/tables.h"

namespace config {
namespace {

std::optional<std::int32_t> natural(std::string_view text) {
  std::int32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

}  // namespace

bool ThrottledReplicas::holds(std::int32_t partition, base::BrokerId broker) const {
  return all || std::ranges::binary_search(some, std::pair(partition, broker));
}

std::expected<ThrottledReplicas, std::string> ThrottledReplicas::parse(std::string_view text) {
  ThrottledReplicas out;
  const std::vector<std::string> items = split_list(text);
  if (items.size() == 1 && items.front() == "*") {
    out.all = true;
    return out;
  }
  out.some.reserve(items.size());
  for (const std::string& item : items) {
    const std::size_t colon = std::min(item.find(':'), item.size());
    const auto partition = natural(std::string_view(item).substr(0, colon));
    const auto broker = natural(std::string_view(item).substr(std::min(colon + 1, item.size())));
    if (!partition || !broker) {
      return std::unexpected(item + " is neither * alone nor of the form PARTITION:BROKER");
    }
    out.some.emplace_back(*partition, base::BrokerId(*broker));
  }
  std::ranges::sort(out.some);
  return out;
}

std::optional<std::string> check_throttled_replicas(std::string_view text) {
  const auto parsed = ThrottledReplicas::parse(text);
  return parsed ? std::nullopt : std::optional(parsed.error());
}

}  // namespace config
