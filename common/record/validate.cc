#include "common/record/validate.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "common/record/builder.h"
#include "common/record/record_view.h"

namespace record {
namespace {

using wire::ErrorCode;
using Verdict = std::expected<void, ValidateError>;

constexpr std::int16_t kFirstVersionOfFormat2 = 3;
constexpr std::int16_t kFirstVersionOfZstd = 7;
constexpr std::size_t kRecordSizeMin = 7;  // seven fields, a byte each

std::unexpected<ValidateError> refuse(ErrorCode code, std::string message) {
  return std::unexpected(ValidateError{code, std::move(message), {}});
}

std::string text(auto number) { return std::to_string(number); }

std::unexpected<ValidateError> refuse_unparsed(ParseError error, std::int16_t produce_version) {
  switch (error) {
    case ParseError::kIncomplete:
      return refuse(ErrorCode::kInvalidRecord, "the records hold no whole record batch");
    case ParseError::kBadLength:
      return refuse(ErrorCode::kCorruptMessage, std::string(to_string(error)));
    case ParseError::kBadOffsets:
      return refuse(ErrorCode::kInvalidRecord, std::string(to_string(error)));
    case ParseError::kOldMagic:
      if (produce_version < kFirstVersionOfFormat2)
        return refuse(ErrorCode::kUnsupportedForMessageFormat,
                      "message formats 0 and 1 are not supported, use format 2");
      [[fallthrough]];
    case ParseError::kUnknownMagic:
      break;
  }
  return refuse(ErrorCode::kInvalidRecord, "produce requests of version " + text(produce_version) +
                                               " may only hold batches of message format 2");
}

// What Kafka checks while it reads the request.
std::expected<BatchView, ValidateError> parse_only_batch(base::BytesView records,
                                                         const ValidateOptions& options) {
  if (records.empty())
    return refuse(ErrorCode::kInvalidRecord, "there must be one record batch for each partition");
  const auto batch = BatchView::parse(records);
  if (!batch) return refuse_unparsed(batch.error(), options.produce_version);
  const std::optional<Codec> codec = batch->codec();
  if (!codec)
    return refuse(ErrorCode::kUnsupportedCompressionType, "the batch names an unknown codec");
  if (codec == Codec::kZstd && options.produce_version < kFirstVersionOfZstd)
    return refuse(ErrorCode::kUnsupportedCompressionType,
                  "produce requests of version " + text(options.produce_version) +
                      " may not hold zstd, which needs version 7");
  if (batch->total_size() != records.size())
    return refuse(ErrorCode::kInvalidRecord,
                  "there must be exactly one record batch for each partition");
  return *batch;
}

// Size and checksum: is this the batch that the client meant to send?
Verdict check_envelope(const BatchView& batch, const ValidateOptions& options) {
  if (batch.base_offset().value() != 0)
    return refuse(ErrorCode::kInvalidRecord,
                  "the base offset of a produced batch must be 0 and is " +
                      text(batch.base_offset().value()));
  if (std::cmp_greater(batch.total_size(), options.batch_bytes_max))
    return refuse(ErrorCode::kMessageTooLarge,
                  "the batch has " + text(batch.total_size()) +
                      " bytes, more than max.message.bytes=" + text(options.batch_bytes_max));
  const std::uint32_t computed = batch.computed_crc();
  if (batch.crc() != computed)
    return refuse(ErrorCode::kCorruptMessage, "the batch is damaged: its checksum is " +
                                                  text(batch.crc()) + " and should be " +
                                                  text(computed));
  return {};
}

Verdict check_header(const BatchView& batch) {
  if (batch.last_offset_delta() < 0)
    return refuse(ErrorCode::kInvalidRecord, "the last offset delta is negative");
  if (batch.count() <= 0)
    return refuse(ErrorCode::kInvalidRecord,
                  "the record count is " + text(batch.count()) + " and must be positive");
  if (batch.last_offset_delta() != batch.count() - 1)
    return refuse(ErrorCode::kInvalidRecord, "the batch has " + text(batch.count()) +
                                                 " records but a last offset delta of " +
                                                 text(batch.last_offset_delta()));
  if (!batch.is_compressed() &&
      std::cmp_greater(batch.count(), batch.records().size() / kRecordSizeMin))
    return refuse(ErrorCode::kInvalidRecord,
                  "the batch is too small for " + text(batch.count()) + " records");
  if (batch.is_control())
    return refuse(ErrorCode::kInvalidRecord, "clients may not write control batches");
  if (batch.has_producer_id() && batch.base_sequence() < 0)
    return refuse(ErrorCode::kInvalidRecord,
                  "the batch of producer " + text(batch.producer_id().value()) +
                      " has the negative sequence " + text(batch.base_sequence()));
  if (batch.timestamp_type() == TimestampType::kLogAppendTime)
    return refuse(ErrorCode::kInvalidTimestamp,
                  "producers may not set the timestamp type LogAppendTime");
  return {};
}

// [now - before.max, now + after.max]; a bound that no integer holds does not bind.
bool in_range(base::WallMs timestamp, const ValidateOptions& options) {
  if (timestamp == kNoTimestamp) return true;
  std::int64_t age = 0;
  if (__builtin_sub_overflow(options.now, timestamp, &age)) return false;
  return age <= options.timestamp_before_max_ms && -age <= options.timestamp_after_max_ms;
}

// From the header alone: the last timestamp is not too late, the first not too early.
bool header_timestamps_fit(const BatchView& batch, const ValidateOptions& options) {
  if (options.timestamp_type == TimestampType::kLogAppendTime) return true;
  return in_range(batch.max_timestamp(), options) && in_range(batch.base_timestamp(), options);
}

base::WallMs add_wrapping(base::WallMs timestamp, std::int64_t delta) {
  return static_cast<base::WallMs>(static_cast<std::uint64_t>(timestamp) +
                                   static_cast<std::uint64_t>(delta));
}

std::string range_text(const ValidateOptions& options) {
  std::int64_t low = 0;
  std::int64_t high = 0;
  const bool open_below =
      __builtin_sub_overflow(options.now, options.timestamp_before_max_ms, &low) || low < 0;
  const bool open_above =
      __builtin_add_overflow(options.now, options.timestamp_after_max_ms, &high);
  return "[" + (open_below ? std::string("0") : text(low)) + ", " +
         (open_above ? std::string("any") : text(high)) + "]";
}

// Goes through the records of one batch.
class Walk {
 public:
  Walk(const BatchView& batch, const ValidateOptions& options) : batch_(batch), options_(options) {}

  Verdict run(base::BytesView section) {
    RecordReader reader(section, batch_.count());
    RecordView record;
    while (reader.next(record)) {
      if (record.offset_delta != reader.index() - 1)
        return refuse(ErrorCode::kInvalidRecord, "record " + text(reader.index() - 1) +
                                                     " has the offset delta " +
                                                     text(record.offset_delta));
      look_at(record, reader.index() - 1);
    }
    if (!reader.error().empty())
      return refuse(ErrorCode::kInvalidRecord,
                    "record " + text(reader.index()) + ": " + std::string(reader.error()));
    if (error_count_ == 0) return {};
    const bool timestamps = bad_timestamp_;
    return std::unexpected(ValidateError{
        timestamps ? ErrorCode::kInvalidTimestamp : ErrorCode::kInvalidRecord,
        timestamps ? "one or more records have a timestamp that is out of range"
                   : text(error_count_) + " records were refused: " + errors_.front().message,
        std::move(errors_)});
  }

  base::WallMs max_timestamp() const { return max_timestamp_; }

 private:
  void look_at(const RecordView& record, std::int32_t index) {
    const base::WallMs timestamp = add_wrapping(batch_.base_timestamp(), record.timestamp_delta);
    max_timestamp_ = index == 0 ? timestamp : std::max(max_timestamp_, timestamp);
    if (options_.compacted && !record.key) {
      note(index, "a compacted topic cannot take a record without a key");
    } else if (options_.timestamp_type == TimestampType::kCreateTime &&
               !in_range(timestamp, options_)) {
      bad_timestamp_ = true;
      note(index, "timestamp " + text(timestamp) + " is out of the range " + range_text(options_));
    }
  }

  void note(std::int32_t index, std::string message) {
    ++error_count_;
    if (errors_.size() < kRecordErrorsMax) errors_.push_back({index, std::move(message)});
  }

  const BatchView batch_;
  const ValidateOptions& options_;
  base::WallMs max_timestamp_ = kNoTimestamp;
  bool bad_timestamp_ = false;
  std::int32_t error_count_ = 0;
  std::vector<RecordError> errors_;
};

std::unexpected<ValidateError> refuse_packed(DecompressError error,
                                             const ValidateOptions& options) {
  if (error == DecompressError::kTooLarge)
    return refuse(ErrorCode::kMessageTooLarge,
                  "the records are larger when decompressed than max.decompressed.message.bytes=" +
                      text(options.decompressed_bytes_max));
  return refuse(ErrorCode::kInvalidRecord, std::string(to_string(error)));
}

// Walks the records, and puts them into the topic's codec when that differs.
std::expected<Validated, ValidateError> check_records(const BatchView& batch, Codec codec,
                                                      base::MutableBytes bytes,
                                                      const ValidateOptions& options) {
  base::Bytes unpacked;
  base::BytesView section = batch.records();
  if (codec != Codec::kNone) {
    auto result =
        decompress(codec, section, static_cast<std::size_t>(options.decompressed_bytes_max));
    if (!result) return refuse_packed(result.error(), options);
    unpacked = std::move(*result);
    section = unpacked;
  }
  Walk walk(batch, options);
  if (auto verdict = walk.run(section); !verdict)
    return std::unexpected(std::move(verdict.error()));
  if (walk.max_timestamp() != batch.max_timestamp())
    set_max_timestamp(bytes, TimestampType::kCreateTime, walk.max_timestamp());
  Validated validated;
  if (options.codec && *options.codec != codec) {
    validated.rewritten = with_records(batch, section, *options.codec, options.level);
    if (std::cmp_greater(validated.rewritten.size(), options.batch_bytes_max))
      return refuse(ErrorCode::kMessageTooLarge,
                    "the batch has " + text(validated.rewritten.size()) + " bytes as " +
                        std::string(to_string(*options.codec)) +
                        ", more than max.message.bytes=" + text(options.batch_bytes_max));
  }
  return validated;
}

}  // namespace

std::expected<Validated, ValidateError> validate_produce(base::MutableBytes records,
                                                         const ValidateOptions& options) {
  const auto batch = parse_only_batch(records, options);
  if (!batch) return std::unexpected(batch.error());
  if (auto verdict = check_envelope(*batch, options); !verdict)
    return std::unexpected(std::move(verdict.error()));
  if (auto verdict = check_header(*batch); !verdict)
    return std::unexpected(std::move(verdict.error()));

  const Codec codec = *batch->codec();
  const bool needs_walk = options.compacted || options.check_every_record ||
                          (options.codec && *options.codec != codec) ||
                          !header_timestamps_fit(*batch, options);
  Validated validated;
  if (needs_walk) {
    auto checked = check_records(*batch, codec, records, options);
    if (!checked) return checked;
    validated = std::move(*checked);
  }
  const std::size_t size =
      validated.rewritten.empty() ? batch->total_size() : validated.rewritten.size();
  if (std::cmp_greater(size, options.segment_bytes))
    return refuse(ErrorCode::kRecordListTooLarge,
                  "the batch has " + text(size) +
                      " bytes, more than segment.bytes=" + text(options.segment_bytes));
  return validated;
}

}  // namespace record
