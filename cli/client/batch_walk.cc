#include "cli/client/batch_walk.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/record/batch_view.h"
#include "common/record/compress.h"
#include "common/record/control.h"
#include "common/record/record_view.h"

namespace cli {
namespace {

// What one batch may hold when decompressed: far over any real limit, far under the memory there
// is.
constexpr std::size_t kRecordSectionMax = 256 << 20;

std::optional<std::string_view> text_of(const std::optional<base::BytesView>& bytes) {
  return bytes ? std::optional(base::as_text(*bytes)) : std::nullopt;
}

// Which producers' transactions are aborted at the point that the walk has reached.
class AbortedProducers {
 public:
  explicit AbortedProducers(std::vector<AbortedRange> ranges) : ranges_(std::move(ranges)) {
    std::ranges::sort(ranges_, {}, &AbortedRange::first_offset);
  }
  void reach(std::int64_t offset) {
    for (; next_ < ranges_.size() && ranges_[next_].first_offset <= offset; ++next_) {
      open_.insert(ranges_[next_].producer_id);
    }
  }
  void end(std::int64_t producer_id) { open_.erase(producer_id); }
  bool has(std::int64_t producer_id) const { return open_.contains(producer_id); }

 private:
  std::vector<AbortedRange> ranges_;
  std::size_t next_ = 0;
  std::set<std::int64_t> open_;
};

class Walk {
 public:
  Walk(std::int64_t from, std::vector<AbortedRange> aborted, Message message,
       const std::function<bool(const Message&)>& sink)
      : aborted_(std::move(aborted)), message_(std::move(message)), sink_(sink) {
    result_.next = from;
  }

  std::expected<WalkResult, std::string> run(base::BytesView bytes) {
    record::BatchReader batches(bytes);
    while (auto batch = batches.next()) {
      // The broker sends whole batches: the first may begin before the offset asked for.
      if (batch->last_offset().value() < result_.next) continue;
      if (auto taken = take(*batch); !taken) {
        return std::unexpected(
            fmt::format("batch at offset {}: {}", batch->base_offset().value(), taken.error()));
      }
      if (result_.stopped) return result_;
    }
    // A batch cut off at the end is normal: the answer was full.
    if (batches.error() && *batches.error() != record::ParseError::kIncomplete) {
      return std::unexpected(std::string(record::to_string(*batches.error())));
    }
    return result_;
  }

 private:
  std::expected<void, std::string> take(const record::BatchView& batch) {
    if (!batch.crc_ok()) return std::unexpected("its checksum is wrong");
    aborted_.reach(batch.last_offset().value());
    if (batch.is_control()) {
      auto marker = record::parse_end_txn_marker(batch);
      if (marker && !marker->commit) aborted_.end(batch.producer_id().value());
    } else if (!batch.is_transactional() || !aborted_.has(batch.producer_id().value())) {
      if (auto shown = show(batch); !shown) return shown;
    }
    if (!result_.stopped) result_.next = batch.next_offset().value();
    return {};
  }

  std::expected<void, std::string> show(const record::BatchView& batch) {
    auto codec = batch.codec();
    if (!codec) return std::unexpected("its codec is unknown");
    base::BytesView section = batch.records();
    base::Bytes plain;
    if (*codec != record::Codec::kNone) {
      auto out = record::decompress(*codec, section, kRecordSectionMax);
      if (!out) return std::unexpected(std::string(record::to_string(out.error())));
      plain = std::move(*out);
      section = plain;
    }
    message_.leader_epoch = batch.leader_epoch().value();
    message_.log_append_time = batch.timestamp_type() == record::TimestampType::kLogAppendTime;
    record::RecordReader reader(section, batch.count());
    record::RecordView record;
    while (reader.next(record)) {
      message_.offset = batch.base_offset().value() + record.offset_delta;
      if (message_.offset < result_.next) continue;
      fill(batch, record);
      bool go_on = sink_(message_);
      result_.next = message_.offset + 1;
      if (!go_on) {
        result_.stopped = true;
        return {};
      }
    }
    if (!reader.error().empty()) {
      return std::unexpected(fmt::format("record {}: {}", reader.index(), reader.error()));
    }
    return {};
  }

  void fill(const record::BatchView& batch, const record::RecordView& record) {
    message_.timestamp = message_.log_append_time ? batch.max_timestamp()
                                                  : batch.base_timestamp() + record.timestamp_delta;
    message_.key = text_of(record.key);
    message_.value = text_of(record.value);
    message_.headers.clear();
    for (const auto& header : record.headers) {
      message_.headers.emplace_back(header.key, text_of(header.value));
    }
  }

  AbortedProducers aborted_;
  Message message_;
  const std::function<bool(const Message&)>& sink_;
  WalkResult result_;
};

}  // namespace

std::expected<WalkResult, std::string> walk_batches(
    base::BytesView bytes, std::int64_t from, std::vector<AbortedRange> aborted, Message message,
    const std::function<bool(const Message&)>& sink) {
  return Walk(from, std::move(aborted), std::move(message), sink).run(bytes);
}

}  // namespace cli
