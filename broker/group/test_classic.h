// Members of the classic protocol for tests of groups that change their protocol: they speak as
// consumers do, and the bench does the assignor's work.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "broker/group/consumer_protocol.h"
#include "broker/group/test_consumers.h"
#include "common/wire/msg/consumer_protocol_assignment.h"
#include "common/wire/msg/consumer_protocol_subscription.h"
#include "common/wire/writer.h"

namespace broker::group::testing {

struct ClassicMember {
  std::string name;
  std::optional<std::string> instance = std::nullopt;
  bool cooperative = false;
  std::string type = "consumer";
  std::string assignor = "range";
  bool malformed = false;
  bool user_data = false;
  std::string id = "";
  std::int32_t generation = -1;
  std::set<std::int32_t> owned = {};  // of topic "t"
  std::optional<Token> joining = std::nullopt;
  std::optional<Token> syncing = std::nullopt;

  base::Bytes subscription() const {
    if (malformed) return bytes("?");
    wire::ConsumerProtocolSubscription said{.topics = {"t"}};
    if (cooperative && !owned.empty()) {
      said.owned_partitions = {{.topic = "t", .partitions = {owned.begin(), owned.end()}}};
    }
    wire::Writer out;
    out.write_number<std::int16_t>(1);
    said.encode(out, 1);
    return out.take();
  }
};

class MigrationBench : public ConsumerBench {
 public:
  explicit MigrationBench(Config config = {}) : ConsumerBench(std::move(config)) {}

  using ConsumerBench::beat;
  ErrorCode beat(const ClassicMember& member) {
    const wire::HeartbeatRequest request{.group_id = "g",
                                         .generation_id = member.generation,
                                         .member_id = member.id,
                                         .group_instance_id = member.instance};
    return ask<wire::HeartbeatResponse>(request, 4).error_code;
  }
  void ask_join(ClassicMember& member) {
    // Eager members give everything back before.
    if (!member.cooperative) member.owned.clear();
    wire::JoinGroupRequest request = testing::join("g", member.id);
    request.group_instance_id = member.instance;
    request.protocol_type = member.type;
    request.protocols = {{.name = member.assignor, .metadata = member.subscription()}};
    member.joining = send(request, 3);
    member.syncing.reset();
  }
  // A join that is answered at once.
  ErrorCode join_once(ClassicMember& member) {
    ask_join(member);
    EXPECT_TRUE(answered(*member.joining));
    return take_join(member);
  }
  using ConsumerBench::join;

  ErrorCode take_join(ClassicMember& member) {
    const auto joined = answer<wire::JoinGroupResponse>(*member.joining);
    member.joining.reset();
    if (joined.error_code == ErrorCode::kUnknownMemberId) member.id.clear();
    if (joined.error_code == ErrorCode::kFencedInstanceId) member.id.clear();
    if (joined.error_code != ErrorCode::kNone) return joined.error_code;
    member.id = joined.member_id;
    member.generation = joined.generation_id;
    wire::SyncGroupRequest request = testing::sync(joined, "g");
    request.group_instance_id = member.instance;
    if (joined.leader == joined.member_id) request.assignments = shares(member, joined);
    member.syncing = send(request, 5);
    return ErrorCode::kNone;
  }
  void take_sync(ClassicMember& member) {
    const auto synced = answer<wire::SyncGroupResponse>(*member.syncing);
    member.syncing.reset();
    if (synced.error_code == ErrorCode::kUnknownMemberId) member.id.clear();
    if (synced.error_code != ErrorCode::kNone) return ask_join(member);
    const auto mine = read_assignment(synced.assignment);
    if (!mine) return;
    const auto before = member.owned;
    const auto at = mine->partitions.find("t");
    member.owned = at == mine->partitions.end() ? std::set<std::int32_t>{} : at->second;
    // Cooperative members join again when they have given back.
    const bool gave_back = std::ranges::any_of(
        before, [&](std::int32_t each) { return !member.owned.contains(each); });
    if (member.cooperative && gave_back && rejoins) ask_join(member);
  }
  // One step of a member that does what clients do.
  void go_on(ClassicMember& member) {
    if (member.joining) {
      if (!answered(*member.joining)) return;
      if (take_join(member) != ErrorCode::kNone) ask_join(member);
    } else if (member.syncing) {
      if (answered(*member.syncing)) take_sync(member);
    } else if (member.generation < 0) {
      ask_join(member);
    } else {
      const ErrorCode error = beat(member);
      if (error == ErrorCode::kUnknownMemberId) member.id.clear();
      if (error == ErrorCode::kFencedInstanceId) member.id.clear();
      if (error != ErrorCode::kNone) ask_join(member);
    }
  }
  void leave(ClassicMember& member) {
    wire::LeaveGroupRequest request{.group_id = "g"};
    request.members.push_back({.member_id = member.id, .group_instance_id = member.instance});
    send(request, 5);
    member.id.clear();
    member.generation = -1;
    member.joining.reset();
    member.syncing.reset();
    member.owned.clear();
  }

  // Until nobody is told anything new.
  void settle_classic(const std::vector<ClassicMember*>& members) {
    rejoins = false;
    for (ClassicMember* member : members) {
      if (!member->joining && !member->syncing) ask_join(*member);
    }
    for (int round = 0; round < 8; ++round) {
      pass(1s);
      for (ClassicMember* member : members) go_on(*member);
    }
    rejoins = true;
  }
  void settle_mixed(const std::vector<ClassicMember*>& classic,
                    const std::vector<TestMember*>& members) {
    for (int round = 0; round < 16; ++round) {
      for (ClassicMember* member : classic) go_on(*member);
      for (TestMember* member : members) beat(*member);
    }
  }

  // By name; without, everything is shared out in turn.
  std::map<std::string, std::set<std::int32_t>> share_out;
  bool rejoins = true;

 private:
  std::vector<wire::SyncGroupRequest::SyncGroupRequestAssignment> shares(
      const ClassicMember& leader, const wire::JoinGroupResponse& joined) {
    std::vector<std::set<std::int32_t>> parts(joined.members.size());
    for (std::int32_t i = 0; i < 4; ++i) {
      parts[static_cast<std::size_t>(i) % parts.size()].insert(i);
    }
    std::vector<wire::SyncGroupRequest::SyncGroupRequestAssignment> out;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      if (!share_out.empty()) {
        const bool is_leader = joined.members[i].member_id == leader.id;
        parts[i] = share_out.at(is_leader ? leader.name : "b");
      }
      wire::ConsumerProtocolAssignment assignment;
      assignment.assigned_partitions = {
          {.topic = "t", .partitions = {parts[i].begin(), parts[i].end()}}};
      if (leader.user_data) assignment.user_data = bytes("x");
      wire::Writer encoded;
      encoded.write_number<std::int16_t>(1);
      assignment.encode(encoded, 1);
      out.push_back({.member_id = joined.members[i].member_id, .assignment = encoded.take()});
    }
    return out;
  }
};

}  // namespace broker::group::testing
