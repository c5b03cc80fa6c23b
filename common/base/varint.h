// Variable-length integers as Kafka has them: seven bits a byte, least significant first. Records
// use zig-zag varint and varlong, the flexible protocol unsigned varints.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "common/base/bytes.h"

namespace base {

inline constexpr std::size_t kVarint32SizeMax = 5;
inline constexpr std::size_t kVarint64SizeMax = 10;

constexpr std::uint32_t zigzag(std::int32_t n) {
  return (static_cast<std::uint32_t>(n) << 1) ^ static_cast<std::uint32_t>(n >> 31);
}
constexpr std::uint64_t zigzag(std::int64_t n) {
  return (static_cast<std::uint64_t>(n) << 1) ^ static_cast<std::uint64_t>(n >> 63);
}
constexpr std::int32_t unzigzag(std::uint32_t n) {
  return static_cast<std::int32_t>((n >> 1) ^ (~(n & 1) + 1));
}
constexpr std::int64_t unzigzag(std::uint64_t n) {
  return static_cast<std::int64_t>((n >> 1) ^ (~(n & 1) + 1));
}

// Bytes that the value takes, 1..5 or 1..10.
constexpr std::size_t unsigned_varint_size(std::uint64_t value) {
  return (static_cast<std::size_t>(std::bit_width(value | 1)) + 6) / 7;
}
constexpr std::size_t varint_size(std::int32_t value) {
  return unsigned_varint_size(zigzag(value));
}
constexpr std::size_t varlong_size(std::int64_t value) {
  return unsigned_varint_size(zigzag(value));
}

// Writes at `to`, which has room for kVarint64SizeMax bytes; returns the size written.
inline std::size_t store_unsigned_varint(std::byte* to, std::uint64_t value) {
  std::size_t size = 0;
  while (value >= 0x80) {
    to[size++] = static_cast<std::byte>(value | 0x80);
    value >>= 7;
  }
  to[size++] = static_cast<std::byte>(value);
  return size;
}
inline void append_unsigned_varint(Bytes& to, std::uint64_t value) {
  std::byte buffer[kVarint64SizeMax];
  const std::size_t size = store_unsigned_varint(buffer, value);
  to.insert(to.end(), buffer, buffer + size);
}
inline void append_varint(Bytes& to, std::int32_t value) {
  append_unsigned_varint(to, zigzag(value));
}
inline void append_varlong(Bytes& to, std::int64_t value) {
  append_unsigned_varint(to, zigzag(value));
}

// Reads a number from the front of `from`. Returns its size in bytes, or 0 when the input ends
// before the number does, or when it has more bits than the type; `value` is set only on success.
template <class Unsigned>
std::size_t load_unsigned(BytesView from, Unsigned& value) {
  constexpr std::size_t kBits = sizeof(Unsigned) * 8;
  Unsigned result = 0;
  std::size_t shift = 0;
  for (std::size_t i = 0; i < from.size() && shift < kBits; ++i, shift += 7) {
    const auto byte = static_cast<unsigned char>(from[i]);
    const auto bits = static_cast<Unsigned>(byte & 0x7f);
    if (shift + 7 > kBits && (bits >> (kBits - shift)) != 0) return 0;
    result = static_cast<Unsigned>(result | (bits << shift));
    if (byte < 0x80) {
      value = result;
      return i + 1;
    }
  }
  return 0;
}
inline std::size_t load_unsigned_varint(BytesView from, std::uint32_t& value) {
  return load_unsigned(from, value);
}
inline std::size_t load_unsigned_varlong(BytesView from, std::uint64_t& value) {
  return load_unsigned(from, value);
}
inline std::size_t load_varint(BytesView from, std::int32_t& value) {
  std::uint32_t raw = 0;
  const std::size_t size = load_unsigned(from, raw);
  if (size != 0) value = unzigzag(raw);
  return size;
}
inline std::size_t load_varlong(BytesView from, std::int64_t& value) {
  std::uint64_t raw = 0;
  const std::size_t size = load_unsigned(from, raw);
  if (size != 0) value = unzigzag(raw);
  return size;
}

}  // namespace base
