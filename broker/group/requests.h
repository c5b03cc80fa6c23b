// What one shard of the group coordinator is asked and what it says: requests, answers, records to
// append. Plain values, free of threads. Errors are the wire's.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "broker/group/consumer_topics.h"
#include "broker/group/ids.h"
#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/base/time.h"
#include "common/base/uuid.h"
#include "common/wire/error_code.h"
#include "common/wire/msg/consumer_group_describe_response.h"
#include "common/wire/msg/consumer_group_heartbeat_request.h"
#include "common/wire/msg/consumer_group_heartbeat_response.h"
#include "common/wire/msg/heartbeat_response.h"
#include "common/wire/msg/join_group_response.h"
#include "common/wire/msg/leave_group_response.h"
#include "common/wire/msg/sync_group_response.h"

namespace broker::group {

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

// Who commits within a transaction.
struct Producer {
  base::ProducerId id;
  base::ProducerEpoch epoch;
};

// Append as one batch, in order of number. If that fails the owner calls fail(), drops the shard
// and replays.
struct Append {
  AppendNumber number;
  base::WallMs timestamp_ms = 0;
  std::vector<Record> records;
  std::optional<Producer> producer;  // the records count once its transaction is committed
  // Instead of records: the end of its transaction.
  struct Marker {
    bool commit = false;
    std::int32_t coordinator_epoch = 0;
    std::int16_t transaction_version = 0;
  };
  std::optional<Marker> marker;
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
  std::optional<Producer> producer;         // of TxnOffsetCommit
  std::optional<std::uint64_t> guard;       // the same: see Partition::begin_verification
  std::vector<Partition> partitions;
};

struct EndTransaction {  // the marker for this partition of __consumer_offsets, checked already
  Producer producer;
  Append::Marker marker;
};

struct FetchOffsets {  // one group of OffsetFetch 1-10
  struct Partition {
    TopicPartition at;
    base::Uuid topic_id;  // when known: an offset of another topic of that name is not answered
  };
  std::string group_id;
  bool all = false;             // every partition that has an offset; `partitions` is empty then
  bool require_stable = false;  // UNSTABLE_OFFSET_COMMIT while a transaction may change it
  std::vector<Partition> partitions;
  // Of a member of a consumer group, which may read while it is one.
  std::optional<std::string> member_id;
  std::int32_t member_epoch = -1;
};

// ConsumerGroupHeartbeat 0-1 (KIP-848), with what the shard cannot know.
struct ConsumerHeartbeat {
  wire::ConsumerGroupHeartbeatRequest request;
  std::shared_ptr<const Topics> topics;  // never null
  // As they are for this group now; without, the shard's own (Config) hold.
  std::optional<base::Duration> session_timeout;
  std::optional<base::Duration> heartbeat_interval;
  std::optional<base::Duration> assignment_interval;
};
struct DescribeConsumerGroup {
  std::string group_id;
  std::shared_ptr<const Topics> topics;  // never null
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
struct DescribedConsumerGroup {
  wire::ConsumerGroupDescribeResponse::DescribedGroup group;
};
struct TransactionEnded {
  wire::ErrorCode error = wire::ErrorCode::kNone;
};

using Response =
    std::variant<wire::JoinGroupResponse, wire::SyncGroupResponse, wire::HeartbeatResponse,
                 wire::LeaveGroupResponse, OffsetsCommitted, FetchedOffsets, ListedGroups,
                 DescribedGroup, GroupDeleted, OffsetsDeleted, TransactionEnded,
                 wire::ConsumerGroupHeartbeatResponse, DescribedConsumerGroup>;
struct Reply {
  Token token;
  Response response;
};

struct Output {
  std::vector<Append> append;
  std::vector<Reply> reply;  // may leave now
};

}  // namespace broker::group
