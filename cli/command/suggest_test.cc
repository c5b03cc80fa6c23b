#include "cli/command/suggest.h"

#include <gtest/gtest.h>

namespace cli {
namespace {

// Goal: slips of the finger are understood, other words are not bent into a command. Method: one
// slip of each kind, and words that are far from all.
TEST(Suggest, FindsTheNearWord) {
  std::vector<std::string> known{"topic", "produce", "consume", "group", "log"};
  EXPECT_EQ(nearest("topics", known), "topic");
  EXPECT_EQ(nearest("tpoic", known), "topic");
  EXPECT_EQ(nearest("prduce", known), "produce");
  EXPECT_EQ(nearest("cunsome", known), "consume");
  EXPECT_EQ(nearest("lag", known), "log");
  EXPECT_EQ(nearest("delete", known), std::nullopt);
  EXPECT_EQ(nearest("x", known), std::nullopt);
  EXPECT_EQ(nearest("", known), std::nullopt);
  EXPECT_EQ(nearest(std::string(1000, 'a'), known), std::nullopt);
}

}  // namespace
}  // namespace cli
