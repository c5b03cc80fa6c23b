#include "tests/sim/disk/compact_check.h"

#include <algorithm>
#include <set>

#include "broker/log/batch_scanner.h"

namespace sim {
namespace {

using broker::Log;
using Violation = std::optional<std::string>;
using Fate = CompactModel::Fate;

std::string number(std::int64_t value) { return std::to_string(value); }

// What the log serves: batches by base offset, records by offset.
struct Served {
  std::map<std::int64_t, base::Bytes> batches;
  std::map<std::int64_t, CompactModel::Record> records;
};

Violation take_records(const record::BatchView& batch, Served& served) {
  if (batch.is_control()) return std::nullopt;
  broker::OpenBatch open;
  if (auto opened = broker::open_batch(batch, 1 << 20, open); !opened) return opened.error();
  record::RecordReader reader(open.section, batch.count());
  record::RecordView record;
  const auto text = [](base::BytesView bytes) {
    return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  };
  while (reader.next(record)) {
    const std::int64_t offset = batch.base_offset().value() + record.offset_delta;
    if (!record.key) return "a record without a key at " + number(offset);
    served.records[offset] = {
        .key = text(*record.key),
        .value = record.value ? std::optional(text(*record.value)) : std::nullopt,
        .timestamp = batch.base_timestamp() + record.timestamp_delta,
        .batch = batch.base_offset().value()};
  }
  if (!reader.error().empty()) return std::string(reader.error());
  return std::nullopt;
}

Violation read_served(Log& log, Served& served) {
  base::Offset at = log.start_offset();
  while (at < log.end_offset()) {
    const auto slice = log.read(
        {.from = at, .upper_bound = log.end_offset(), .bytes_max = 700, .may_block = true});
    if (!slice) return "offset " + number(at.value()) + " does not read: " + slice.error().what;
    if (slice->bytes.length == 0) return std::nullopt;  // the rest was compacted away
    base::Bytes bytes(slice->bytes.length);
    if (!slice->bytes.file->read_at(bytes, slice->bytes.position)) return "does not read";
    record::BatchReader reader(bytes);
    const base::Offset before = at;
    while (const auto batch = reader.next()) {
      if (batch->next_offset() <= at) return "offsets fall at " + number(at.value());
      if (!batch->crc_ok()) return "a wrong checksum at " + number(at.value());
      served.batches[batch->base_offset().value()].assign(batch->bytes().begin(),
                                                          batch->bytes().end());
      if (auto bad = take_records(*batch, served)) return bad;
      at = batch->next_offset();
    }
    if (at == before) return "no batch is read at offset " + number(at.value());
  }
  std::erase_if(served.records,
                [&](const auto& record) { return record.first < log.start_offset().value(); });
  return std::nullopt;
}

Violation check_bounds(const Log& log, const CompactModel& model) {
  if (log.end_offset().value() < model.acknowledged_end) {
    return "acknowledged up to " + number(model.acknowledged_end) + " but the log ends at " +
           number(log.end_offset().value());
  }
  if (log.end_offset().value() > model.end) return "the log ends behind what was given";
  if (log.start_offset().value() < model.acknowledged_start ||
      log.start_offset().value() > model.start) {
    return "the log starts at " + number(log.start_offset().value());
  }
  return std::nullopt;
}

Violation check_given(const Log& log, const Served& served, const CompactModel& model) {
  for (const auto& [offset, record] : served.records) {
    const auto given = model.records.find(offset);
    if (given == model.records.end()) return "a record that was not given at " + number(offset);
    if (given->second.key != record.key || given->second.value != record.value ||
        given->second.timestamp != record.timestamp || given->second.batch != record.batch) {
      return "another record than was given at " + number(offset);
    }
  }
  for (const auto& [at, bytes] : served.batches) {
    const auto given = model.batches.find(at);
    if (given == model.batches.end()) return "a batch that was not given at " + number(at);
    const auto is = *record::BatchView::parse(bytes);
    const auto was = *record::BatchView::parse(given->second);
    if (is.last_offset() != was.last_offset() || is.producer_id() != was.producer_id() ||
        is.producer_epoch() != was.producer_epoch() || is.base_sequence() != was.base_sequence() ||
        is.is_transactional() != was.is_transactional() || is.is_control() != was.is_control() ||
        is.leader_epoch() != was.leader_epoch() || (is.count() > 0 && is.codec() != was.codec())) {
      return "the header of the batch at " + number(at) + " changed";
    }
  }
  for (const auto& [at, bytes] : model.batches) {
    const bool due = at >= model.compacted_end && at < log.end_offset().value() &&
                     at >= log.start_offset().value();
    if (due && (!served.batches.contains(at) || served.batches.at(at) != bytes)) {
      return "a batch that nobody compacted is not as given at " + number(at);
    }
  }
  for (auto it = model.records.lower_bound(model.stable_end);
       it != model.records.end() && it->first < log.end_offset().value(); ++it) {
    if (it->first >= log.start_offset().value() && !served.records.contains(it->first)) {
      return "a record above the last stable offset is gone at " + number(it->first);
    }
  }
  return std::nullopt;
}

// The value of each key after all of `records` in [start, end) that are not `skipped`.
template <class Skipped>
std::map<std::string, std::string> values_of(
    const std::map<std::int64_t, CompactModel::Record>& records, std::int64_t start,
    std::int64_t end, Skipped skipped) {
  std::map<std::string, std::string> values;
  for (const auto& [offset, record] : records) {
    if (offset < start || offset >= end || skipped(offset, record)) continue;
    if (record.value) {
      values[record.key] = *record.value;
    } else {
      values.erase(record.key);
    }
  }
  return values;
}

Violation check_values(Log& log, const Served& served, const CompactModel& model) {
  const std::int64_t start = log.start_offset().value();
  const std::int64_t end = log.end_offset().value();
  const auto found = log.aborted_transactions(log.start_offset(), log.end_offset());
  if (!found) return "aborted transactions do not read: " + found.error().what;
  // As a reader of committed records does it; what is open at the end is not looked at by either.
  const auto filtered = [&](std::int64_t offset, const CompactModel::Record& record) {
    const auto batch = *record::BatchView::parse(served.batches.at(record.batch));
    if (!batch.is_transactional()) return false;
    if (model.fates.at(record.batch) == Fate::kOpen) return true;
    return std::ranges::any_of(*found, [&](const broker::AbortedTxn& txn) {
      return txn.producer_id == batch.producer_id() && txn.first_offset.value() <= offset &&
             offset < txn.last_offset.value();
    });
  };
  // A marker behind the log's end was lost with the crash: its transaction is open again.
  const auto unwanted = [&](std::int64_t, const CompactModel::Record& record) {
    const Fate fate = model.fates.at(record.batch);
    return fate == Fate::kOpen || fate == Fate::kAborted;
  };
  const auto is = values_of(served.records, start, end, filtered);
  const auto should = values_of(model.records, start, end, unwanted);
  for (const auto& [key, value] : should) {
    const auto there = is.find(key);
    if (there == is.end()) return key + " is lost";
    if (there->second != value) return key + " is " + there->second + ", not " + value;
  }
  for (const auto& [key, value] : is) {
    if (!should.contains(key)) return key + " is there again: " + value;
  }
  return std::nullopt;
}

// A tombstone that nothing followed is there until a round that begins delete.retention.ms after
// the first one that saw it.
Violation check_tombstones(const Log& log, const Served& served, const CompactModel& model) {
  std::map<std::string, std::int64_t> newest;
  for (const auto& [offset, record] : model.records) {
    if (offset >= log.end_offset().value()) break;
    const Fate fate = model.fates.at(record.batch);
    if (fate == Fate::kOpen || fate == Fate::kAborted) continue;
    newest[record.key] = offset;
  }
  for (const auto& [key, offset] : newest) {
    const auto& record = model.records.at(offset);
    if (record.value || offset < log.start_offset().value() || served.records.contains(offset)) {
      continue;
    }
    const auto first = model.first_round.find(record.batch);
    if (first == model.first_round.end()) return "a tombstone is lost at " + number(offset);
    const std::int64_t due = first->second + CompactWorkload::kDeleteRetentionMs;
    if (model.rounds.back() < due) return "a tombstone went too early at " + number(offset);
  }
  return std::nullopt;
}

Violation check_producers(Log& log, const CompactModel& model) {
  broker::ProducerStates expected({});
  expected.reset(base::Offset(0));
  for (const auto& [at, bytes] : model.batches) {
    if (at >= log.end_offset().value()) break;
    expected.apply(*record::BatchView::parse(bytes), 0);
  }
  expected.advance_end_offset(log.end_offset());
  expected.on_log_start(log.start_offset());
  if (expected.encode_snapshot() != log.producers().encode_snapshot()) {
    return "the producers are not those of the batches";
  }
  return std::nullopt;
}

bool loses_fates(const Log& log, const CompactModel& model) {
  // Markers behind the end are gone, and with them what is known of transactions.
  for (const auto& [at, bytes] : model.batches) {
    if (at >= log.end_offset().value() && record::BatchView::parse(bytes)->is_control())
      return true;
  }
  return false;
}

}  // namespace

Violation check_compacted(Log& log, const CompactModel& model) {
  if (auto violation = check_bounds(log, model)) return violation;
  Served served;
  if (auto violation = read_served(log, served)) return violation;
  if (auto violation = check_given(log, served, model)) return violation;
  if (auto violation = check_producers(log, model)) return violation;
  if (loses_fates(log, model)) return std::nullopt;
  if (auto violation = check_values(log, served, model)) return violation;
  return check_tombstones(log, served, model);
}

std::string describe_compacted(Log& log) {
  Served served;
  std::string text = read_served(log, served).value_or("");
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  const auto mix = [&](base::BytesView bytes) {
    for (std::byte byte : bytes) {
      hash = (hash ^ static_cast<std::uint64_t>(byte)) * 0x100000001b3ULL;
    }
  };
  for (const auto& [at, bytes] : served.batches) mix(bytes);
  mix(log.producers().encode_snapshot());
  const auto aborted = log.aborted_transactions(log.start_offset(), log.end_offset());
  if (!aborted) return aborted.error().what;
  for (const broker::AbortedTxn& txn : *aborted) {
    // Of a transaction without records nobody needs to know.
    const bool matters = std::ranges::any_of(served.records, [&](const auto& record) {
      const auto batch = *record::BatchView::parse(served.batches.at(record.second.batch));
      return batch.producer_id() == txn.producer_id && record.first >= txn.first_offset.value() &&
             record.first < txn.last_offset.value();
    });
    if (!matters) continue;
    text += number(txn.first_offset.value()) + "-" + number(txn.last_offset.value()) + " ";
  }
  return text + number(log.start_offset().value()) + " to " + number(log.end_offset().value()) +
         " in " + number(static_cast<std::int64_t>(log.segment_count())) + " segments, digest " +
         std::to_string(hash);
}

}  // namespace sim
