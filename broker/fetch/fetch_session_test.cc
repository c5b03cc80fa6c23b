#include "broker/fetch/fetch_session.h"

#include <gtest/gtest.h>

namespace broker {
namespace {

using wire::ErrorCode;

wire::FetchRequest request_for(std::int32_t session, std::int32_t epoch,
                               std::vector<std::pair<std::string, std::int64_t>> topics) {
  wire::FetchRequest request;
  request.session_id = session;
  request.session_epoch = epoch;
  for (auto& [name, offset] : topics) {
    auto& topic = request.topics.emplace_back();
    topic.topic = name;
    auto& partition = topic.partitions.emplace_back();
    partition.partition = 0;
    partition.fetch_offset = offset;
    partition.partition_max_bytes = 1000;
  }
  return request;
}

std::vector<std::pair<std::string, std::int64_t>> targets_of(FetchSession& session) {
  std::vector<std::pair<std::string, std::int64_t>> out;
  for (auto& target : session.targets()) out.emplace_back(target.key.topic, target.fetch_offset);
  return out;
}

using Targets = std::vector<std::pair<std::string, std::int64_t>>;

// Goal: a session remembers, is changed by what a request names, and forgets on demand.
TEST(FetchSessions, RemembersUpdatesAndForgets) {
  FetchSessions sessions(10, base::Random(1));
  auto plan = sessions.begin(request_for(0, 0, {{"a", 1}, {"b", 2}}), 12);
  ASSERT_NE(plan.session, nullptr);
  EXPECT_FALSE(plan.incremental);
  const auto id = plan.session->id();
  auto next = request_for(id, 1, {{"b", 5}, {"c", 7}});
  next.forgotten_topics_data.push_back({.topic = "a", .partitions = {0}});
  plan = sessions.begin(next, 12);
  EXPECT_TRUE(plan.incremental);
  EXPECT_EQ(targets_of(*plan.session), (Targets{{"b", 5}, {"c", 7}}));
  plan.session->move_to_back({{}, "b", 0});
  plan = sessions.begin(request_for(id, 2, {}), 12);
  EXPECT_EQ(targets_of(*plan.session), (Targets{{"c", 7}, {"b", 5}}));
}

// Goal: each misuse has its own error. Method: one request per rule of KIP-227.
TEST(FetchSessions, RefusesWrongIdsEpochsAndForms) {
  FetchSessions sessions(10, base::Random(1));
  EXPECT_EQ(sessions.begin(request_for(77, 1, {}), 12).error, ErrorCode::kFetchSessionIdNotFound);
  const auto id = sessions.begin(request_for(0, 0, {{"a", 1}}), 12).session->id();
  EXPECT_EQ(sessions.begin(request_for(id, 2, {}), 12).error, ErrorCode::kInvalidFetchSessionEpoch);
  EXPECT_EQ(sessions.begin(request_for(id, 1, {}), 13).error, ErrorCode::kFetchSessionTopicIdError);
  EXPECT_EQ(sessions.begin(request_for(id, 1, {}), 12).error, ErrorCode::kNone);
  // The final epoch ends the session and answers in full.
  auto plan = sessions.begin(request_for(id, -1, {{"a", 3}}), 12);
  EXPECT_EQ(plan.session, nullptr);
  EXPECT_EQ(plan.targets.size(), 1u);
  EXPECT_EQ(sessions.size(), 0u);
}

// Goal: the cache is bounded and the one not used longest goes.
TEST(FetchSessions, DropsTheLeastRecentlyUsed) {
  FetchSessions sessions(2, base::Random(1));
  const auto first = sessions.begin(request_for(0, 0, {{"a", 1}}), 12).session->id();
  const auto second = sessions.begin(request_for(0, 0, {{"b", 1}}), 12).session->id();
  EXPECT_EQ(sessions.begin(request_for(first, 1, {}), 12).error, ErrorCode::kNone);
  sessions.begin(request_for(0, 0, {{"c", 1}}), 12);
  EXPECT_EQ(sessions.size(), 2u);
  EXPECT_EQ(sessions.begin(request_for(second, 1, {}), 12).error,
            ErrorCode::kFetchSessionIdNotFound);
  EXPECT_EQ(sessions.begin(request_for(first, 2, {}), 12).error, ErrorCode::kNone);
}

}  // namespace
}  // namespace broker
