#include "broker/log/batch_scanner.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "common/base/crc32c.h"

namespace broker {

using record::Layout;

BatchScanner::BatchScanner(const io::File& file, std::uint64_t position, std::uint64_t end)
    : file_(file), position_(position), end_(end) {}

// The buffer begins at `position` from now on; what was read from there on stays. Returns its size.
std::size_t BatchScanner::keep_from(std::uint64_t position) {
  const bool has = position >= buffered_from_ && position < buffered_from_ + buffered_;
  const std::size_t kept = has ? buffered_from_ + buffered_ - position : 0;
  if (kept > 0) std::memmove(buffer_.data(), buffer_.data() + (buffered_ - kept), kept);
  buffered_from_ = position;
  buffered_ = kept;
  return kept;
}

io::IoResult<base::BytesView> BatchScanner::fill(std::uint64_t position, std::size_t want) {
  if (position < buffered_from_ || position + want > buffered_from_ + buffered_) {
    const std::size_t size = std::min<std::uint64_t>(kBufferBytes, end_ - position);
    if (buffer_.size() < size) buffer_.resize(size);
    const std::size_t kept = keep_from(position);
    auto got =
        file_.read_at(base::MutableBytes(buffer_).first(size).subspan(kept), position + kept);
    if (!got) return std::unexpected(got.error());
    buffered_ += *got;
  }
  const std::size_t at = position - buffered_from_;
  if (at >= buffered_) return base::BytesView{};
  return base::BytesView(buffer_).subspan(at, buffered_ - at);
}

std::optional<BatchScanner::Item> BatchScanner::stop(std::string why) {
  why_ = std::move(why);
  return std::nullopt;
}

io::IoResult<std::optional<BatchScanner::Item>> BatchScanner::next() {
  if (position_ >= end_ || !why_.empty()) return std::nullopt;
  if (end_ - position_ < record::kHeaderSize) return stop("the file ends inside a batch header");
  auto bytes = fill(position_, record::kHeaderSize);
  if (!bytes) return std::unexpected(bytes.error());
  if (bytes->size() < record::kHeaderSize) return stop("the file ends inside a batch header");
  const auto length = base::load_be<std::int32_t>(bytes->data() + Layout::kLength);
  if (length < static_cast<std::int32_t>(record::kHeaderSize - record::kLogOverhead)) {
    return stop("the batch length is too small for a header");
  }
  const std::uint64_t size = record::kLogOverhead + static_cast<std::uint64_t>(length);
  if (size > end_ - position_) return stop("the file ends inside a batch");
  if (size <= kBufferBytes && bytes->size() < size) {
    bytes = fill(position_, size);
    if (!bytes) return std::unexpected(bytes.error());
    if (bytes->size() < size) return stop("the file ends inside a batch");
  }
  const bool whole = size <= kBufferBytes;
  base::BytesView parsed = *bytes;
  if (!whole) {
    header_.assign(bytes->begin(), bytes->begin() + record::kHeaderSize);
    base::store_be(header_.data() + Layout::kLength,
                   static_cast<std::int32_t>(record::kHeaderSize - record::kLogOverhead));
    parsed = header_;
  }
  auto view = record::BatchView::parse(parsed);
  if (!view) return stop(std::string(record::to_string(view.error())));
  Item item{*view, position_, size, whole};
  position_ += size;
  return item;
}

io::IoResult<bool> BatchScanner::checksum_ok(const Item& item) {
  if (item.is_whole) return item.view.crc_ok();
  std::uint32_t crc = 0;
  std::uint64_t at = item.position + Layout::kAttributes;
  const std::uint64_t end = item.position + item.size;
  while (at < end) {
    auto bytes = fill(at, 1);
    if (!bytes) return std::unexpected(bytes.error());
    if (bytes->empty()) return false;
    const auto part = bytes->first(std::min<std::uint64_t>(bytes->size(), end - at));
    crc = base::crc32c(part, crc);
    at += part.size();
  }
  return crc == item.view.crc();
}

io::IoResult<base::Bytes> BatchScanner::read_whole(const Item& item, std::uint64_t size_max) {
  if (item.size > size_max) return io::io_failure(EMSGSIZE, "a batch is too large to be read");
  base::Bytes bytes(item.size);
  auto got = file_.read_at(bytes, item.position);
  if (!got) return std::unexpected(got.error());
  if (*got < bytes.size()) return io::io_failure(EBADMSG, "the file ends inside a batch");
  return bytes;
}

}  // namespace broker
