#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "common/base/random.h"
#include "common/meta/persistent_map.h"
#include "common/meta/persistent_vector.h"

namespace meta {
namespace {

using Map = PersistentMap<int, std::string>;

void expect_equal(const Map& map, const std::map<int, std::string>& dumb) {
  ASSERT_EQ(map.size(), dumb.size());
  auto expected = dumb.begin();
  for (const auto& [key, value] : map) {
    ASSERT_EQ(key, expected->first);
    ASSERT_EQ(value, expected->second);
    ++expected;
  }
}

// Goal: the map is a sorted map, and copies never see later changes. Method: random sets and erases
// on a chain of copies, each compared with a std::map, old copies compared again at the end.
TEST(PersistentMap, AgreesWithStdMapAndKeepsOldCopies) {
  base::Random random(7);
  std::vector<std::pair<Map, std::map<int, std::string>>> versions(1);
  for (int version = 0; version < 60; ++version) {
    auto next = versions.back();
    for (int change = 0; change < 40; ++change) {
      const int key = static_cast<int>(random.below(1500));
      if (random.chance(1, 4)) {
        ASSERT_EQ(next.first.erase(key), next.second.erase(key) == 1);
      } else {
        const std::string value = std::to_string(random.next());
        next.first.set(key, value);
        next.second[key] = value;
      }
    }
    versions.push_back(std::move(next));
  }
  EXPECT_GT(versions.back().first.size(), 500u);  // several leaves
  for (const auto& [map, dumb] : versions) expect_equal(map, dumb);
  const auto& [map, dumb] = versions.back();
  for (int key = -1; key <= 1500; ++key) {
    const auto found = dumb.find(key);
    const std::string* got = map.find(key);
    ASSERT_EQ(got != nullptr, found != dumb.end()) << key;
    if (got) {
      ASSERT_EQ(*got, found->second);
    }
    const auto bound = dumb.lower_bound(key);
    const auto at = map.lower_bound(key);
    ASSERT_EQ(at == map.end(), bound == dumb.end());
    if (bound != dumb.end()) {
      ASSERT_EQ(at->key, bound->first);
    }
  }
}

// Goal: emptied maps work. Method: fill over a leaf's size, erase all, fill again.
TEST(PersistentMap, EmptiesAndFillsAgain) {
  Map map;
  EXPECT_EQ(map.begin(), map.end());
  EXPECT_FALSE(map.erase(1));
  for (int round = 0; round < 2; ++round) {
    for (int key = 0; key < 400; ++key) map.set(key, "x");
    EXPECT_EQ(map.size(), 400u);
    for (int key = 399; key >= 0; --key) EXPECT_TRUE(map.erase(key));
    EXPECT_TRUE(map.empty());
    EXPECT_EQ(map.begin(), map.end());
    EXPECT_EQ(map.find(3), nullptr);
  }
}

// Goal: as above for the vector. Method: random appends and changes on a chain of copies against
// std::vector.
TEST(PersistentVector, AgreesWithStdVectorAndKeepsOldCopies) {
  base::Random random(8);
  std::vector<std::pair<PersistentVector<int>, std::vector<int>>> versions(1);
  for (int version = 0; version < 50; ++version) {
    auto next = versions.back();
    for (int change = 0; change < 20; ++change) {
      const int value = static_cast<int>(random.below(1000));
      if (next.second.empty() || random.chance(1, 2)) {
        next.first.push_back(value);
        next.second.push_back(value);
      } else {
        const auto at = random.below(next.second.size());
        next.first.change(at) = value;
        next.second[at] = value;
      }
    }
    EXPECT_FALSE(next.first == versions.back().first);
    versions.push_back(std::move(next));
  }
  for (const auto& [ours, dumb] : versions) {
    EXPECT_EQ(std::vector<int>(ours.begin(), ours.end()), dumb);
    EXPECT_TRUE(ours == PersistentVector<int>(ours));
  }
}

}  // namespace
}  // namespace meta
