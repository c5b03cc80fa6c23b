#include "common/wire/writer.h"

#include <algorithm>
#include <limits>

#include "common/base/check.h"

namespace wire {
namespace {

constexpr std::uint64_t kStringSizeMax = std::numeric_limits<std::int16_t>::max();
constexpr std::uint64_t kLengthMax = std::numeric_limits<std::int32_t>::max();
constexpr std::size_t kBufferSizeMin = 256;

std::size_t varint_size(std::size_t value) {
  std::size_t size = 1;
  for (; value > 0x7f; value >>= 7) ++size;
  return size;
}

}  // namespace

void Writer::clear() {
  size_ = 0;
  splices_.clear();
  splices_size_ = 0;
  error_.clear();
}

base::Bytes Writer::take() {
  buffer_.resize(size_);
  base::Bytes taken = std::move(buffer_);
  buffer_ = {};
  clear();
  return taken;
}

void Writer::grow(std::size_t more) {
  buffer_.resize(std::max({kBufferSizeMin, buffer_.size() * 2, size_ + more}));
}

void Writer::fail(const char* field, const char* what, std::uint64_t size, std::uint64_t size_max) {
  if (!ok()) return;
  error_ = std::string(field) + ": " + what + " of " + std::to_string(size) + ", at most " +
           std::to_string(size_max) + " can be sent";
}

void Writer::write_uuid(const base::Uuid& value) {
  std::byte* place = extend(16);
  base::store_be(place, value.high);
  base::store_be(place + 8, value.low);
}

void Writer::write_unsigned_varint(std::uint32_t value) {
  std::byte* place = extend(varint_size(value));
  for (; value > 0x7f; value >>= 7) *place++ = static_cast<std::byte>(value | 0x80);
  *place = static_cast<std::byte>(value);
}

void Writer::write_raw(base::BytesView bytes) {
  if (bytes.empty()) return;
  std::memcpy(extend(bytes.size()), bytes.data(), bytes.size());
}

void Writer::write_string(const char* field, std::string_view value, bool flexible) {
  if (value.size() > kStringSizeMax) {
    fail(field, "string bytes", value.size(), kStringSizeMax);
    value = {};
  }
  if (flexible) {
    write_unsigned_varint(static_cast<std::uint32_t>(value.size() + 1));
  } else {
    write_number(static_cast<std::int16_t>(value.size()));
  }
  write_raw(base::as_bytes(value));
}

void Writer::write_nullable_string(const char* field, const std::optional<std::string>& value,
                                   bool flexible, bool nullable) {
  if (value || !nullable) {
    write_string(field, value ? std::string_view(*value) : std::string_view(), flexible);
  } else if (flexible) {
    write_unsigned_varint(0);
  } else {
    write_number<std::int16_t>(-1);
  }
}

bool Writer::write_length(const char* field, std::uint64_t size, bool flexible) {
  bool fits = size <= kLengthMax;
  if (!fits) fail(field, "a length", size, kLengthMax);
  std::uint64_t length = fits ? size : 0;
  if (flexible) {
    write_unsigned_varint(static_cast<std::uint32_t>(length + 1));
  } else {
    write_number(static_cast<std::int32_t>(length));
  }
  return fits;
}

void Writer::write_bytes(const char* field, base::BytesView value, bool flexible) {
  if (write_length(field, value.size(), flexible)) write_raw(value);
}

void Writer::write_nullable_bytes(const char* field, const std::optional<base::Bytes>& value,
                                  bool flexible, bool nullable) {
  if (value) {
    write_bytes(field, *value, flexible);
  } else {
    write_null_array(flexible, nullable);  // null bytes and null arrays look the same
  }
}

void Writer::write_records(const char* field, const Records& value, bool flexible, bool nullable) {
  if (value.is_null) return write_null_array(flexible, nullable);
  if (!write_length(field, value.size(), flexible)) return;
  if (!value.is_external) return write_raw(value.bytes);
  splices_.push_back(
      {.position = size_, .index = value.external_index, .size = value.external_size});
  splices_size_ += value.external_size;
}

void Writer::write_array_count(const char* field, std::size_t count, bool flexible) {
  write_length(field, count, flexible);
}

void Writer::write_null_array(bool flexible, bool nullable) {
  if (flexible) {
    write_unsigned_varint(nullable ? 0 : 1);
  } else {
    write_number<std::int32_t>(nullable ? -1 : 0);
  }
}

std::size_t Writer::begin_tag(std::uint32_t tag) {
  write_unsigned_varint(tag);
  extend(1);  // the size; most are one byte, end_tag makes room for more
  return size_;
}

void Writer::end_tag(std::size_t contents) {
  CHECK(contents <= size_);
  CHECK(splices_.empty() || splices_.back().position < contents);  // no records in tagged fields
  std::size_t contents_size = size_ - contents;
  std::size_t more = varint_size(contents_size) - 1;
  if (more > 0) {
    extend(more);
    std::memmove(buffer_.data() + contents + more, buffer_.data() + contents, contents_size);
  }
  std::byte* place = buffer_.data() + contents - 1;
  for (; contents_size > 0x7f; contents_size >>= 7) {
    *place++ = static_cast<std::byte>(contents_size | 0x80);
  }
  *place = static_cast<std::byte>(contents_size);
}

}  // namespace wire
