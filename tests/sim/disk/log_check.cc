#include "tests/sim/disk/log_check.h"

#include <algorithm>

#include "broker/producer/producer_states.h"
#include "common/record/record_view.h"

namespace sim {
namespace {

using broker::Log;
using Violation = std::optional<std::string>;

std::string number(std::int64_t value) { return std::to_string(value); }

}  // namespace

Contents read_all(Log& log) {
  Contents contents;
  base::Offset at = log.start_offset();
  while (at < log.end_offset()) {
    const auto slice = log.read(
        {.from = at, .upper_bound = log.end_offset(), .bytes_max = 700, .may_block = true});
    if (!slice || slice->bytes.length == 0) {
      contents.violation = "nothing is read at offset " + number(at.value()) +
                           (slice ? "" : ": " + slice.error().what);
      return contents;
    }
    base::Bytes bytes(slice->bytes.length);
    if (!slice->bytes.file->read_at(bytes, slice->bytes.position)) bytes.clear();
    record::BatchReader reader(bytes);
    const base::Offset before = at;
    while (const auto batch = reader.next()) {
      if (batch->next_offset() <= at || (batch->base_offset() > at) ||
          (batch->base_offset() < at && at != log.start_offset())) {
        contents.violation = "a batch at " + number(batch->base_offset().value()) +
                             " where offset " + number(at.value()) + " was due";
        return contents;
      }
      if (!batch->crc_ok()) contents.violation = "a wrong checksum at " + number(at.value());
      contents.batches[batch->base_offset().value()].assign(batch->bytes().begin(),
                                                            batch->bytes().end());
      at = batch->next_offset();
    }
    if (at == before) {
      contents.violation = "no batch is read at offset " + number(at.value());
      return contents;
    }
  }
  return contents;
}

namespace {

Violation check_bounds(const Log& log, const LogModel& model) {
  if (log.end_offset().value() < model.acknowledged_end) {
    return "acknowledged up to " + number(model.acknowledged_end) + " but the log ends at " +
           number(log.end_offset().value());
  }
  if (log.start_offset().value() < model.acknowledged_start) {
    return "the start fell from " + number(model.acknowledged_start) + " to " +
           number(log.start_offset().value());
  }
  if (!model.reset_to && log.start_offset().value() > model.start) {
    return "the log starts at " + number(log.start_offset().value()) + ", above " +
           number(model.start);
  }
  if (log.durable_end() != log.end_offset()) return "not all that was recovered is durable";
  return std::nullopt;
}

Violation check_contents(const Contents& contents, const LogModel& model) {
  for (const auto& [offset, bytes] : contents.batches) {
    const auto it = model.batches.find(offset);
    if (it == model.batches.end()) return "a batch that was not given at " + number(offset);
    const bool certain = offset < model.acknowledged_end;
    const bool known = certain ? it->second.back() == bytes
                               : std::ranges::find(it->second, bytes) != it->second.end();
    if (!known) return "other bytes than were given at " + number(offset);
  }
  return std::nullopt;
}

Violation check_indexes(Log& log, const Contents& contents, base::Random& random) {
  for (const auto& [offset, bytes] : contents.batches) {
    const auto batch = *record::BatchView::parse(bytes);
    base::Offset from = batch.base_offset() +
                        random.between(0, static_cast<std::int64_t>(batch.last_offset_delta()) + 1);
    from = std::max(from, log.start_offset());
    const auto slice = log.read(
        {.from = from, .upper_bound = batch.next_offset(), .bytes_max = 1, .may_block = true});
    if (!slice || slice->base_offset.value() != offset || slice->bytes.length != bytes.size()) {
      return "the index leads elsewhere for offset " + number(from.value());
    }
  }
  return std::nullopt;
}

Violation check_times(Log& log, const Contents& contents, base::Random& random) {
  struct Place {
    base::WallMs timestamp;
    std::int64_t offset;
  };
  std::vector<Place> places;
  for (const auto& [offset, bytes] : contents.batches) {
    const auto batch = *record::BatchView::parse(bytes);
    record::RecordReader reader(batch.records(), batch.count());
    record::RecordView record;
    while (reader.next(record)) {
      const std::int64_t at = offset + record.offset_delta;
      if (at < log.start_offset().value()) continue;
      places.push_back({batch.base_timestamp() + record.timestamp_delta, at});
    }
  }
  for (int i = 0; i < 6 && !places.empty(); ++i) {
    const base::WallMs wanted = places[random.below(places.size())].timestamp + (i == 0 ? 1 : 0);
    const auto expected =
        std::ranges::find_if(places, [&](const Place& place) { return place.timestamp >= wanted; });
    const auto found = log.prepare_lookup(wanted, log.end_offset()).run();
    if (!found) return "a lookup by time failed: " + found.error().what;
    const std::int64_t offset = *found ? (*found)->offset.value() : -1;
    const std::int64_t due = expected == places.end() ? -1 : expected->offset;
    if (offset != due) {
      return "time " + number(wanted) + " leads to " + number(offset) + ", not " + number(due);
    }
  }
  const auto largest = std::ranges::max_element(places, {}, &Place::timestamp);
  const auto found = log.prepare_max_timestamp(log.end_offset()).run();
  if (!found) return "a lookup of the largest time failed: " + found.error().what;
  const std::int64_t due = largest == places.end() ? -1 : largest->timestamp;
  if ((*found ? (*found)->timestamp : -1) != due) {
    return "the largest time is not " + number(due);
  }
  return std::nullopt;
}

Violation check_epochs(const Log& log, const Contents& contents) {
  std::optional<base::LeaderEpoch> last;
  std::size_t count = 0;
  for (const auto& [offset, bytes] : contents.batches) {
    const auto batch = *record::BatchView::parse(bytes);
    const base::Offset at = std::max(base::Offset(offset), log.start_offset());
    if (log.epochs().epoch_at(at) != batch.leader_epoch()) {
      return "offset " + number(at.value()) + " is of another epoch";
    }
    if (last != batch.leader_epoch()) ++count;
    last = batch.leader_epoch();
  }
  if (!contents.batches.empty() && log.epochs().entries().size() != count) {
    return "there are " + number(static_cast<std::int64_t>(log.epochs().entries().size())) +
           " epochs, not " + number(static_cast<std::int64_t>(count));
  }
  return std::nullopt;
}

// Everything that was ever given, applied in order, is what the log remembers of producers.
Violation check_producers(Log& log, const Contents& contents, const LogModel& model) {
  broker::ProducerStates expected({});
  std::vector<broker::AbortedTxn> aborted;
  std::int64_t at = model.base;
  expected.reset(base::Offset(at));
  while (at < log.end_offset().value()) {
    const auto there = contents.batches.find(at);
    const auto given = model.batches.find(at);
    if (there == contents.batches.end() && given == model.batches.end()) {
      return "the history has no batch at " + number(at);
    }
    const base::Bytes& bytes =
        there != contents.batches.end() ? there->second : given->second.back();
    const auto batch = *record::BatchView::parse(bytes);
    const auto completed = expected.apply(batch, 0);
    if (completed && completed->aborted && completed->last_offset >= log.start_offset()) {
      aborted.push_back(completed->index_entry());
    }
    at = batch.next_offset().value();
  }
  expected.on_log_start(log.start_offset());
  if (expected.encode_snapshot() != log.producers().encode_snapshot()) {
    return "the producers are not those of the batches";
  }
  const auto found = log.aborted_transactions(log.start_offset(), log.end_offset());
  if (!found) return "aborted transactions do not read: " + found.error().what;
  const auto same = [](const broker::AbortedTxn& a, const broker::AbortedTxn& b) {
    return a.producer_id == b.producer_id && a.first_offset == b.first_offset &&
           a.last_offset == b.last_offset;
  };
  if (!std::ranges::equal(aborted, *found, same)) {
    return "there are " + number(static_cast<std::int64_t>(found->size())) +
           " aborted transactions, not " + number(static_cast<std::int64_t>(aborted.size()));
  }
  return std::nullopt;
}

}  // namespace

Violation check_log(Log& log, const LogModel& model, base::Random& random) {
  if (auto violation = check_bounds(log, model)) return violation;
  const Contents contents = read_all(log);
  if (contents.violation) return contents.violation;
  if (auto violation = check_contents(contents, model)) return violation;
  if (auto violation = check_indexes(log, contents, random)) return violation;
  if (auto violation = check_times(log, contents, random)) return violation;
  if (auto violation = check_epochs(log, contents)) return violation;
  if (model.reset_to) return std::nullopt;
  return check_producers(log, contents, model);
}

std::string describe_log(Log& log) {
  const Contents contents = read_all(log);
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  const auto mix = [&](base::BytesView bytes) {
    for (std::byte byte : bytes) {
      hash = (hash ^ static_cast<std::uint64_t>(byte)) * 0x100000001b3ULL;
    }
  };
  for (const auto& [offset, bytes] : contents.batches) mix(bytes);
  mix(log.producers().encode_snapshot());
  // Of epochs without records nothing is promised.
  std::string epochs;
  for (const broker::EpochStart& entry : log.epochs().entries()) {
    if (entry.start >= log.end_offset()) break;
    epochs += number(entry.leader_epoch.value()) + " from " + number(entry.start.value()) + ", ";
  }
  return number(log.start_offset().value()) + " to " + number(log.end_offset().value()) + " in " +
         number(static_cast<std::int64_t>(log.segment_count())) + " segments, epochs " + epochs +
         "digest " + std::to_string(hash) + contents.violation.value_or("");
}

}  // namespace sim
