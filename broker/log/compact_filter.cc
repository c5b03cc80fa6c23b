#include "broker/log/compact_filter.h"

#include <algorithm>

#include "common/base/crc32c.h"
#include "common/base/varint.h"
#include "common/record/compress.h"
#include "common/record/control.h"
#include "common/record/record_steps.h"

namespace broker {

using record::Attributes;
using record::BatchView;
using record::Layout;

// ---- transactions

void CleanedTxns::add_aborted(std::span<const AbortedTxn> txns) {
  for (const AbortedTxn& txn : txns) coming_.emplace(txn.first_offset, txn);
}

void CleanedTxns::open_up_to(base::Offset offset) {
  while (!coming_.empty() && coming_.begin()->first <= offset) {
    const AbortedTxn& txn = coming_.begin()->second;
    aborted_.try_emplace(txn.producer_id, Aborted{txn});
    coming_.erase(coming_.begin());
  }
}

bool CleanedTxns::on_data(const BatchView& batch) {
  open_up_to(batch.last_offset());
  if (!batch.is_transactional()) return false;
  const auto aborted = aborted_.find(batch.producer_id());
  if (aborted != aborted_.end()) {
    aborted->second.met = true;
    return true;
  }
  committed_.insert(batch.producer_id());
  return false;
}

bool CleanedTxns::on_control(const BatchView& batch) {
  open_up_to(batch.last_offset());
  if (batch.count() == 0) return true;  // only its header was kept
  const auto marker = record::parse_end_txn_marker(batch);
  if (!marker) return false;
  if (marker->commit) return committed_.erase(batch.producer_id()) == 0;
  const auto aborted = aborted_.find(batch.producer_id());
  if (aborted == aborted_.end()) return true;
  const Aborted ended = aborted->second;
  aborted_.erase(aborted);
  if (ended.met) kept_.push_back(ended.txn);
  return !ended.met;
}

// ---- batches

std::expected<void, std::string> open_batch(const BatchView& batch, std::size_t limit,
                                            OpenBatch& open) {
  const auto codec = batch.codec();
  const auto fail = [&](std::string_view why) {
    return std::unexpected("the batch at offset " + std::to_string(batch.base_offset().value()) +
                           ": " + std::string(why));
  };
  if (!codec) return fail("unknown codec");
  open.section = batch.records();
  if (*codec == record::Codec::kNone || batch.count() == 0) return {};
  auto output = record::decompress(*codec, batch.records(), limit);
  if (!output) return fail(record::to_string(output.error()));
  open.buffer = std::move(*output);
  open.section = open.buffer;
  return {};
}

namespace {

// Enough for their slots to come into the cache side by side, few enough for them to stay there.
constexpr std::size_t kLookedUpTogether = 256;

// `reader`: RecordReader or RecordSteps.
std::unexpected<std::string> malformed(const BatchView& batch, const auto& reader) {
  return std::unexpected("the batch at offset " + std::to_string(batch.base_offset().value()) +
                         ": record " + std::to_string(reader.index()) + ": " +
                         std::string(reader.error()));
}

}  // namespace

bool KeyIndexer::put_all() {
  for (const auto& [hash, offset] : hashes_) {
    if (!keys_.put(hash, offset)) {
      advance_end(offset);
      return false;
    }
    advance_end(offset + 1);
  }
  return true;
}

std::expected<bool, std::string> KeyIndexer::add(const BatchView& batch) {
  if (batch.is_control()) {
    txns_.on_control(batch);
    advance_end(batch.next_offset());
    return true;
  }
  const bool aborted = txns_.on_data(batch);
  if (aborted || batch.count() == 0 || batch.next_offset() <= from_) {
    advance_end(batch.next_offset());
    return true;
  }
  if (auto opened = open_batch(batch, batch_bytes_max_, open_); !opened) {
    return std::unexpected(opened.error());
  }
  record::RecordReader reader(open_.section, batch.count());
  record::RecordView record;
  for (bool more = true; more;) {
    hashes_.clear();
    while (hashes_.size() < kLookedUpTogether && (more = reader.next(record))) {
      const base::Offset offset = batch.base_offset() + record.offset_delta;
      if (!record.key || offset < from_) continue;
      hashes_.emplace_back(keys_.hash(*record.key), offset);
      keys_.prefetch(hashes_.back().first);
    }
    if (!put_all()) return false;
  }
  if (!reader.error().empty()) return malformed(batch, reader);
  advance_end(batch.next_offset());
  return true;
}

// ---- filter

CompactFilter::CompactFilter(const KeyMap& keys, const Options& options, LastOfProducers last)
    : keys_(keys), options_(options), last_(std::move(last)) {
  const base::Offset start = options_.map_start;
  const std::uint64_t room = std::min<std::uint64_t>(options_.newest_bytes_max, 1 << 30) * 8;
  const base::Offset end = std::min(options_.map_end, start + static_cast<std::int64_t>(room));
  if (end <= start) return;
  newest_ = OffsetSet(start, end);
  keys_.add_newest(newest_);
}

bool CompactFilter::keeps_header(const BatchView& batch, base::Offset group_end) const {
  if (batch.next_offset() == group_end) return true;
  if (!batch.has_producer_id()) return false;
  const auto last = last_.find(batch.producer_id());
  if (last == last_.end()) return false;
  if (last->second.last_data_offset) return batch.last_offset() == *last->second.last_data_offset;
  return batch.is_control() && batch.producer_epoch() == last->second.producer_epoch;
}

// Of a record whose key decides; its slot is on the way into the cache then.
KeyHash CompactFilter::hash_of(const BatchView& batch, const record::RecordView& record) const {
  const bool is_beyond = batch.base_offset() + record.offset_delta >= options_.map_end;
  if (batch.is_control() || is_beyond || !record.key) return {};
  const KeyHash hash = keys_.hash(*record.key);
  keys_.prefetch(hash);
  return hash;
}

bool CompactFilter::keeps_record(const BatchView& batch, const record::RecordView& record,
                                 const KeyHash& hash) {
  if (batch.is_control()) return true;
  const base::Offset offset = batch.base_offset() + record.offset_delta;
  if (offset >= options_.map_end) return true;
  if (!record.key) {
    ++stats_.keyless_dropped;
    return false;
  }
  const auto newest = keys_.find(hash);
  if (newest && offset < *newest) return false;
  return keeps_value(batch, record);
}

// Of the newest record of a key: whether it is no tombstone, or one whose time has not come.
bool CompactFilter::keeps_value(const BatchView& batch, const record::RecordView& record) const {
  if (record.value) return true;
  const auto horizon = batch.delete_horizon();
  return !horizon || options_.now < *horizon;
}

// Of records_ from `first` on, what stays.
void CompactFilter::keep_from(const BatchView& batch, std::size_t first) {
  std::size_t kept = first;
  for (std::size_t i = 0; i < hashes_.size(); ++i) {
    const record::RecordView& record = records_[first + i];
    ++stats_.records_read;
    if (!keeps_record(batch, record, hashes_[i])) continue;
    has_tombstone_ = has_tombstone_ || (!batch.is_control() && !record.value);
    records_[kept++] = record;
  }
  records_.resize(kept);
}

// As sift, of a batch that the first pass looked at: a record is opened only when it stays.
std::expected<void, std::string> CompactFilter::sift_noted(const BatchView& batch) {
  record::RecordSteps steps(open_.section, batch.count());
  record::RecordSteps::Step step;
  record::RecordView record;
  while (steps.next(step)) {
    ++stats_.records_read;
    const base::Offset offset = batch.base_offset() + step.offset_delta;
    const bool is_noted = newest_.covers(offset);
    if (is_noted && !newest_.contains(offset)) {
      if (!step.has_key) ++stats_.keyless_dropped;
      continue;
    }
    if (record::RecordReader reader(step.bytes, 1); !reader.next(record)) {
      return malformed(batch, reader);
    }
    if (is_noted ? !keeps_value(batch, record)
                 : !keeps_record(batch, record, hash_of(batch, record))) {
      continue;
    }
    has_tombstone_ = has_tombstone_ || !record.value;
    records_.push_back(record);
  }
  if (!steps.error().empty()) return malformed(batch, steps);
  return {};
}

std::expected<void, std::string> CompactFilter::sift(const BatchView& batch) {
  if (auto opened = open_batch(batch, options_.batch_bytes_max, open_); !opened) return opened;
  const bool is_noted =
      batch.base_offset() >= newest_.start() && batch.next_offset() <= newest_.end();
  if (is_noted && !batch.is_control()) return sift_noted(batch);
  record::RecordReader reader(open_.section, batch.count());
  record::RecordView record;
  for (bool more = true; more;) {
    const std::size_t first = records_.size();
    hashes_.clear();
    while (hashes_.size() < kLookedUpTogether && (more = reader.next(record))) {
      records_.push_back(record);
      hashes_.push_back(hash_of(batch, record));
    }
    keep_from(batch, first);
  }
  if (!reader.error().empty()) return malformed(batch, reader);
  return {};
}

std::expected<base::BytesView, std::string> CompactFilter::filter(const BatchView& batch,
                                                                  base::Offset group_end,
                                                                  std::uint64_t growth_max) {
  ++stats_.batches_read;
  stats_.bytes_read += batch.total_size();
  records_.clear();
  has_tombstone_ = false;
  const bool ended = batch.is_control() ? txns_.on_control(batch) : txns_.on_data(batch);
  if (batch.base_offset() >= options_.map_end) {
    ++stats_.batches_written;
    stats_.bytes_written += batch.total_size();
    return batch.bytes();
  }
  const auto horizon = batch.delete_horizon();
  // A marker outlives its transaction by delete.retention.ms, an aborted record does not.
  const bool discards =
      ended && (!batch.is_control() || batch.count() == 0 || (horizon && *horizon <= options_.now));
  if (!discards) {
    if (auto sifted = sift(batch); !sifted) return std::unexpected(sifted.error());
  }
  stats_.records_kept += records_.size();
  if (records_.empty()) {
    if (!keeps_header(batch, group_end)) return base::BytesView{};
    ++stats_.batches_written;
    if (batch.count() == 0) {
      stats_.bytes_written += batch.total_size();
      return batch.bytes();
    }
    write_empty(batch);
    stats_.bytes_written += out_.size();
    return base::BytesView(out_);
  }
  ++stats_.batches_written;
  std::optional<base::WallMs> new_horizon;
  if ((has_tombstone_ || (ended && batch.is_control())) && !horizon) {
    new_horizon = options_.now + options_.delete_retention_ms;
  }
  const bool whole = static_cast<std::int32_t>(records_.size()) == batch.count();
  if (!whole || new_horizon) {
    write_kept(batch, new_horizon);
    if (out_.size() <= batch.total_size() + growth_max) {
      stats_.bytes_written += out_.size();
      return base::BytesView(out_);
    }
  }
  stats_.bytes_written += batch.total_size();
  return batch.bytes();
}

// ---- writing

namespace {

void begin(base::Bytes& out, const BatchView& batch) {
  const auto header = batch.bytes().first(record::kHeaderSize);
  out.assign(header.begin(), header.end());
}

void seal(base::Bytes& out) {
  base::store_be(out.data() + Layout::kLength,
                 static_cast<std::int32_t>(out.size() - record::kLogOverhead));
  base::store_be(out.data() + Layout::kCrc,
                 base::crc32c(base::BytesView(out).subspan(Layout::kAttributes)));
}

std::size_t varint_length(base::BytesView bytes) {
  std::size_t size = 1;
  while (size < bytes.size() && (static_cast<std::uint8_t>(bytes[size - 1]) & 0x80) != 0) ++size;
  return size;
}

// The record with another timestamp delta: what stands behind that is copied.
void append_moved(base::Bytes& out, const record::RecordView& record, std::int64_t delta) {
  const std::size_t length = varint_length(record.bytes);
  const base::BytesView body = record.bytes.subspan(length);
  const base::BytesView rest = body.subspan(1 + varint_length(body.subspan(1)));
  const std::size_t size = 1 + base::varlong_size(delta) + rest.size();
  base::append_varint(out, static_cast<std::int32_t>(size));
  out.push_back(body.front());
  base::append_varlong(out, delta);
  out.insert(out.end(), rest.begin(), rest.end());
}

}  // namespace

// Offsets, producer and sequences stay: who reads the log knows the producer again.
void CompactFilter::write_empty(const BatchView& batch) {
  begin(out_, batch);
  const int attributes =
      batch.attributes() & ~(Attributes::kCodecMask | Attributes::kDeleteHorizon);
  base::store_be(out_.data() + Layout::kAttributes, static_cast<std::int16_t>(attributes));
  base::store_be(out_.data() + Layout::kBaseTimestamp, record::kNoTimestamp);
  base::store_be(out_.data() + Layout::kCount, std::int32_t{0});
  seal(out_);
}

// Deltas count from the base timestamp, which a delete horizon takes the place of.
void CompactFilter::write_kept(const BatchView& batch, std::optional<base::WallMs> new_horizon) {
  const bool compressed = batch.is_compressed();
  begin(out_, batch);
  base::Bytes& section = compressed ? section_ : out_;
  if (compressed) section_.clear();
  base::WallMs largest = record::kNoTimestamp;
  for (const record::RecordView& record : records_) {
    const base::WallMs timestamp = batch.base_timestamp() + record.timestamp_delta;
    largest = std::max(largest, timestamp);
    if (new_horizon) {
      append_moved(section, record, timestamp - *new_horizon);
    } else {
      section.insert(section.end(), record.bytes.begin(), record.bytes.end());
    }
  }
  if (compressed) {
    const base::Bytes packed = record::compress(*batch.codec(), section_);
    out_.insert(out_.end(), packed.begin(), packed.end());
  }
  if (new_horizon) {
    const int attributes = batch.attributes() | Attributes::kDeleteHorizon;
    base::store_be(out_.data() + Layout::kAttributes, static_cast<std::int16_t>(attributes));
    base::store_be(out_.data() + Layout::kBaseTimestamp, *new_horizon);
  }
  if (batch.timestamp_type() == record::TimestampType::kCreateTime) {
    base::store_be(out_.data() + Layout::kMaxTimestamp, largest);
  }
  base::store_be(out_.data() + Layout::kCount, static_cast<std::int32_t>(records_.size()));
  seal(out_);
}

}  // namespace broker
