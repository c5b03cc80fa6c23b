// Finds the key that somebody meant.
#include <algorithm>
#include <numeric>

#include "common/config/def.h"

namespace config {
namespace {

// Edits (insert, delete, replace, swap neighbours) from one text to the other.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1);
  std::vector<std::size_t> above(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(above.begin(), above.end(), 0);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, replaced});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before.swap(above);
    above.swap(row);
  }
  return above[b.size()];
}

constexpr std::size_t kNameSizeMax = 100;  // longer texts are no misspelt keys

}  // namespace

std::optional<std::string_view> did_you_mean(Resource resource, std::string_view name) {
  if (name.empty() || name.size() > kNameSizeMax) return std::nullopt;
  std::string text(name);
  for (char& c : text) {
    if (c == '_' || c == '-') c = '.';
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  const Def* best = nullptr;
  std::size_t best_distance = std::max<std::size_t>(1, text.size() / 5) + 1;
  for (const Def& def : defs(resource)) {
    const std::size_t edits = distance(text, def.name);
    if (edits >= best_distance) continue;
    best = &def;
    best_distance = edits;
  }
  if (best != nullptr) return best->name;
  // A topic's key where a broker's belongs: retention.ms for log.retention.ms.
  if (resource != Resource::kBroker) return std::nullopt;
  const Def* topic = find(Resource::kTopic, text);
  if (topic == nullptr || topic->synonyms.empty()) return std::nullopt;
  return topic->synonyms.front().name;
}

}  // namespace config
