#include "common/base/crc32c.h"

#include <algorithm>
#include <array>

#if defined(__x86_64__) || defined(__aarch64__)
#include <isa-l/crc.h>
#define MOLDAU_HAVE_ISAL 1
#endif

namespace base {
namespace {

constexpr std::uint32_t kPolynomial = 0x82f63b78;  // Castagnoli, reflected

// table[k][b]: the effect of byte b followed by k zero bytes ("slicing by eight").
constexpr auto kTable = [] {
  std::array<std::array<std::uint32_t, 256>, 8> table{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? kPolynomial : 0);
    table[0][byte] = crc;
  }
  for (std::size_t k = 1; k < 8; ++k) {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const std::uint32_t crc = table[k - 1][byte];
      table[k][byte] = (crc >> 8) ^ table[0][crc & 0xff];
    }
  }
  return table;
}();

std::uint32_t step(std::uint32_t crc, std::byte byte) {
  return (crc >> 8) ^ kTable[0][(crc ^ static_cast<std::uint32_t>(byte)) & 0xff];
}

}  // namespace

std::uint32_t crc32c_portable(BytesView bytes, std::uint32_t before) {
  std::uint32_t crc = ~before;
  while (bytes.size() >= 8) {
    std::uint64_t word;
    std::memcpy(&word, bytes.data(), sizeof word);  // little-endian, see bytes.h
    word ^= crc;
    crc = 0;
    for (std::size_t k = 0; k < 8; ++k) crc ^= kTable[7 - k][(word >> (8 * k)) & 0xff];
    bytes = bytes.subspan(8);
  }
  for (std::byte byte : bytes) crc = step(crc, byte);
  return ~crc;
}

#ifdef MOLDAU_HAVE_ISAL
std::uint32_t crc32c(BytesView bytes, std::uint32_t before) {
  constexpr std::size_t kPiece = std::size_t{1} << 30;  // isa-l counts in int
  std::uint32_t crc = ~before;
  while (!bytes.empty()) {
    const BytesView piece = bytes.first(std::min(bytes.size(), kPiece));
    // isa-l only reads, though its signature lacks the const.
    auto* data = const_cast<unsigned char*>(reinterpret_cast<const unsigned char*>(piece.data()));
    crc = crc32_iscsi(data, static_cast<int>(piece.size()), crc);
    bytes = bytes.subspan(piece.size());
  }
  return ~crc;
}
#else
std::uint32_t crc32c(BytesView bytes, std::uint32_t before) {
  return crc32c_portable(bytes, before);
}
#endif

}  // namespace base
