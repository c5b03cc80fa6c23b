// What a broker demands of the batch that a producer sends for one partition, before an offset is
// given to it. Errors are those that Apache Kafka 4 gives.
//
// The quick path reads the header and the checksum only. Records are walked (and decompressed) only
// when the topic needs it: compaction needs keys, a compression.type of the topic's own needs the
// records. docs/decisions/0005-batches-stored-as-sent.md says how this differs from Kafka.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/time.h"
#include "common/record/batch_view.h"
#include "common/record/compress.h"
#include "common/wire/error_code.h"

namespace record {

struct ValidateOptions {
  std::int16_t produce_version = 0;  // of the request
  base::WallMs now = 0;
  // Configs of the topic.
  bool compacted = false;
  TimestampType timestamp_type = TimestampType::kCreateTime;
  std::int64_t timestamp_before_max_ms = INT64_MAX;
  std::int64_t timestamp_after_max_ms = 3'600'000;
  std::int32_t batch_bytes_max = 1'048'588;             // max.message.bytes
  std::int32_t segment_bytes = 1'073'741'824;           // segment.bytes
  std::int32_t decompressed_bytes_max = INT32_MAX - 8;  // max.decompressed.message.bytes
  std::optional<Codec> codec;                           // compression.type; nothing means producer
  Level level;                                          // for `codec`
  // Walks the records though the topic does not need it.
  bool check_every_record = false;
};

// One refused record, as ProduceResponse carries it: its index in the batch.
struct RecordError {
  std::int32_t index = 0;
  std::string message;
};

struct ValidateError {
  wire::ErrorCode code = wire::ErrorCode::kNone;
  std::string message;
  std::vector<RecordError> records;  // at most kRecordErrorsMax of them
};
inline constexpr std::size_t kRecordErrorsMax = 100;

struct Validated {
  // Empty: append the bytes that were given. Else append these: the records in the topic's codec.
  base::Bytes rewritten;
};

// Checks the records field of one partition. Under message.timestamp.type=LogAppendTime the caller
// stamps the batch (set_max_timestamp) when it appends. `records` is changed only when a walk found
// the header's max timestamp wrong: it is then put right, as Kafka does.
std::expected<Validated, ValidateError> validate_produce(base::MutableBytes records,
                                                         const ValidateOptions& options);

}  // namespace record
