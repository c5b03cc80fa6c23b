// Takes Kafka's basic types off a run of bytes that outlives it. Single-threaded, owns nothing.
//
// The first failure sticks: from then on every read yields zero or empty, nothing more is
// consumed, ok() is false and error() says which field, where and why. So a decoder reads field
// after field and looks at ok() once. No read allocates more than the bytes left can justify.
// Big-endian numbers; "compact" forms (flexible versions) hold length + 1 as an unsigned varint.
// `field` arguments are string literals, kept for error().
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "common/base/bytes.h"
#include "common/base/uuid.h"
#include "common/wire/records.h"

namespace wire {

class Reader {
 public:
  explicit Reader(base::BytesView bytes) : bytes_(bytes), end_(bytes.size()) {}

  bool ok() const { return reason_ == nullptr; }
  // "MetadataRequest.Topics: more elements than the bytes left can hold at byte 17 of 40"; empty
  // while ok().
  std::string error() const;
  // Bytes consumed so far; after a failure, where it was met.
  std::size_t offset() const { return offset_; }
  std::size_t remaining() const { return end_ - offset_; }

  // A number of T's width; bool is any non-zero byte, as Kafka reads it.
  template <class T>
  T read_number(const char* field) {
    if constexpr (std::is_same_v<T, bool>) {
      return read_number<std::int8_t>(field) != 0;
    } else if constexpr (std::is_same_v<T, double>) {
      return std::bit_cast<double>(read_number<std::uint64_t>(field));
    } else if constexpr (std::is_enum_v<T>) {
      return static_cast<T>(read_number<std::underlying_type_t<T>>(field));
    } else {
      if (remaining() < sizeof(T)) [[unlikely]] {
        fail(field, "the bytes end inside a number");
        return T{};
      }
      T value = base::load_be<T>(bytes_.data() + offset_);
      offset_ += sizeof(T);
      return value;
    }
  }
  base::Uuid read_uuid(const char* field);
  // At most 5 bytes and 32 bits.
  std::uint32_t read_unsigned_varint(const char* field);

  // Strings hold at most 32,767 bytes, in compact form too, as in Kafka. Null where `nullable` is
  // false is a failure. Views live as long as the bytes.
  std::optional<std::string_view> read_string_view(const char* field, bool flexible, bool nullable);
  std::string read_string(const char* field, bool flexible);
  std::optional<std::string> read_nullable_string(const char* field, bool flexible, bool nullable);
  base::Bytes read_bytes(const char* field, bool flexible);
  std::optional<base::Bytes> read_nullable_bytes(const char* field, bool flexible, bool nullable);
  Records read_records(const char* field, bool flexible, bool nullable);
  // The next `size` bytes as they are.
  base::BytesView read_raw(const char* field, std::size_t size);

  // The count of an array's elements, none of which takes less than `element_size_min` (> 0)
  // bytes; nothing for null. Counts that the bytes left cannot hold are a failure.
  std::optional<std::size_t> read_array_count(const char* field, bool flexible, bool nullable,
                                              std::size_t element_size_min);
  // The marker byte before a nullable struct: whether the struct follows.
  bool read_presence(const char* field) { return read_number<std::int8_t>(field) >= 0; }

  // Tagged fields: read_tag_count, then per field read_tag (tags must grow), the contents, end_tag.
  // Between read_tag and end_tag the reader sees only that field's bytes.
  std::uint32_t read_tag_count();
  struct Tag {
    std::uint32_t number;
    std::size_t outer_end;  // for end_tag
  };
  // `previous` is the tag before in this struct, -1 for the first.
  Tag read_tag(std::int64_t previous);
  // Checks that the contents were consumed; `known` false skips them instead.
  void end_tag(const Tag& tag, bool known);
  // For a struct without known tags.
  void skip_tags();

  // Keeps the first failure. `reason` is a string literal.
  void fail(const char* field, const char* reason);

 private:
  // Nothing for null.
  std::optional<std::size_t> read_length(const char* field, bool flexible, bool nullable,
                                         bool short_length);

  base::BytesView bytes_;
  std::size_t offset_ = 0;
  std::size_t end_ = 0;
  const char* field_ = nullptr;
  const char* reason_ = nullptr;
};

}  // namespace wire
