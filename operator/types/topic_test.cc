#include "operator/types/topic.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kube {
namespace {

std::expected<TopicSpec, std::vector<Problem>> spec_of(std::string_view spec) {
  return topic_spec({{"metadata", {{"name", "orders"}}}, {"spec", Json::parse(spec)}});
}

TEST(TopicSpec, IsNamedLikeTheResourceUnlessItSaysSo) {
  EXPECT_EQ(spec_of(R"({"clusterRef":{"name":"demo"}})")->name, "orders");
  EXPECT_EQ(spec_of(R"({"clusterRef":{"name":"demo"},"topicName":"Orders_1"})")->name, "Orders_1");
}

TEST(TopicSpec, TakesWhatIsGiven) {
  const auto spec =
      spec_of(R"({"clusterRef":{"name":"demo"},"partitions":6,"config":{"retention.ms":1000}})");
  ASSERT_TRUE(spec) << describe(spec.error());
  EXPECT_EQ(spec->cluster, "demo");
  EXPECT_EQ(spec->partitions, 6);
  EXPECT_EQ(spec->replication_factor, std::nullopt);
  EXPECT_EQ(spec->config.at("retention.ms"), "1000");
  EXPECT_EQ(spec->deletion_policy, DeletionPolicy::kRetain);
}

// Each field wrong in turn.
TEST(TopicSpec, NamesTheFieldThatIsWrong) {
  const auto said = [](std::string_view more) {
    const auto made = spec_of(R"({"clusterRef":{"name":"demo"})" + std::string(more) + "}");
    return made ? "" : describe(made.error());
  };
  EXPECT_EQ(said(""), "");
  EXPECT_EQ(describe(spec_of("{}").error()), "spec.clusterRef: must be given");
  EXPECT_EQ(describe(spec_of(R"({"clusterRef":{}})").error()),
            "spec.clusterRef.name: must be given");
  EXPECT_EQ(said(R"(,"partitions":0)"), "spec.partitions: must be at least 1, not 0");
  EXPECT_EQ(said(R"(,"replicationFactor":0)"), "spec.replicationFactor: must be at least 1, not 0");
  EXPECT_THAT(said(R"(,"topicName":"a b")"), testing::StartsWith("spec.topicName: must look like"));
  EXPECT_THAT(said(R"(,"deletionPolicy":"delete")"),
              testing::StartsWith("spec.deletionPolicy: must be one of Retain, Delete"));
  EXPECT_THAT(said(R"(,"config":{"retention.ms":"soon"})"),
              testing::StartsWith("spec.config.retention.ms: "));
  EXPECT_THAT(said(R"(,"config":{"retention":1})"), testing::StartsWith("spec.config.retention: "));
}

}  // namespace
}  // namespace kube
