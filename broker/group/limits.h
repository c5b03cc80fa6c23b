// Bounds of the group coordinator: what one shard may hold and what one request may ask of it.
// Each has a behaviour when full; none is reached by a client that behaves.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace broker::group {

// Groups of one shard. Beyond it a request that would make a group gets COORDINATOR_NOT_AVAILABLE
// (retriable: expiry makes room).
inline constexpr std::size_t kGroupsMax = 200'000;
// Members and pending member ids of one group, whatever group.max.size says. Beyond it
// GROUP_MAX_SIZE_REACHED.
inline constexpr std::size_t kMembersMax = 20'000;
// Assignment strategies one member may offer. Beyond it INCONSISTENT_GROUP_PROTOCOL.
inline constexpr std::size_t kProtocolsMax = 64;
// Group and member ids, instance ids, client ids: the wire's short strings. Kafka's own bound.
inline constexpr std::size_t kIdBytesMax = 32'767;
// Offsets of one group. Beyond it a commit of new partitions gets INVALID_COMMIT_OFFSET_SIZE.
inline constexpr std::size_t kOffsetsPerGroupMax = 1'000'000;
// Records of one append, when the decision may be cut into several (expiry, deletion).
inline constexpr std::size_t kTombstonesPerAppend = 1'000;
// A framed record is larger than its key and value by at most this (varints, attributes).
inline constexpr std::size_t kRecordOverheadBytes = 32;

// The header of a record batch.
inline constexpr std::size_t kBatchHeaderBytes = 61;
// What all protocols of one member may take together. Beyond it MESSAGE_TOO_LARGE: such a group
// could never be saved.
inline constexpr std::size_t kMemberMetadataBytesMax = 4 << 20;
// When a join phase ends without anybody having joined, it is given at least this much more.
inline constexpr std::chrono::milliseconds kJoinRetryMin{100};

// A regular expression that members subscribe by, and the memory its program may take. Beyond it
// INVALID_REGULAR_EXPRESSION.
inline constexpr std::size_t kExpressionBytesMax = 4'096;
inline constexpr std::int64_t kExpressionProgramBytesMax = 1 << 20;
// Different expressions of one group. Beyond it INVALID_REGULAR_EXPRESSION.
inline constexpr std::size_t kExpressionsMax = 100;
// Topics that one member of a consumer group may name. Beyond it INVALID_REQUEST.
inline constexpr std::size_t kSubscribedTopicsMax = 10'000;

static_assert(kTombstonesPerAppend > 0);
static_assert(kMembersMax < kGroupsMax);

}  // namespace broker::group
