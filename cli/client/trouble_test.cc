#include "cli/client/trouble.h"

#include <gtest/gtest.h>

namespace cli {
namespace {

// Goal: a refusal names the thing, the reason and Kafka's code. Method: with the broker's text, and
// without.
TEST(Refusal, NamesThingReasonAndCode) {
  auto told = refusal("topic a", wire::ErrorCode::kTopicAlreadyExists, "Topic 'a' exists.");
  EXPECT_EQ(told.what, "topic a: Topic 'a' exists (TOPIC_ALREADY_EXISTS)");
  EXPECT_FALSE(told.hint.empty());
  auto unknown = refusal("topic a", wire::ErrorCode::kUnknownTopicOrPartition);
  EXPECT_EQ(unknown.what, "topic a does not exist (UNKNOWN_TOPIC_OR_PARTITION)");
  auto new_code = refusal("topic a", static_cast<wire::ErrorCode>(999));
  EXPECT_TRUE(new_code.what.contains("error 999")) << new_code.what;
}

// Goal: only what may change by waiting is tried again. Method: one of each.
TEST(Refusal, RetriesOnlyWhatMayChange) {
  EXPECT_TRUE(refusal("x", wire::ErrorCode::kNotLeaderOrFollower).retriable);
  EXPECT_TRUE(refusal("x", wire::ErrorCode::kCoordinatorLoadInProgress).retriable);
  EXPECT_FALSE(refusal("x", wire::ErrorCode::kUnknownTopicOrPartition).retriable);
  EXPECT_FALSE(refusal("x", wire::ErrorCode::kInvalidConfig).retriable);
}

}  // namespace
}  // namespace cli
