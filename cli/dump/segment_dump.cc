// A segment: its batches, and their records when asked.
#include <fmt/format.h>

#include <algorithm>

#include "cli/dump/entry_writer.h"
#include "cli/dump/log_dump.h"
#include "cli/text/encode.h"
#include "common/record/batch_view.h"
#include "common/record/compress.h"
#include "common/record/control.h"
#include "common/record/record_view.h"

namespace cli {
namespace {

using Json = EntryWriter::Json;

constexpr std::size_t kRecordSectionMax = 256 << 20;

struct Totals {
  std::int64_t batches = 0;
  std::int64_t records = 0;
  std::optional<std::int64_t> first_offset;
  std::int64_t last_offset = -1;
};

std::string timestamp_name(const record::BatchView& batch) {
  return batch.timestamp_type() == record::TimestampType::kLogAppendTime ? "LogAppendTime"
                                                                         : "CreateTime";
}

std::string codec_name(const record::BatchView& batch) {
  auto codec = batch.codec();
  if (!codec)
    return fmt::format("unknown({})", batch.attributes() & record::Attributes::kCodecMask);
  return *codec == record::Codec::kNone ? "none" : std::string(record::to_string(*codec));
}

// Kafka's dump tool uses the same words.
Json batch_facts(const record::BatchView& batch, std::size_t position, bool valid) {
  Json facts{{"baseOffset", batch.base_offset().value()},
             {"lastOffset", batch.last_offset().value()},
             {"count", batch.count()},
             {"baseSequence", batch.base_sequence()},
             {"lastSequence", batch.has_sequence() ? batch.last_sequence() : -1},
             {"producerId", batch.producer_id().value()},
             {"producerEpoch", batch.producer_epoch().value()},
             {"partitionLeaderEpoch", batch.leader_epoch().value()},
             {"isTransactional", batch.is_transactional()},
             {"isControl", batch.is_control()}};
  if (auto horizon = batch.delete_horizon()) facts["deleteHorizonMs"] = *horizon;
  facts["position"] = position;
  facts[timestamp_name(batch)] = batch.max_timestamp();
  facts["size"] = batch.total_size();
  facts["magic"] = batch.magic();
  facts["compresscodec"] = codec_name(batch);
  facts["crc"] = batch.crc();
  facts["isvalid"] = valid;
  return facts;
}

void put_bytes(Json& facts, const std::string& name, const std::optional<base::BytesView>& bytes) {
  if (!bytes) {
    facts[name] = nullptr;
  } else if (is_utf8(base::as_text(*bytes))) {
    facts[name] = base::as_text(*bytes);
  } else {
    facts[name + "_base64"] = to_base64(base::as_text(*bytes));
  }
}

Json record_facts(const record::BatchView& batch, const record::RecordView& record) {
  Json facts{{"offset", batch.base_offset().value() + record.offset_delta}};
  facts[timestamp_name(batch)] = batch.timestamp_type() == record::TimestampType::kLogAppendTime
                                     ? batch.max_timestamp()
                                     : batch.base_timestamp() + record.timestamp_delta;
  facts["keySize"] = record.key ? static_cast<std::int64_t>(record.key->size()) : -1;
  facts["valueSize"] = record.value ? static_cast<std::int64_t>(record.value->size()) : -1;
  if (batch.has_sequence()) {
    facts["sequence"] = record::add_sequence(batch.base_sequence(), record.offset_delta);
  }
  Json headers = Json::array();
  for (const auto& header : record.headers) {
    Json entry;
    put_bytes(entry, "key", base::as_bytes(header.key));
    put_bytes(entry, "value", header.value);
    headers.push_back(std::move(entry));
  }
  facts["headers"] = std::move(headers);
  put_bytes(facts, "key", record.key);
  put_bytes(facts, "payload", record.value);
  return facts;
}

Json control_facts(const record::BatchView& batch) {
  Json facts{{"offset", batch.base_offset().value()}};
  if (auto marker = record::parse_end_txn_marker(batch)) {
    facts["endTxnMarker"] = marker->commit ? "COMMIT" : "ABORT";
    facts["coordinatorEpoch"] = marker->coordinator_epoch;
  } else if (auto type = record::parse_control_type(batch)) {
    facts["controlType"] = static_cast<int>(*type);
  } else {
    facts["controlType"] = "unknown";
  }
  return facts;
}

void dump_records(const record::BatchView& batch, std::size_t position, EntryWriter& writer) {
  if (batch.is_control()) return writer.entry("record", control_facts(batch), "| ");
  auto codec = batch.codec();
  if (!codec) return writer.problem(position, "unknown codec");
  base::BytesView section = batch.records();
  base::Bytes plain;
  if (*codec != record::Codec::kNone) {
    auto out = record::decompress(*codec, section, kRecordSectionMax);
    if (!out) return writer.problem(position, record::to_string(out.error()));
    plain = std::move(*out);
    section = plain;
  }
  record::RecordReader reader(section, batch.count());
  record::RecordView record;
  while (reader.next(record)) writer.entry("record", record_facts(batch, record), "| ");
  if (!reader.error().empty()) {
    writer.problem(position, fmt::format("record {}: {}", reader.index(), reader.error()));
  }
}

void dump_batch(const record::BatchView& batch, std::size_t position, const DumpOptions& options,
                Totals& totals, EntryWriter& writer) {
  bool valid = batch.crc_ok();
  if (!options.summary) {
    writer.entry("batch", batch_facts(batch, position, valid));
    if (options.records && valid) dump_records(batch, position, writer);
  }
  if (!valid) {
    writer.problem(position, fmt::format("checksum {} in the batch, {} of its bytes", batch.crc(),
                                         batch.computed_crc()));
  }
  if (batch.last_offset_delta() < 0 || batch.count() < 0) {
    writer.problem(position, "negative count or offsets");
  } else if (totals.first_offset && batch.base_offset().value() <= totals.last_offset) {
    writer.problem(position, fmt::format("offset {} after offset {}", batch.base_offset().value(),
                                         totals.last_offset));
  }
  ++totals.batches;
  totals.records += std::max(batch.count(), 0);
  if (!totals.first_offset) totals.first_offset = batch.base_offset().value();
  totals.last_offset = batch.last_offset().value();
}

}  // namespace

std::int64_t dump_segment(std::string_view name, base::BytesView bytes, const DumpOptions& options,
                          const DumpOut& out) {
  EntryWriter writer(name, options, out);
  if (!options.summary) writer.open("segment");
  Totals totals;
  record::BatchReader reader(bytes);
  std::size_t position = 0;
  while (auto batch = reader.next()) {
    dump_batch(*batch, position, options, totals, writer);
    position = reader.position();
  }
  if (reader.error()) {
    base::BytesView rest = bytes.subspan(position);
    bool empty = std::ranges::all_of(rest, [](std::byte b) { return b == std::byte{0}; });
    // A preallocated segment ends in zeros: nothing is wrong with those.
    if (!empty) {
      writer.problem(position, fmt::format("{}; {} bytes are left",
                                           record::to_string(*reader.error()), rest.size()));
    }
  }
  Json summary{{"batches", totals.batches}, {"records", totals.records}};
  if (totals.first_offset) {
    summary["firstOffset"] = *totals.first_offset;
    summary["lastOffset"] = totals.last_offset;
  }
  summary["validBytes"] = position;
  summary["bytes"] = bytes.size();
  summary["problems"] = writer.problems();
  writer.summary(summary);
  return writer.problems();
}

}  // namespace cli
