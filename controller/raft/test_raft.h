// One Raft member under test, with the world played by hand.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>

#include "controller/raft/raft.h"

namespace controller::raft {
using std::chrono::milliseconds;

inline Data data(const std::string& text) { return std::make_shared<const std::string>(text); }

inline Entry entry(std::int64_t index, std::int64_t term, const std::string& text = "x") {
  return {Index(index), Term(term), data(text)};
}

// Which disk a member has.
inline base::Uuid disk(std::int32_t member, std::uint64_t number = 1) {
  return {static_cast<std::uint64_t>(member), number};
}

struct Setting {
  Config config;
  MembershipPtr members;
};

inline Membership voters(std::int32_t count) {
  Membership out;
  for (std::int32_t i = 1; i <= count; ++i)
    out.members.push_back({NodeId(i), disk(i), true, {}, 0});
  return out;
}

// A log that has not seen its members named yet is given these.
inline Setting config(std::int32_t self, std::int32_t count) {
  Config out;
  out.self = NodeId(self);
  out.directory = disk(self);
  return {out, std::make_shared<const Membership>(voters(count))};
}

inline Recovered with(Recovered recovered, const MembershipPtr& members) {
  recovered.snapshot.members = members;
  return recovered;
}

// One member under test, with the world played by hand.
struct Bench {
  explicit Bench(const Setting& setting, Recovered recovered = {})
      : raft(setting.config, with(std::move(recovered), setting.members), base::Random(1), now) {}

  Output step(const Input& input) {
    Output out;
    raft.step(input, now, out);
    raft.check_invariants();
    if (out.write_id > 0) write_id = out.write_id;
    return out;
  }
  Output synced() { return step(Synced{write_id}); }
  Output receive(std::int32_t from, std::int64_t term, decltype(Message::body) body) {
    return step(
        Receive{{NodeId(from), NodeId(1), Term(term), std::move(body), disk(from), disk(1)}});
  }
  // Lets the election timer run out, wins the pre-vote and the vote of member 2.
  void win() {
    now = raft.wake_at();
    step(Tick{});
    ASSERT_EQ(raft.role(), Role::kPreCandidate);
    receive(2, raft.term().value() + 1, VoteReply{true, true});
    ASSERT_EQ(raft.role(), Role::kCandidate);
    synced();
    receive(2, raft.term().value(), VoteReply{false, true});
    ASSERT_EQ(raft.role(), Role::kLeader);
  }

  base::Instant now{std::chrono::seconds(5)};
  std::uint64_t write_id = 0;
  Raft raft;
};

template <class Body>
const Body* find(const std::vector<Message>& messages, std::int32_t to) {
  for (const Message& each : messages) {
    if (each.to == NodeId(to) && std::holds_alternative<Body>(each.body)) {
      return &std::get<Body>(each.body);
    }
  }
  return nullptr;
}

}  // namespace controller::raft
