// The content of .snapshot files: Kafka's ProducerSnapshot, version 1. See producer_states.h.
#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "broker/producer/producer_states.h"
#include "common/base/crc32c.h"

namespace broker {
namespace {

constexpr std::int16_t kVersion = 1;
constexpr std::size_t kCrc = 2;
constexpr std::size_t kCount = 6;  // the checksum covers from here to the end
constexpr std::size_t kEntries = 10;

// One entry.
constexpr std::size_t kProducerId = 0;
constexpr std::size_t kProducerEpoch = 8;
constexpr std::size_t kLastSequence = 10;
constexpr std::size_t kLastOffset = 14;
constexpr std::size_t kOffsetDelta = 22;
constexpr std::size_t kTimestamp = 26;
constexpr std::size_t kCoordinatorEpoch = 34;
constexpr std::size_t kTxnFirstOffset = 38;
constexpr std::size_t kEntrySize = 46;

void store_entry(std::byte* at, const ProducerEntry& entry) {
  const auto batches = entry.batches();
  const ProducerBatch last = batches.empty() ? ProducerBatch{} : batches.back();
  base::store_be(at + kProducerId, entry.producer_id.value());
  base::store_be(at + kProducerEpoch, entry.producer_epoch.value());
  base::store_be(at + kLastSequence, last.last_sequence);
  base::store_be(at + kLastOffset, last.last_offset.value());
  base::store_be(at + kOffsetDelta, last.offset_delta);
  base::store_be(at + kTimestamp, entry.last_timestamp);
  base::store_be(at + kCoordinatorEpoch, entry.coordinator_epoch);
  base::store_be(at + kTxnFirstOffset,
                 entry.current_txn_first_offset.value_or(base::Offset(-1)).value());
}

ProducerEntry load_entry(const std::byte* at) {
  ProducerEntry entry;
  entry.producer_id = base::ProducerId(base::load_be<std::int64_t>(at + kProducerId));
  entry.producer_epoch = base::ProducerEpoch(base::load_be<std::int16_t>(at + kProducerEpoch));
  entry.coordinator_epoch = base::load_be<std::int32_t>(at + kCoordinatorEpoch);
  entry.last_timestamp = base::load_be<std::int64_t>(at + kTimestamp);
  const ProducerBatch batch{
      .last_sequence = base::load_be<std::int32_t>(at + kLastSequence),
      .last_offset = base::Offset(base::load_be<std::int64_t>(at + kLastOffset)),
      .offset_delta = base::load_be<std::int32_t>(at + kOffsetDelta),
      .timestamp = entry.last_timestamp};
  if (batch.last_offset.value() >= 0) entry.add_batch(batch);
  const auto first = base::load_be<std::int64_t>(at + kTxnFirstOffset);
  if (first >= 0) entry.current_txn_first_offset = base::Offset(first);
  return entry;
}

std::expected<std::vector<ProducerEntry>, std::string> parse(base::BytesView content,
                                                             base::Offset end) {
  if (content.size() < kEntries) return std::unexpected("the snapshot is cut short");
  const auto version = base::load_be<std::int16_t>(content.data());
  if (version != kVersion)
    return std::unexpected("the snapshot has the unknown version " + std::to_string(version));
  const auto crc = static_cast<std::uint32_t>(base::load_be<std::int32_t>(content.data() + kCrc));
  if (crc != base::crc32c(content.subspan(kCount)))
    return std::unexpected("the snapshot's checksum is wrong");
  const auto count = base::load_be<std::int32_t>(content.data() + kCount);
  const std::size_t size = content.size() - kEntries;
  if (count < 0 || size % kEntrySize != 0 || static_cast<std::size_t>(count) != size / kEntrySize)
    return std::unexpected("the snapshot's size does not fit its " + std::to_string(count) +
                           " entries");
  std::vector<ProducerEntry> entries;
  entries.reserve(static_cast<std::size_t>(count));
  for (std::size_t at = kEntries; at < content.size(); at += kEntrySize) {
    entries.push_back(load_entry(content.data() + at));
    const ProducerEntry& entry = entries.back();
    if (entry.last_data_offset() >= end ||
        entry.current_txn_first_offset.value_or(base::Offset(-1)) >= end)
      return std::unexpected("the snapshot knows offsets behind its own end " +
                             std::to_string(end.value()));
  }
  return entries;
}

}  // namespace

base::Bytes ProducerStates::encode_snapshot() const {
  base::Bytes content(kEntries + producers_.size() * kEntrySize);
  base::store_be(content.data(), kVersion);
  base::store_be(content.data() + kCount, static_cast<std::int32_t>(producers_.size()));
  std::byte* at = content.data() + kEntries;
  for (const auto& [id, slot] : producers_) {
    store_entry(at, slot.entry);
    at += kEntrySize;
  }
  base::store_be(content.data() + kCrc, base::crc32c(base::BytesView(content).subspan(kCount)));
  return content;
}

std::expected<void, std::string> ProducerStates::load_snapshot(base::BytesView content,
                                                               base::Offset end, base::WallMs now) {
  reset(end);
  auto entries = parse(content, end);
  if (!entries) return std::unexpected(std::move(entries.error()));
  // The oldest first: they are the first to be forgotten.
  std::ranges::sort(*entries, {}, [](const ProducerEntry& entry) {
    return std::pair(entry.last_timestamp, entry.producer_id);
  });
  for (const ProducerEntry& entry : *entries) {
    const bool twice =
        find(entry.producer_id) != nullptr ||
        (entry.current_txn_first_offset && open_.contains(*entry.current_txn_first_offset));
    if (twice) {
      reset(end);
      return std::unexpected("the snapshot has producer " +
                             std::to_string(entry.producer_id.value()) + " twice");
    }
    Slot& slot = slot_of(entry.producer_id);
    slot.entry = entry;
    slot.entry.seen_at = now;
    if (const auto first = slot.entry.current_txn_first_offset) {
      slot.entry.current_txn_first_offset.reset();
      open_transaction(slot, *first);
    }
  }
  return {};
}

}  // namespace broker
