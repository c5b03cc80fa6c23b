// One shard of the group coordinator: every group whose id hashes to one partition of
// __consumer_offsets. Decides, never does: no clock, no I/O, no threads. Owned by
// node::CoordinatorShard, which calls it from one executor only. Spec: docs/groups.md.
//
// What survives a restart is in the log: committed offsets and, per group, the last generation
// with an assignment. The rest (who waits in a rebalance, who has asked for a member id) is lost
// with the shard; clients are told UNKNOWN_MEMBER_ID or ILLEGAL_GENERATION and join again.
//
// Invariants: every token is answered exactly once; records leave in the order they must be
// appended in and the shard already reflects them; a reply that tells of a record leaves only
// after that record is committed; a generation is assigned at most once.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "broker/group/config.h"
#include "broker/group/deadlines.h"
#include "broker/group/group.h"
#include "broker/group/ids.h"
#include "broker/group/requests.h"
#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/base/random.h"
#include "common/base/time.h"
#include "common/base/uuid.h"
#include "common/wire/error_code.h"
#include "common/wire/msg/heartbeat_request.h"
#include "common/wire/msg/heartbeat_response.h"
#include "common/wire/msg/join_group_request.h"
#include "common/wire/msg/join_group_response.h"
#include "common/wire/msg/leave_group_request.h"
#include "common/wire/msg/leave_group_response.h"
#include "common/wire/msg/sync_group_request.h"
#include "common/wire/msg/sync_group_response.h"

namespace broker::group {

struct Stats {  // counters for the shell to export
  std::uint64_t rebalances = 0;
  std::uint64_t offset_commits = 0;  // partitions
  std::uint64_t offsets_expired = 0;
  std::uint64_t members_expired = 0;
};

struct BeatRefusal;

class GroupCoordinator {
 public:
  // `random` makes member ids.
  GroupCoordinator(const Config& config, base::Random random);
  ~GroupCoordinator();

  // ---- loading: records in log order, then finish_replay once, then everything else.
  // A record of an unknown kind (a newer version's) is skipped; a malformed one too, and counted.
  void replay(base::BytesView key, std::optional<base::BytesView> value);
  // The same within a transaction, and its end.
  void replay_pending(base::ProducerId producer, base::BytesView key,
                      std::optional<base::BytesView> value);
  void replay_end(base::ProducerId producer, bool commit);
  void finish_replay(base::Instant now, base::WallMs wall_ms, Output& out);
  std::uint64_t malformed_records() const { return malformed_records_; }

  // ---- requests. Each is answered through Output::reply, now or later, with the Response of its
  // kind. Appends to `out`, never reads it.
  void handle(const Call& call, const wire::JoinGroupRequest& request, Output& out);
  void handle(const Call& call, const wire::SyncGroupRequest& request, Output& out);
  void handle(const Call& call, const wire::HeartbeatRequest& request, Output& out);
  void handle(const Call& call, const wire::LeaveGroupRequest& request, Output& out);
  void handle(const Call& call, const CommitOffsets& request, Output& out);
  void handle(const Call& call, const FetchOffsets& request, Output& out);
  void handle(const Call& call, const ListGroups& request, Output& out);
  void handle(const Call& call, const DescribeGroup& request, Output& out);
  void handle(const Call& call, const DeleteGroup& request, Output& out);
  void handle(const Call& call, const DeleteOffsets& request, Output& out);
  void handle(const Call& call, const EndTransaction& request, Output& out);
  void handle(const Call& call, const ConsumerHeartbeat& request, Output& out);
  void handle(const Call& call, const DescribeConsumerGroup& request, Output& out);

  // ---- the world
  // The topics as they are now, never null. Before the first JoinGroup, SyncGroup, LeaveGroup or
  // step() since they changed.
  void see_topics(std::shared_ptr<const Topics> topics) { topics_ = std::move(topics); }
  // Everything up to `number` is committed (durable, by the topic's rule): releases replies.
  void on_committed(AppendNumber number, base::Instant now, Output& out);
  // Everything up to `number` has taken too long to commit: whoever waits for it is told
  // COORDINATOR_NOT_AVAILABLE. The records stay: they may be committed yet.
  void give_up_waiting(AppendNumber number, Output& out);
  // Deadlines: call at or after wake_at().
  void step(base::Instant now, base::WallMs wall_ms, Output& out);
  std::optional<base::Instant> wake_at() const;
  // The topic is gone for good: its offsets go too.
  void on_topic_deleted(std::string_view topic, const base::Uuid& topic_id, base::WallMs wall_ms,
                        Output& out);
  // The shard ends: leadership moved (NOT_LEADER_OR_FOLLOWER) or an append failed with `error`.
  // Answers every waiting request with the coordinator's error for it; the owner then drops the
  // shard.
  void fail(wire::ErrorCode error, Output& out);

  const Stats& stats() const { return stats_; }
  // For tests and invariants: the groups by id, and a check that holds between any two calls.
  const std::map<std::string, Group, std::less<>>& groups() const { return groups_; }
  void check_invariants() const;

 private:
  // What every step needs to know and where its effects go.
  struct Turn {
    base::Instant now;
    base::WallMs wall_ms = 0;
    Output& out;
  };
  struct Parked {
    AppendNumber after;
    Reply reply;
  };
  struct Joining;  // a JoinGroup request being decided, join.cc
  struct Beat;     // a ConsumerGroupHeartbeat being decided, consumer_beat.h

  // answer.cc
  void answer(Token token, Response response, Turn& turn);
  void answer_after(AppendNumber number, Token token, Response response, Turn& turn);
  void answer_join(Group& group, Member& member, wire::JoinGroupResponse response, Turn& turn);
  bool answer_sync(Member& member, wire::SyncGroupResponse response, Turn& turn);
  void refuse_join(Token token, std::string_view member_id, wire::ErrorCode error, Turn& turn);
  void refuse_sync(Token token, wire::ErrorCode error, Turn& turn);

  // append.cc
  AppendNumber append(std::vector<Record> records, Turn& turn);
  void append_in_parts(Group& group, std::vector<Record> records, Turn& turn);
  bool fits(const std::vector<Record>& records) const;
  bool fits_saved(const Group& group) const;
  void save(Group& group, Turn& turn);
  void store_offset(Group& group, const TopicPartition& at, CommittedOffset value);
  bool drop_offset(Group& group, const TopicPartition& at);
  void replay_group(const std::string& group_id, std::optional<Group> saved);

  // join.cc
  Group* group_to_join(const Joining& joining, Turn& turn);
  bool accepts(const Group& group, std::string_view member_id) const;
  void turn_away(Group& group, const std::string& member_id, Turn& turn);
  void join_new(Group& group, Joining& joining, Turn& turn);
  void join_known(Group& group, Joining& joining, Turn& turn);
  void rejoin(Group& group, Member& member, Joining& joining, Turn& turn);
  void add_and_rebalance(Group& group, Joining& joining, std::string member_id, Turn& turn);
  void replace_static(Group& group, Joining& joining, const std::string& old_id, Turn& turn);
  void answer_replaced(Group& group, Member& member, const Joining& joining,
                       const std::optional<std::string>& old_leader, Turn& turn);
  void update_member(Group& group, Member& member, Joining& joining, Turn& turn);
  std::string new_member_id(const Group& group, std::string_view prefix);
  wire::JoinGroupResponse current_generation(const Group& group, const Member& member) const;

  // rebalance.cc
  void prepare_rebalance(Group& group, Turn& turn);
  void rebalance_or_complete(Group& group, Turn& turn);
  void maybe_complete_join(Group& group, Turn& turn);
  void complete_join(Group& group, Turn& turn);
  void on_join_deadline(Group& group, Turn& turn);
  base::Duration delay_of_first(const Group& group, base::Instant now) const;
  void begin_generation(Group& group, Turn& turn);
  void on_sync_deadline(Group& group, Turn& turn);
  void on_session_deadline(Group& group, const std::string& member_id, Turn& turn);
  void remove_member(Group& group, const std::string& member_id, Turn& turn);
  void touch_session(Group& group, const Member& member, base::Instant now);
  void drop_assignments(Group& group, wire::ErrorCode error, Turn& turn);

  // sync.cc
  void assign(Group& group, const wire::SyncGroupRequest& request, Turn& turn);
  void stop_waiting_for_sync(Group& group, const std::string& member_id);

  // membership.cc
  wire::ErrorCode leave(Group& group, std::string_view member_id,
                        const std::optional<std::string>& instance_id, Turn& turn);

  // offsets.cc
  wire::ErrorCode check_commit(const Call& call, const CommitOffsets& request, Group* group) const;
  void answer_commit_error(const Call& call, const CommitOffsets& request, wire::ErrorCode error,
                           Turn& turn);
  void keep_session(Group& group, const CommitOffsets& request, Turn& turn);
  static const CommittedOffset* find_offset(const Group& group, const TopicPartition& at);

  // txn_offsets.cc
  void store_pending(Group& group, base::ProducerId producer, const TopicPartition& at,
                     CommittedOffset value);
  void end_pending(base::ProducerId producer, bool commit, AppendNumber told_after);
  void drop_pending(Group& group);

  // expire.cc
  void on_offsets_check(Turn& turn);
  void expire_offsets(Group& group, Turn& turn);
  void drop_offsets(Group& group, const std::vector<TopicPartition>& gone, Turn& turn);

  // consumer_heartbeat.cc
  std::optional<BeatRefusal> refusal_to_join(Beat& beat);
  std::optional<BeatRefusal> plan_upgrade(const Group& group, Beat& beat) const;
  Group& group_of_consumers(Beat& beat);
  void decide(Group& group, Beat& beat);
  void change(Group& group, std::string name, ConsumerRecord::Value value,
              std::vector<Record>& records);
  bool fits_member(const Beat& beat, const ConsumerMember* known) const;
  void take_member(Group& group, Beat& beat);
  void take_over(Group& group, ConsumerMember member, Beat& beat);
  void reconcile(Group& group, Beat& beat);

  // consumer_target.cc
  void resolve_expressions(Group& group, Beat& beat);
  void raise_epoch(Group& group, Beat& beat);
  void make_target(Group& group, Beat& beat);
  // When the group may have its next target; nothing: at any time.
  std::optional<base::Instant> next_target_at(const ConsumerGroup& group) const;
  // The epoch that a member can get to now: the group's, or while its target waits, the target's.
  std::int32_t reachable_epoch(const ConsumerGroup& group, base::Instant now) const;

  // consumer_members.cc
  void consumer_leave(const Call& call, const wire::ConsumerGroupHeartbeatRequest& request,
                      Turn& turn);
  void drop_consumer(Group& group, const std::string& member_id, std::vector<Record>& records);
  void remove_consumers(Group& group, const std::vector<std::string>& member_ids, Turn& turn);
  void on_consumer_deadline(Group& group, const std::string& member_id, Turn& turn);
  static void settle_consumers(Group& group);
  // When the member is to send its next heartbeat.
  base::Duration next_beat_in(const ConsumerGroup& group, const ConsumerMember& member,
                              const ConsumerHeartbeat& ask, base::Instant now) const;
  static void make_consumers(Group& group);
  void make_classic(Group& group, Turn& turn);
  void replay_consumer(const ConsumerRecord& record);
  void resume_consumers(Group& group, Turn& turn);
  wire::ErrorCode check_consumer_commit(const Call& call, const CommitOffsets& request,
                                        const ConsumerGroup& group) const;
  static wire::ErrorCode check_consumer_fetch(const FetchOffsets& request, const Group& group);

  // consumer_classic.cc
  void join_consumers(Group& group, Joining& joining, Turn& turn);
  void answer_joined(Group& group, Beat& beat, const Joining& joining, bool replaces_consumer);
  void sync_consumers(Group& group, const Call& call, const wire::SyncGroupRequest& request,
                      Turn& turn);
  wire::ErrorCode beat_of_classic(Group& group, const wire::HeartbeatRequest& request, Turn& turn);
  void ask_to_join(const Group& group, const ConsumerMember& member, Turn& turn);
  base::Bytes assignment_for(const ConsumerMember& member) const;

  // consumer_migrate.cc
  void upgrade(Group& group, Beat& beat);
  bool downgrade(Group& group, std::vector<Record>& records, bool is_settled, Turn& turn);
  std::optional<Group> as_classic(const Group& group, base::WallMs wall_ms) const;

  Group* find_group(std::string_view group_id);
  // The same, if it is a consumer group with members.
  Group* find_consumers(std::string_view group_id);
  Group& make_group(const std::string& group_id);
  // Erases a group that holds nothing and was never in the log.
  void forget_if_unused(const std::string& group_id);
  void remove_group(Group& group);

  const Config config_;
  base::Random random_;
  std::map<std::string, Group, std::less<>> groups_;
  Deadlines deadlines_;
  std::shared_ptr<const Topics> topics_;
  AppendNumber last_append_{};
  AppendNumber committed_{};
  std::deque<Parked> parked_;  // by `after`, rising
  // Offsets of transactions that have not ended, by producer and group.
  using Pending = std::map<std::string, std::map<TopicPartition, CommittedOffset>, std::less<>>;
  std::map<base::ProducerId, Pending> pending_;
  std::uint64_t last_order_ = 0;  // of offsets, as they came
  std::uint64_t malformed_records_ = 0;
  Stats stats_;
};

// Why a member may not speak for itself: UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID or none.
wire::ErrorCode check_member(const Group& group, std::string_view member_id,
                             const std::optional<std::string>& instance_id);
// The records that end a group with its members, its offsets aside.
std::vector<Record> group_tombstones(const Group& group);
// What the coordinator's clients are told when an append failed.
wire::ErrorCode coordinator_error(wire::ErrorCode append_error);

}  // namespace broker::group
