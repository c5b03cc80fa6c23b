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
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "broker/group/config.h"
#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/base/random.h"
#include "common/base/time.h"
#include "common/base/uuid.h"
#include "common/wire/error_code.h"
#include "common/wire/msg/heartbeat_response.h"
#include "common/wire/msg/join_group_request.h"

namespace broker::group {

// Names one request from its arrival to its answer. Chosen by the owner, unique per shard.
using Token = base::Strong<struct TokenTag, std::uint64_t>;
// Counts what one shard has asked to append, from 1.
using AppendNumber = base::Strong<struct AppendNumberTag, std::uint64_t>;

// What comes with every request.
struct Call {
  Token token;
  std::int16_t version = 0;
  std::string client_id;
  std::string client_host;  // "/10.0.0.7", as Kafka prints it
  base::Instant now;        // never goes backwards
  base::WallMs wall_ms = 0;
};

// One record for the log, in Kafka's format. No value: a tombstone.
struct Record {
  base::Bytes key;
  std::optional<base::Bytes> value;
};

// Append as one batch, in order of number. If that fails the owner calls fail(), drops the shard
// and replays.
struct Append {
  AppendNumber number;
  base::WallMs timestamp_ms = 0;
  std::vector<Record> records;
};

// One partition's offset in a request or an answer. Topics are already known to exist.
struct TopicPartition {
  std::string topic;
  std::int32_t partition = 0;
  friend auto operator<=>(const TopicPartition&, const TopicPartition&) = default;
};

// ---- the requests whose wire form speaks of several groups, or of topics the shard cannot know

struct CommitOffsets {  // OffsetCommit 2-10, after the handler took out the unknown topics
  struct Partition {
    TopicPartition at;
    base::Uuid topic_id;  // zero when unknown
    std::int64_t offset = 0;
    std::int32_t leader_epoch = -1;
    std::string metadata;
  };
  std::string group_id;
  std::int32_t generation = -1;
  std::string member_id;
  std::optional<std::string> instance_id;
  std::optional<base::Duration> retention;  // v2-4
  std::vector<Partition> partitions;
};

struct FetchOffsets {  // one group of OffsetFetch 1-10
  std::string group_id;
  std::optional<std::string> member_id;  // v9+
  std::int32_t member_epoch = -1;        // v9+
  bool require_stable = false;
  bool all = false;  // every partition that has an offset; `partitions` is empty then
  std::vector<TopicPartition> partitions;
};

struct ListGroups {
  std::vector<std::string> states;  // empty: all
  std::vector<std::string> types;
};
struct DescribeGroup {
  std::string group_id;
};
struct DeleteGroup {
  std::string group_id;
};
struct DeleteOffsets {  // OffsetDelete
  std::string group_id;
  std::vector<TopicPartition> partitions;
};

// ---- answers

struct OffsetCommitted {
  TopicPartition at;
  wire::ErrorCode error = wire::ErrorCode::kNone;
};
struct OffsetsCommitted {
  std::vector<OffsetCommitted> partitions;  // in the order asked
};
struct FetchedOffset {
  TopicPartition at;
  base::Uuid topic_id;       // as committed; zero when unknown
  std::int64_t offset = -1;  // -1: none
  std::int32_t leader_epoch = -1;
  std::string metadata;
  wire::ErrorCode error = wire::ErrorCode::kNone;
};
struct FetchedOffsets {
  wire::ErrorCode error = wire::ErrorCode::kNone;  // the whole group's
  std::vector<FetchedOffset> partitions;
};
struct ListedGroup {
  std::string group_id;
  std::string protocol_type;
  std::string state;
  std::string type;
};
struct ListedGroups {
  wire::ErrorCode error = wire::ErrorCode::kNone;
  std::vector<ListedGroup> groups;
};
struct DescribedMember {
  std::string member_id;
  std::optional<std::string> instance_id;
  std::string client_id;
  std::string client_host;
  base::Bytes metadata;
  base::Bytes assignment;
};
struct DescribedGroup {
  wire::ErrorCode error = wire::ErrorCode::kNone;
  std::optional<std::string> error_message;
  std::string group_id;
  std::string state;
  std::string protocol_type;
  std::string protocol;
  std::vector<DescribedMember> members;
};
struct GroupDeleted {
  wire::ErrorCode error = wire::ErrorCode::kNone;
};
struct OffsetsDeleted {
  wire::ErrorCode error = wire::ErrorCode::kNone;  // the whole group's
  std::vector<OffsetCommitted> partitions;
};

using Response =
    std::variant<wire::JoinGroupResponse, wire::SyncGroupResponse, wire::HeartbeatResponse,
                 wire::LeaveGroupResponse, OffsetsCommitted, FetchedOffsets, ListedGroups,
                 DescribedGroup, GroupDeleted, OffsetsDeleted>;
struct Reply {
  Token token;
  Response response;
};

struct Output {
  std::vector<Append> append;
  std::vector<Reply> reply;  // may leave now
};

struct Stats {  // counters for the shell to export
  std::uint64_t rebalances = 0;
  std::uint64_t offset_commits = 0;  // partitions
  std::uint64_t offsets_expired = 0;
  std::uint64_t members_expired = 0;
};

class GroupCoordinator {
 public:
  // `random` makes member ids.
  GroupCoordinator(const Config& config, base::Random random);
  ~GroupCoordinator();

  // ---- loading: records in log order, then finish_replay once, then everything else.
  // A record of an unknown kind (a newer version's) is skipped; a malformed one too, and counted.
  void replay(base::BytesView key, std::optional<base::BytesView> value);
  void finish_replay(base::Instant now, base::WallMs wall_ms);
  std::uint64_t malformed_records() const;

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

  // ---- the world
  // Everything up to `number` is committed (durable, by the topic's rule): releases replies.
  void on_committed(AppendNumber number, base::Instant now, Output& out);
  // Deadlines: call at or after wake_at().
  void step(base::Instant now, base::WallMs wall_ms, Output& out);
  std::optional<base::Instant> wake_at() const;
  // The topic is gone for good: its offsets go too.
  void on_topic_deleted(std::string_view topic, base::WallMs wall_ms, Output& out);
  // The shard ends: leadership moved (NOT_LEADER_OR_FOLLOWER) or an append failed with `error`.
  // Answers every waiting request with the coordinator's error for it; the owner then drops the
  // shard.
  void fail(wire::ErrorCode error, Output& out);

  const Stats& stats() const;
};

}  // namespace broker::group
