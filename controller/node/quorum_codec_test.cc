#include "controller/node/quorum_codec.h"

#include <gtest/gtest.h>

namespace controller {
namespace {

raft::Membership members() {
  return {{{raft::NodeId(1), {1, 2}, true, {}, 0}, {raft::NodeId(2), {3, 4}, false, "host", 9094}}};
}

raft::Message message(decltype(raft::Message::body) body) {
  return {raft::NodeId(1), raft::NodeId(2), raft::Term(7), std::move(body), {1, 2}, {3, 4}};
}

raft::Entry entry(std::int64_t index, std::int64_t term) {
  return {raft::Index(index), raft::Term(term), std::make_shared<const std::string>("x"), nullptr};
}

std::optional<raft::Message> there_and_back(const raft::Message& from) {
  proto::QuorumMessage encoded;
  encode(from, encoded);
  proto::QuorumMessage parsed;
  EXPECT_TRUE(parsed.ParseFromString(encoded.SerializeAsString()));
  return decode(parsed);
}

// Goal: what is sent arrives as it was. Method: one of each kind, compared by its bytes.
TEST(QuorumCodec, KeepsEveryMessage) {
  raft::AppendRequest append{
      raft::Index(3), raft::Term(2), {entry(4, 2), entry(5, 7)}, raft::Index(4)};
  append.entries.push_back({raft::Index(6), raft::Term(7), std::make_shared<const std::string>(),
                            std::make_shared<const raft::Membership>(members())});
  const std::vector<raft::Message> all = {
      message(raft::VoteRequest{true, raft::Index(9), raft::Term(8), true}),
      message(raft::VoteReply{true, true}),
      message(append),
      message(raft::AppendReply{true, raft::Index(5), raft::Index(4)}),
      message(raft::TimeoutNow{}),
      message(raft::SnapshotRequest{{raft::Index(5), raft::Term(6), nullptr,
                                     std::make_shared<const raft::Membership>(members())}}),
  };
  for (const raft::Message& each : all) {
    const auto back = there_and_back(each);
    ASSERT_TRUE(back.has_value()) << each.body.index();
    proto::QuorumMessage before;
    proto::QuorumMessage after;
    encode(each, before);
    encode(*back, after);
    EXPECT_EQ(before.SerializeAsString(), after.SerializeAsString()) << each.body.index();
  }
  const auto back = there_and_back(all[2]);
  EXPECT_EQ(*std::get<raft::AppendRequest>(back->body).entries[2].members, members());
}

// Goal: nothing that would break the core's invariants passes.
TEST(QuorumCodec, RefusesWhatTheCoreMustNotSee) {
  const auto with = [](std::vector<raft::Entry> entries) {
    return there_and_back(
        message(raft::AppendRequest{raft::Index(3), raft::Term(2), std::move(entries), {}}));
  };
  EXPECT_TRUE(with({entry(4, 2)}).has_value());
  EXPECT_FALSE(with({entry(5, 2)}).has_value());               // a gap
  EXPECT_FALSE(with({entry(4, 1)}).has_value());               // the term falls
  EXPECT_FALSE(with({entry(4, 3), entry(5, 2)}).has_value());  // the same between entries
  EXPECT_FALSE(with({entry(4, 8)}).has_value());               // of a term after the sender's
  EXPECT_FALSE(there_and_back(message(raft::VoteRequest{false, raft::Index(-1), {}})));
  EXPECT_FALSE(decode(proto::QuorumMessage()));
  raft::Membership twice = members();
  twice.members.push_back(twice.members.front());
  proto::QuorumMembers encoded;
  encode(twice, encoded);
  EXPECT_EQ(decode(encoded), nullptr);
}

}  // namespace
}  // namespace controller
