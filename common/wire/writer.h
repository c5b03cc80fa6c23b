// Puts Kafka's basic types into a buffer of its own. Single-threaded; clear() and reuse it, or
// take() the buffer.
//
// What the protocol cannot express (a string over 32,767 bytes, an array or bytes over 2^31 - 1)
// is a failure that sticks: an empty value is written instead and ok() is false; the message must
// then not be sent. Null where the version has no null is written as empty.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/uuid.h"
#include "common/wire/records.h"

namespace wire {

// `size` bytes of external piece `index` belong before byte `position` of the writer's buffer.
struct Splice {
  std::size_t position = 0;
  std::uint32_t index = 0;
  std::uint64_t size = 0;
  friend bool operator==(const Splice&, const Splice&) = default;
};

class Writer {
 public:
  // Bytes written into the buffer, splices not counted.
  std::size_t size() const { return size_; }
  // Size of the whole message, splices counted.
  std::uint64_t total_size() const { return size_ + splices_size_; }
  base::BytesView bytes() const { return {buffer_.data(), size_}; }
  // In order of position.
  std::span<const Splice> splices() const { return splices_; }
  bool ok() const { return error_.empty(); }
  // "MetadataResponse.Name: a string of 40000 bytes, at most 32767 can be sent".
  const std::string& error() const { return error_; }

  // Empties it and keeps the capacity.
  void clear();
  // Gives the buffer away and empties the writer, splices too: read those before.
  base::Bytes take();
  void reserve(std::size_t more) {
    if (buffer_.size() - size_ < more) grow(more);
  }

  template <class T>
  void write_number(T value) {
    if constexpr (std::is_same_v<T, bool>) {
      write_number(static_cast<std::int8_t>(value));
    } else if constexpr (std::is_same_v<T, double>) {
      write_number(std::bit_cast<std::uint64_t>(value));
    } else if constexpr (std::is_enum_v<T>) {
      write_number(static_cast<std::underlying_type_t<T>>(value));
    } else {
      base::store_be(extend(sizeof(T)), value);
    }
  }
  void write_uuid(const base::Uuid& value);
  void write_unsigned_varint(std::uint32_t value);
  void write_raw(base::BytesView bytes);

  void write_string(const char* field, std::string_view value, bool flexible);
  // Null needs `nullable`, else it is written as empty; so with the next ones.
  void write_nullable_string(const char* field, const std::optional<std::string>& value,
                             bool flexible, bool nullable);
  void write_bytes(const char* field, base::BytesView value, bool flexible);
  void write_nullable_bytes(const char* field, const std::optional<base::Bytes>& value,
                            bool flexible, bool nullable);
  void write_records(const char* field, const Records& value, bool flexible, bool nullable);
  void write_array_count(const char* field, std::size_t count, bool flexible);
  void write_null_array(bool flexible, bool nullable);
  // The marker before a nullable struct.
  void write_presence(bool present) { write_number<std::int8_t>(present ? 1 : -1); }

  // A tagged field: begin_tag, its contents, end_tag with what begin_tag returned. Tags of one
  // struct come in growing order after write_unsigned_varint(count of them).
  std::size_t begin_tag(std::uint32_t tag);
  void end_tag(std::size_t contents);

  // Overwrites four bytes written before, such as a frame's size.
  void patch_int32(std::size_t position, std::int32_t value) {
    base::store_be(buffer_.data() + position, value);
  }

 private:
  std::byte* extend(std::size_t size) {
    reserve(size);
    std::byte* place = buffer_.data() + size_;
    size_ += size;
    return place;
  }
  void grow(std::size_t more);
  void fail(const char* field, const char* what, std::uint64_t size, std::uint64_t size_max);
  // Whether `size` was written and the contents may follow.
  bool write_length(const char* field, std::uint64_t size, bool flexible);

  base::Bytes buffer_;  // its size is the room there is, size_ what is used
  std::size_t size_ = 0;
  std::vector<Splice> splices_;
  std::uint64_t splices_size_ = 0;
  std::string error_;
};

}  // namespace wire
