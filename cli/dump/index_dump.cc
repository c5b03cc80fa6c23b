// The index files of a segment and the snapshot of its producers.
#include <fmt/format.h>

#include "cli/dump/entry_writer.h"
#include "cli/dump/log_dump.h"
#include "common/base/crc32c.h"
#include "common/record/batch_view.h"
#include "common/wire/msg/producer_snapshot.h"
#include "common/wire/reader.h"

namespace cli {
namespace {

using Json = EntryWriter::Json;

constexpr std::size_t kOffsetEntrySize = 8;        // relative offset, position
constexpr std::size_t kTimeEntrySize = 12;         // timestamp, relative offset
constexpr std::size_t kTransactionEntrySize = 34;  // version, producer, first, last, stable

// What is behind the last whole entry: an index of a live segment is preallocated with zeros, so
// the caller stops at the first entry of zeros.
void check_tail(base::BytesView bytes, std::size_t entry_size, EntryWriter& writer) {
  std::size_t extra = bytes.size() % entry_size;
  if (extra != 0) {
    writer.problem(bytes.size() - extra, fmt::format("{} bytes are no whole entry", extra));
  }
}

// Whether the entry leads to a batch that ends at or after its offset's batch.
std::string misplaced(base::BytesView segment, std::int32_t position, std::int64_t offset) {
  if (segment.empty()) return {};
  if (position < 0 || static_cast<std::size_t>(position) >= segment.size()) {
    return fmt::format("offset {} leads to byte {}, behind the segment's end", offset, position);
  }
  auto batch = record::BatchView::parse(segment.subspan(static_cast<std::size_t>(position)));
  if (!batch || !batch->crc_ok()) {
    return fmt::format("offset {} leads to byte {}, where no batch starts", offset, position);
  }
  if (batch->base_offset().value() > offset) {
    return fmt::format("offset {} leads to byte {}, where the batch starts at offset {}", offset,
                       position, batch->base_offset().value());
  }
  return {};
}

}  // namespace

std::int64_t dump_offset_index(std::string_view name, base::BytesView bytes,
                               std::int64_t base_offset, base::BytesView segment,
                               const DumpOptions& options, const DumpOut& out) {
  EntryWriter writer(name, options, out);
  if (!options.summary) writer.open("offset index");
  std::int64_t count = 0;
  std::int64_t last_offset = base_offset - 1;
  for (std::size_t at = 0; at + kOffsetEntrySize <= bytes.size(); at += kOffsetEntrySize) {
    auto relative = base::load_be<std::int32_t>(bytes.data() + at);
    auto position = base::load_be<std::int32_t>(bytes.data() + at + 4);
    if (relative == 0 && position == 0) break;
    std::int64_t offset = base_offset + relative;
    if (!options.summary) writer.entry("entry", {{"offset", offset}, {"position", position}});
    if (offset <= last_offset) {
      writer.problem(at, fmt::format("offset {} after offset {}", offset, last_offset));
    }
    if (auto what = misplaced(segment, position, offset); !what.empty()) writer.problem(at, what);
    last_offset = offset;
    ++count;
  }
  check_tail(bytes, kOffsetEntrySize, writer);
  writer.summary({{"entries", count}, {"bytes", bytes.size()}, {"problems", writer.problems()}});
  return writer.problems();
}

std::int64_t dump_time_index(std::string_view name, base::BytesView bytes, std::int64_t base_offset,
                             const DumpOptions& options, const DumpOut& out) {
  EntryWriter writer(name, options, out);
  if (!options.summary) writer.open("time index");
  std::int64_t count = 0;
  std::int64_t last_time = -1;
  std::int64_t last_offset = base_offset - 1;
  for (std::size_t at = 0; at + kTimeEntrySize <= bytes.size(); at += kTimeEntrySize) {
    auto timestamp = base::load_be<std::int64_t>(bytes.data() + at);
    auto relative = base::load_be<std::int32_t>(bytes.data() + at + 8);
    if (timestamp == 0 && relative == 0) break;
    std::int64_t offset = base_offset + relative;
    if (!options.summary) writer.entry("entry", {{"timestamp", timestamp}, {"offset", offset}});
    if (timestamp <= last_time && count > 0) {
      writer.problem(at, fmt::format("timestamp {} after timestamp {}", timestamp, last_time));
    }
    if (offset < last_offset) {
      writer.problem(at, fmt::format("offset {} after offset {}", offset, last_offset));
    }
    last_time = timestamp;
    last_offset = offset;
    ++count;
  }
  check_tail(bytes, kTimeEntrySize, writer);
  writer.summary({{"entries", count}, {"bytes", bytes.size()}, {"problems", writer.problems()}});
  return writer.problems();
}

std::int64_t dump_transaction_index(std::string_view name, base::BytesView bytes,
                                    const DumpOptions& options, const DumpOut& out) {
  EntryWriter writer(name, options, out);
  if (!options.summary) writer.open("transaction index");
  std::int64_t count = 0;
  for (std::size_t at = 0; at + kTransactionEntrySize <= bytes.size();
       at += kTransactionEntrySize) {
    const std::byte* entry = bytes.data() + at;
    auto version = base::load_be<std::int16_t>(entry);
    if (version != 0) writer.problem(at, fmt::format("unknown version {}", version));
    if (!options.summary) {
      writer.entry("entry", {{"version", version},
                             {"producerId", base::load_be<std::int64_t>(entry + 2)},
                             {"firstOffset", base::load_be<std::int64_t>(entry + 10)},
                             {"lastOffset", base::load_be<std::int64_t>(entry + 18)},
                             {"lastStableOffset", base::load_be<std::int64_t>(entry + 26)}});
    }
    ++count;
  }
  check_tail(bytes, kTransactionEntrySize, writer);
  writer.summary({{"entries", count}, {"bytes", bytes.size()}, {"problems", writer.problems()}});
  return writer.problems();
}

std::int64_t dump_producer_snapshot(std::string_view name, base::BytesView bytes,
                                    const DumpOptions& options, const DumpOut& out) {
  EntryWriter writer(name, options, out);
  if (!options.summary) writer.open("producer snapshot");
  // version int16, crc uint32 over what follows it.
  constexpr std::size_t kCovered = 6;
  wire::Reader in(bytes);
  auto version = in.read_number<std::int16_t>("Version");
  wire::ProducerSnapshot snapshot;
  bool known = version >= wire::ProducerSnapshot::kVersionMin &&
               version <= wire::ProducerSnapshot::kVersionMax;
  if (!in.ok() || !known) {
    writer.problem(0, fmt::format("unknown version {}", version));
  } else if (!snapshot.decode(in, version)) {
    writer.problem(in.offset(), in.error());
  } else if (snapshot.crc != base::crc32c(bytes.subspan(kCovered))) {
    writer.problem(2, fmt::format("checksum {} in the file, {} of its bytes", snapshot.crc,
                                  base::crc32c(bytes.subspan(kCovered))));
  }
  for (const auto& producer : snapshot.producer_entries) {
    if (options.summary) break;
    writer.entry("entry", {{"producerId", producer.producer_id},
                           {"producerEpoch", producer.epoch},
                           {"lastSequence", producer.last_sequence},
                           {"lastOffset", producer.last_offset},
                           {"offsetDelta", producer.offset_delta},
                           {"lastTimestamp", producer.timestamp},
                           {"coordinatorEpoch", producer.coordinator_epoch},
                           {"currentTxnFirstOffset", producer.current_txn_first_offset}});
  }
  writer.summary({{"producers", snapshot.producer_entries.size()},
                  {"bytes", bytes.size()},
                  {"problems", writer.problems()}});
  return writer.problems();
}

}  // namespace cli
