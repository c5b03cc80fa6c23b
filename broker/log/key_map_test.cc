#include "broker/log/key_map.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "common/base/random.h"

namespace broker {
namespace {

// Goal: the hash is SipHash-2-4-128, so that its strength is that of a known function. Method: the
// vectors of its authors for the key 00..0f and messages of 0, 1 and 15 bytes counting up.
TEST(KeyMap, HashIsSipHash) {
  const std::uint64_t low = 0x0706050403020100ULL;
  const std::uint64_t high = 0x0f0e0d0c0b0a0908ULL;
  base::Bytes message;
  EXPECT_EQ(hash_key(message, low, high), (KeyHash{0xe6a825ba047f81a3, 0x930255c71472f66d}));
  message.push_back(std::byte{0});
  EXPECT_EQ(hash_key(message, low, high), (KeyHash{0x44af996bd8c187da, 0x45fc229b11597634}));
}

// Goal: the map answers as a map does. Method: random puts in any order of offsets, compared with
// std::map; keys that were never put are not found.
TEST(KeyMap, AgreesWithAMap) {
  base::Random random(1);
  KeyMap keys({.bytes_max = 1 << 20, .secret_low = 7, .secret_high = 8});
  std::map<std::string, std::int64_t> model;
  for (int i = 0; i < 20'000; ++i) {
    const std::string key = "k" + std::to_string(random.below(5000));
    const auto offset = static_cast<std::int64_t>(random.below(1'000'000));
    ASSERT_TRUE(keys.put(keys.hash(base::as_bytes(key)), base::Offset(offset)));
    auto& newest = model.try_emplace(key, offset).first->second;
    newest = std::max(newest, offset);
  }
  EXPECT_EQ(keys.size(), model.size());
  for (const auto& [key, offset] : model) {
    EXPECT_EQ(keys.find(keys.hash(base::as_bytes(key))), base::Offset(offset));
  }
  EXPECT_EQ(keys.find(keys.hash(base::as_bytes("absent"))), std::nullopt);
}

// Goal: memory is bounded, and a full map still takes newer offsets of keys it knows. Method: room
// for ten slots; count what goes in.
TEST(KeyMap, IsBounded) {
  KeyMap keys({.bytes_max = 10 * KeyMap::kSlotBytes, .load_max = 0.9});
  EXPECT_EQ(keys.memory_bytes(), 10 * KeyMap::kSlotBytes);
  int taken = 0;
  for (int i = 0; i < 100; ++i) {
    const std::string key = std::to_string(i);
    taken += keys.put(keys.hash(base::as_bytes(key)), base::Offset(i)) ? 1 : 0;
  }
  EXPECT_EQ(taken, 9);
  EXPECT_EQ(keys.size(), keys.capacity());
  EXPECT_TRUE(keys.put(keys.hash(base::as_bytes("0")), base::Offset(500)));
  EXPECT_EQ(keys.find(keys.hash(base::as_bytes("0"))), base::Offset(500));
  EXPECT_EQ(keys.find(keys.hash(base::as_bytes("99"))), std::nullopt);
  // There is always room for one, or no round would ever come forward.
  EXPECT_EQ(KeyMap({.bytes_max = 1}).capacity(), 1u);
  // What cannot be there needs no room.
  EXPECT_LE(KeyMap({.keys_max = 100}).memory_bytes(), 120 * KeyMap::kSlotBytes);
}

// Goal: a table that grows loses no key and finds no other, at any size, and takes memory for the
// keys there are only in its bound. Method: tables of sizes that halve unevenly, filled to the last
// key; after each doubling all keys are looked up, and the newest offsets are compared.
TEST(KeyMap, GrowsInPlace) {
  for (const std::uint64_t slots : {4096UL, 4097UL, 8191UL, 70'001UL}) {
    KeyMap keys({.bytes_max = slots * KeyMap::kSlotBytes, .secret_low = slots, .secret_high = 3});
    std::vector<KeyHash> hashes;
    for (std::uint64_t i = 0; i <= keys.capacity(); ++i) {
      const std::string key = "key-" + std::to_string(i);
      hashes.push_back(keys.hash(base::as_bytes(key)));
      const base::Offset offset(static_cast<std::int64_t>(2 * i));
      ASSERT_EQ(keys.put(hashes.back(), offset), i < keys.capacity());
      const bool looks = (i & (i - 1)) == 0 || i + 1 >= keys.capacity();
      for (std::uint64_t j = 0; looks && j <= i; ++j) {
        const auto found = keys.find(hashes[j]);
        ASSERT_EQ(found.has_value(), j < keys.capacity()) << j << " of " << i;
        if (found) ASSERT_EQ(found->value(), static_cast<std::int64_t>(2 * j));
      }
    }
    EXPECT_EQ(keys.size(), keys.capacity());
    OffsetSet newest(base::Offset(10), base::Offset(5001));
    keys.add_newest(newest);
    for (base::Offset at = newest.start(); at < newest.end(); at = at + 1) {
      ASSERT_EQ(newest.contains(at), at.value() % 2 == 0) << at.value();
    }
  }
}

// Goal: hashes that crowd at either end of the table survive its growth: those that went around its
// end, and those that stand far behind their home. Method: hashes chosen as no key would give them.
TEST(KeyMap, GrowsWithCrowdedEnds) {
  KeyMap keys({.bytes_max = 16'384 * KeyMap::kSlotBytes});
  std::vector<KeyHash> hashes;
  for (std::uint64_t i = 0; i < 10'000; ++i) {
    const std::uint64_t high = i % 2 == 0 ? i : UINT64_MAX - i;
    hashes.push_back({i, high});
    ASSERT_TRUE(keys.put(hashes.back(), base::Offset(static_cast<std::int64_t>(i))));
  }
  for (std::uint64_t i = 0; i < hashes.size(); ++i) {
    ASSERT_EQ(keys.find(hashes[i]), base::Offset(static_cast<std::int64_t>(i)));
  }
  EXPECT_EQ(keys.find({77'777, 0}), std::nullopt);
}

}  // namespace
}  // namespace broker
