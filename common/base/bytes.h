// Byte views and owned bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

namespace base {

using Bytes = std::vector<std::byte>;
using BytesView = std::span<const std::byte>;
using MutableBytes = std::span<std::byte>;

inline BytesView as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}
inline std::string_view as_text(BytesView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Big-endian integers at a place, as Kafka writes them. The caller has checked the bounds.
template <class T>
T load_be(const std::byte* from) {
  std::make_unsigned_t<T> value;
  std::memcpy(&value, from, sizeof value);
  if constexpr (sizeof(T) == 2) value = __builtin_bswap16(value);
  if constexpr (sizeof(T) == 4) value = __builtin_bswap32(value);
  if constexpr (sizeof(T) == 8) value = __builtin_bswap64(value);
  return static_cast<T>(value);
}
template <class T>
void store_be(std::byte* to, T number) {
  auto value = static_cast<std::make_unsigned_t<T>>(number);
  if constexpr (sizeof(T) == 2) value = __builtin_bswap16(value);
  if constexpr (sizeof(T) == 4) value = __builtin_bswap32(value);
  if constexpr (sizeof(T) == 8) value = __builtin_bswap64(value);
  std::memcpy(to, &value, sizeof value);
}
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the byte swaps assume little-endian");

}  // namespace base
