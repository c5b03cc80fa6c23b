// What is told of the sizes of replicas, and when.
#include "broker/node/size_report.h"

#include <gtest/gtest.h>

#include "broker/node/test_replicas.h"
#include "common/meta/apply.h"
#include "proto/controller.pb.h"

namespace broker {
namespace {

constexpr std::int64_t kMiB = 1 << 20;

class Sizes : public testing::Test {
 protected:
  Sizes() { hold({replicas.at(1).partition}); }

  // From now on the broker holds these.
  void hold(std::vector<std::shared_ptr<Partition>> partitions) {
    auto topic = std::make_shared<TopicPartitions>();
    topic->name = "t";
    topic->id = {1, 1};
    topic->partitions = std::move(partitions);
    auto next = std::make_shared<PartitionTable::Snapshot>();
    next->by_name["t"] = next->by_id[topic->id] = topic;
    table.replace(std::move(next));
  }
  void grow(std::int64_t bytes) {
    replicas.append(replicas.at(1), std::string(static_cast<std::size_t>(bytes), 'x'), false);
  }
  std::int64_t size() {
    return static_cast<std::int64_t>(replicas.at(1).partition->bounds().size_bytes);
  }
  proto::HeartbeatRequest tell(bool wanted = false, bool answered = true) {
    proto::HeartbeatRequest request;
    report.describe(request);
    proto::HeartbeatReply reply;
    reply.set_sizes_wanted(wanted);
    report.on_reply(answered ? &reply : nullptr);
    return request;
  }

  test::Replicas replicas{1};
  PartitionTable table;
  SizeReport report{table};
};

// Goal: an idle broker tells nothing, nor does one whose replicas changed by little; what changed
// by much is told once.
TEST_F(Sizes, OnlyWhatChangedByMuch) {
  auto request = tell();
  EXPECT_TRUE(request.first_sizes());
  EXPECT_TRUE(request.all_sizes());
  EXPECT_EQ(request.sizes_size(), 0) << "it is empty";
  grow(kMiB / 2);
  request = tell();
  EXPECT_FALSE(request.first_sizes());
  EXPECT_EQ(request.sizes_size(), 0);
  grow(kMiB);
  request = tell();
  ASSERT_EQ(request.sizes_size(), 1);
  EXPECT_EQ(request.sizes(0).partition(), 0);
  EXPECT_EQ(meta::from_proto(request.sizes(0).topic_id()), (base::Uuid{1, 1}));
  EXPECT_EQ(request.sizes(0).bytes(), size());
  for (int i = 0; i < 3; ++i) EXPECT_EQ(tell().sizes_size(), 0);
}

// Goal: a replica that went away is told as 0, once.
TEST_F(Sizes, TellsWhatIsGone) {
  grow(2 * kMiB);
  EXPECT_EQ(tell().sizes_size(), 1);
  hold({nullptr});
  const auto request = tell();
  ASSERT_EQ(request.sizes_size(), 1);
  EXPECT_EQ(request.sizes(0).bytes(), 0);
  EXPECT_EQ(tell().sizes_size(), 0);
}

// Goal: everything is told anew to a controller that knows nothing, and after a heartbeat of which
// nobody knows whether it arrived.
TEST_F(Sizes, BeginsAnewWhenAskedOrUnsure) {
  grow(2 * kMiB);
  EXPECT_EQ(tell().sizes_size(), 1);
  EXPECT_EQ(tell(/*wanted=*/true).sizes_size(), 0);
  auto request = tell();
  EXPECT_TRUE(request.first_sizes());
  EXPECT_EQ(request.sizes_size(), 1);
  tell(false, /*answered=*/false);
  request = tell();
  EXPECT_TRUE(request.first_sizes());
  EXPECT_EQ(request.sizes_size(), 1);
}

// Goal: one heartbeat looks at a bounded number of replicas, and only the one that saw the last of
// them says that these were all. Method: many partitions, all the same object under other numbers.
TEST_F(Sizes, AFewAtATime) {
  grow(2 * kMiB);
  auto large = replicas.at(1).partition;
  std::vector<std::shared_ptr<Partition>> partitions(SizeReport::kLookedAtMax + 1);
  partitions[0] = large;
  hold(partitions);
  EXPECT_TRUE(tell().all_sizes()) << "there is only one";
  std::vector<std::shared_ptr<TopicPartitions>> topics;
  auto next = std::make_shared<PartitionTable::Snapshot>();
  for (std::size_t i = 0; i <= SizeReport::kLookedAtMax; ++i) {
    auto topic = std::make_shared<TopicPartitions>();
    topic->id = {2, i};
    topic->partitions = {large};
    next->by_id[topic->id] = topic;
  }
  table.replace(std::move(next));
  tell(/*wanted=*/true);
  auto request = tell();
  EXPECT_TRUE(request.first_sizes());
  EXPECT_FALSE(request.all_sizes());
  EXPECT_EQ(request.sizes_size(), static_cast<int>(SizeReport::kLookedAtMax));
  request = tell();
  EXPECT_TRUE(request.all_sizes());
  EXPECT_EQ(request.sizes_size(), 1);
}

}  // namespace
}  // namespace broker
