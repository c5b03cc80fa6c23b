#include "common/wire/reader.h"

#include <cstring>
#include <limits>

namespace wire {
namespace {

constexpr std::size_t kStringSizeMax = std::numeric_limits<std::int16_t>::max();

}  // namespace

std::string Reader::error() const {
  if (ok()) return {};
  return std::string(field_) + ": " + reason_ + " at byte " + std::to_string(offset_) + " of " +
         std::to_string(bytes_.size());
}

void Reader::fail(const char* field, const char* reason) {
  if (!ok()) return;
  field_ = field;
  reason_ = reason;
  end_ = offset_;  // no later read finds a byte
}

base::Uuid Reader::read_uuid(const char* field) {
  base::Uuid value;
  value.high = read_number<std::uint64_t>(field);
  value.low = read_number<std::uint64_t>(field);
  return ok() ? value : base::Uuid{};
}

std::uint32_t Reader::read_unsigned_varint(const char* field) {
  std::uint32_t value = 0;
  for (unsigned shift = 0; shift < 35; shift += 7) {
    if (remaining() == 0) {
      fail(field, "the bytes end inside a varint");
      return 0;
    }
    auto byte = static_cast<std::uint32_t>(bytes_[offset_]);
    if (shift == 28 && byte > 0x0f) break;
    ++offset_;
    value |= (byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) return value;
  }
  fail(field, "a varint of more than 32 bits");
  return 0;
}

std::optional<std::size_t> Reader::read_length(const char* field, bool flexible, bool nullable,
                                               bool short_length) {
  std::int64_t length = 0;
  if (flexible) {
    length = std::int64_t{read_unsigned_varint(field)} - 1;
  } else if (short_length) {
    length = read_number<std::int16_t>(field);
  } else {
    length = read_number<std::int32_t>(field);
  }
  if (!ok()) return 0;
  if (length == -1 && nullable) return std::nullopt;
  if (length < 0) {
    fail(field, length == -1 ? "null is not allowed" : "a negative length");
    return 0;
  }
  auto size = static_cast<std::size_t>(length);
  if (size > remaining()) {
    fail(field, "a length beyond the bytes left");
    return 0;
  }
  if (short_length && size > kStringSizeMax) {
    fail(field, "a string of more than 32767 bytes");
    return 0;
  }
  return size;
}

base::BytesView Reader::read_raw(const char* field, std::size_t size) {
  if (size > remaining()) {
    fail(field, "a length beyond the bytes left");
    return {};
  }
  base::BytesView view = bytes_.subspan(offset_, size);
  offset_ += size;
  return view;
}

std::optional<std::string_view> Reader::read_string_view(const char* field, bool flexible,
                                                         bool nullable) {
  std::optional<std::size_t> size = read_length(field, flexible, nullable, true);
  if (!size) return std::nullopt;
  return base::as_text(read_raw(field, *size));
}

std::string Reader::read_string(const char* field, bool flexible) {
  return std::string(read_string_view(field, flexible, false).value_or(""));
}

std::optional<std::string> Reader::read_nullable_string(const char* field, bool flexible,
                                                        bool nullable) {
  std::optional<std::string_view> view = read_string_view(field, flexible, nullable);
  if (!view) return std::nullopt;
  return std::string(*view);
}

base::Bytes Reader::read_bytes(const char* field, bool flexible) {
  std::size_t size = read_length(field, flexible, false, false).value_or(0);
  base::BytesView view = read_raw(field, size);
  return {view.begin(), view.end()};
}

std::optional<base::Bytes> Reader::read_nullable_bytes(const char* field, bool flexible,
                                                       bool nullable) {
  std::optional<std::size_t> size = read_length(field, flexible, nullable, false);
  if (!size) return std::nullopt;
  base::BytesView view = read_raw(field, *size);
  return base::Bytes(view.begin(), view.end());
}

Records Reader::read_records(const char* field, bool flexible, bool nullable) {
  std::optional<std::size_t> size = read_length(field, flexible, nullable, false);
  if (!size || !ok()) return {};
  return Records::of(read_raw(field, *size));
}

std::optional<std::size_t> Reader::read_array_count(const char* field, bool flexible, bool nullable,
                                                    std::size_t element_size_min) {
  std::int64_t count = flexible ? std::int64_t{read_unsigned_varint(field)} - 1
                                : std::int64_t{read_number<std::int32_t>(field)};
  if (!ok()) return 0;
  if (count == -1 && nullable) return std::nullopt;
  if (count < 0) {
    fail(field, count == -1 ? "null is not allowed" : "a negative count");
    return 0;
  }
  auto size = static_cast<std::size_t>(count);
  if (size > remaining() / element_size_min) {
    fail(field, "more elements than the bytes left can hold");
    return 0;
  }
  return size;
}

std::uint32_t Reader::read_tag_count() {
  std::uint32_t count = read_unsigned_varint("tagged fields");
  // A tagged field takes two bytes at least.
  if (count > remaining() / 2) {
    fail("tagged fields", "more fields than the bytes left can hold");
    return 0;
  }
  return count;
}

Reader::Tag Reader::read_tag(std::int64_t previous) {
  Tag tag{.number = read_unsigned_varint("tagged fields"), .outer_end = end_};
  if (ok() && std::int64_t{tag.number} <= previous) {
    fail("tagged fields", "a tag twice or out of order");
  }
  std::uint32_t size = read_unsigned_varint("tagged fields");
  if (size > remaining()) fail("tagged fields", "a field longer than the bytes left");
  if (ok()) end_ = offset_ + size;
  return tag;
}

void Reader::end_tag(const Tag& tag, bool known) {
  if (!ok()) return;
  if (known && offset_ != end_) return fail("tagged fields", "bytes left over in a field");
  offset_ = end_;
  end_ = tag.outer_end;
}

void Reader::skip_tags() {
  std::uint32_t count = read_tag_count();
  std::int64_t previous = -1;
  for (std::uint32_t i = 0; i < count && ok(); ++i) {
    Tag tag = read_tag(previous);
    previous = tag.number;
    end_tag(tag, false);
  }
}

}  // namespace wire
