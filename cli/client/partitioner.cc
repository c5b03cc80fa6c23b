#include "cli/client/partitioner.h"

namespace cli {

std::uint32_t murmur2(std::string_view bytes) {
  constexpr std::uint32_t kSeed = 0x9747b28c;
  constexpr std::uint32_t kMultiplier = 0x5bd1e995;
  constexpr int kShift = 24;
  auto byte = [&](std::size_t i) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[i]));
  };
  std::uint32_t hash = kSeed ^ static_cast<std::uint32_t>(bytes.size());
  std::size_t whole = bytes.size() & ~std::size_t{3};
  for (std::size_t at = 0; at < whole; at += 4) {
    std::uint32_t word = byte(at) | byte(at + 1) << 8 | byte(at + 2) << 16 | byte(at + 3) << 24;
    word *= kMultiplier;
    word ^= word >> kShift;
    word *= kMultiplier;
    hash *= kMultiplier;
    hash ^= word;
  }
  std::size_t left = bytes.size() - whole;
  if (left == 3) hash ^= byte(whole + 2) << 16;
  if (left >= 2) hash ^= byte(whole + 1) << 8;
  if (left >= 1) {
    hash ^= byte(whole);
    hash *= kMultiplier;
  }
  hash ^= hash >> 13;
  hash *= kMultiplier;
  hash ^= hash >> 15;
  return hash;
}

std::int32_t partition_of_key(std::string_view key, std::int32_t partition_count) {
  auto positive = static_cast<std::int32_t>(murmur2(key) & 0x7fffffff);
  return positive % partition_count;
}

}  // namespace cli
