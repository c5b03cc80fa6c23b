#include "broker/log/epoch_cache.h"

#include <algorithm>

#include "broker/log/text_lines.h"

namespace broker {

std::optional<EpochCache> EpochCache::parse(std::string_view text) {
  TextLines lines(text);
  if (lines.next_number<int>() != 0) return std::nullopt;
  const auto count = lines.next_number<std::uint32_t>();
  if (!count) return std::nullopt;
  EpochCache cache;
  for (std::uint32_t i = 0; i < *count; ++i) {
    const auto line = lines.next();
    if (!line) return std::nullopt;
    const auto space = line->find(' ');
    if (space == std::string_view::npos) return std::nullopt;
    const auto epoch = parse_number<std::int32_t>(line->substr(0, space));
    const auto start = parse_number<std::int64_t>(line->substr(space + 1));
    if (!epoch || !start || *epoch < 0 || *start < 0) return std::nullopt;
    const EpochStart entry{base::LeaderEpoch(*epoch), base::Offset(*start)};
    if (!cache.entries_.empty() && (entry.leader_epoch <= cache.entries_.back().leader_epoch ||
                                    entry.start <= cache.entries_.back().start)) {
      return std::nullopt;
    }
    cache.entries_.push_back(entry);
  }
  if (lines.next()) return std::nullopt;
  return cache;
}

std::string EpochCache::encode() const {
  std::string text = "0\n" + std::to_string(entries_.size()) + "\n";
  for (const EpochStart& entry : entries_) {
    text += std::to_string(entry.leader_epoch.value()) + " " + std::to_string(entry.start.value()) +
            "\n";
  }
  return text;
}

bool EpochCache::assign(base::LeaderEpoch leader_epoch, base::Offset start) {
  if (leader_epoch.value() < 0 || start.value() < 0) return false;
  if (!entries_.empty()) {
    const EpochStart& last = entries_.back();
    if (last.leader_epoch == leader_epoch && start >= last.start) return false;
    if (last.leader_epoch > leader_epoch && last.start < start) return false;  // old news
  }
  std::erase_if(entries_, [&](const EpochStart& entry) {
    return entry.leader_epoch >= leader_epoch || entry.start >= start;
  });
  entries_.push_back({leader_epoch, start});
  return true;
}

bool EpochCache::truncate_end(base::Offset end) {
  return std::erase_if(entries_, [&](const EpochStart& entry) { return entry.start >= end; }) > 0;
}

bool EpochCache::truncate_start(base::Offset start) {
  const auto after = std::ranges::upper_bound(entries_, start, {}, &EpochStart::start);
  if (after == entries_.begin()) return false;
  const auto current = after - 1;
  if (current == entries_.begin() && current->start == start) return false;
  current->start = start;
  entries_.erase(entries_.begin(), current);
  return true;
}

std::optional<base::LeaderEpoch> EpochCache::latest() const {
  if (entries_.empty()) return std::nullopt;
  return entries_.back().leader_epoch;
}

std::optional<base::LeaderEpoch> EpochCache::epoch_at(base::Offset offset) const {
  const auto after = std::ranges::upper_bound(entries_, offset, {}, &EpochStart::start);
  if (after == entries_.begin()) return std::nullopt;
  return (after - 1)->leader_epoch;
}

std::optional<EpochStart> EpochCache::end_offset_for(base::LeaderEpoch asked,
                                                     base::Offset log_end) const {
  if (entries_.empty() || asked > entries_.back().leader_epoch) return std::nullopt;
  if (asked == entries_.back().leader_epoch) return EpochStart{asked, log_end};
  const auto after = std::ranges::upper_bound(entries_, asked, {}, &EpochStart::leader_epoch);
  if (after == entries_.begin()) return EpochStart{asked, after->start};
  return EpochStart{(after - 1)->leader_epoch, after->start};
}

}  // namespace broker
