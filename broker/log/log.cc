#include "broker/log/log.h"

#include <algorithm>

#include "common/base/check.h"

namespace broker {

Log::Log(const LogServices& services, std::string directory, const LogConfig& config)
    : services_(services),
      directory_(std::move(directory)),
      producers_({.expiration_ms = config.producer_id_expiration_ms}) {
  set_config(config);
}

Log::~Log() = default;

std::unique_ptr<Log> Log::create(const LogServices& services, std::string directory,
                                 const LogConfig& config, const base::Uuid& topic_id,
                                 base::WallMs now) {
  std::unique_ptr<Log> log(new Log(services, std::move(directory), config));
  log->topic_id_ = topic_id;
  log->segments_.push_back(log->make_segment(base::Offset(0), now));
  return log;
}

void Log::set_config(const LogConfig& config) {
  config_ = config;
  // Positions in a segment are 31 bits wide.
  config_.segment_bytes = std::clamp<std::uint64_t>(config.segment_bytes, 1, INT32_MAX);
  producers_.set_expiration_ms(config.producer_id_expiration_ms);
}

io::IoError Log::fail(io::IoError error) {
  if (!failed_) failed_ = error;
  services_.health.fail(error);
  services_.diag.error(
      "log", "out of service after a failed write",
      {{"log", directory_}, {"end", std::to_string(end_.value())}, {"error", error.what}});
  return error;
}

std::uint64_t Log::size_bytes() const {
  std::uint64_t size = 0;
  for (const auto& segment : segments_) size += segment->size;
  return size;
}

// The segment that holds `offset`, or would.
std::size_t Log::index_of(base::Offset offset) const {
  const auto after = std::ranges::upper_bound(segments_, offset, {},
                                              [](const auto& segment) { return segment->base(); });
  if (after == segments_.begin()) return 0;
  return static_cast<std::size_t>(after - segments_.begin()) - 1;
}

base::Offset Log::end_of(std::size_t index) const {
  return index + 1 < segments_.size() ? segments_[index + 1]->base() : end_;
}

std::shared_ptr<Segment> Log::make_segment(base::Offset base_offset, base::WallMs now) const {
  auto segment = std::make_shared<Segment>(services_.files, directory_, base_offset, now);
  segment->start_empty();
  return segment;
}

// A segment's file comes with its first batch: an empty partition has none.
io::IoResult<void> Log::ensure_file(Segment& segment) {
  if (segment.exists) return {};
  auto file = services_.disk.open(segment.path(".log"), io::OpenMode::kCreateEmpty);
  if (!file) return std::unexpected(file.error());
  segment.log_file().put(*file);
  segment.exists = true;
  names_dirty_ = true;
  ++names_version_;
  return {};
}

void Log::assign_epoch(base::LeaderEpoch leader_epoch, base::Offset start) {
  if (!epochs_.assign(leader_epoch, start)) return;
  ++epochs_version_;
  epochs_unsaved_from_ = std::min(epochs_unsaved_from_.value_or(start), start);
}

void Log::drop_empty_epochs() {
  if (!epochs_.truncate_end(end_)) return;
  ++epochs_version_;
  epochs_unsaved_from_ = std::min(epochs_unsaved_from_.value_or(end_), end_);
}

io::IoResult<std::vector<AbortedTxn>> Log::aborted_transactions(base::Offset from,
                                                                base::Offset to) {
  std::vector<AbortedTxn> result;
  for (std::size_t i = index_of(from); i < segments_.size(); ++i) {
    const Segment& segment = *segments_[i];
    base::Bytes content;
    const auto persisted = segment.aborted.persisted();
    if (!persisted || *persisted > 0) {
      auto text = services_.disk.read_file(segment.path(".txnindex"));
      if (!text && text.error().code != ENOENT) return std::unexpected(text.error());
      if (text) {
        const auto bytes = base::as_bytes(*text);
        const std::size_t size =
            persisted ? std::min<std::size_t>(bytes.size(), segment.aborted.file_position())
                      : bytes.size();
        content.assign(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
      }
    }
    for (const AbortedEntry& entry : segment.aborted.tail()) entry.encode(content);
    auto search = find_aborted_txns(content, from, to);
    if (!search) {
      return io::io_failure(EBADMSG, segment.path(".txnindex") + ": malformed");
    }
    result.insert(result.end(), search->found.begin(), search->found.end());
    if (search->complete) break;
  }
  return result;
}

}  // namespace broker
