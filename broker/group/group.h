// One group: of the classic protocol, or of the consumer protocol (`consumer`). Members,
// generation, the state of its rebalance, and its committed offsets. Plain data with the questions
// that need no more than it; the rules are GroupCoordinator's.
//
//             first member                    all joined, or time is up
//   Empty ───────────────▶ PreparingRebalance ─────────────────────────▶ CompletingRebalance
//     ▲                        ▲       │ nobody is left                    │        │ leader's
//     └────────────────────────┼───────┘                                   │        ▼ assignment
//                              ├───────── member joins, leaves, dies ──────┘      Stable
//                              └──────────────────────────────────────────────────┘
//
// A group that is gone (Kafka's Dead) is not in the map any more.
//
// Invariants: the group leader is a member; a static member's instance id maps to it; members that
// wait for JoinGroup do so in PreparingRebalance only, for SyncGroup in CompletingRebalance only;
// in every state some protocol is supported by all members.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/group/consumer_group.h"
#include "broker/group/ids.h"
#include "common/base/bytes.h"
#include "common/base/time.h"
#include "common/base/uuid.h"

namespace broker::group {

enum class GroupState { kEmpty, kPreparingRebalance, kCompletingRebalance, kStable };

// Kafka's names: "PreparingRebalance".
std::string_view name(GroupState state);

// A way of sharing out the work that a member offers: opaque but for the consumer's own.
struct Protocol {
  std::string name;
  base::Bytes metadata;
  friend bool operator==(const Protocol&, const Protocol&) = default;
};

struct Member {
  std::string id;
  std::optional<std::string> instance_id;
  std::string client_id;
  std::string client_host;
  base::Duration session_timeout{};
  base::Duration rebalance_timeout{};
  std::vector<Protocol> protocols;  // by preference, names unique, never empty
  base::Bytes assignment;

  bool is_new = false;  // has not had its first JoinGroup answered
  std::optional<Token> awaiting_join;
  std::optional<Token> awaiting_sync;
  // The append that its SyncGroup answer waits for; it cannot heartbeat before that.
  AppendNumber told_after{};

  const Protocol* find_protocol(std::string_view protocol) const;
};

struct CommittedOffset {
  std::int64_t offset = -1;
  std::int32_t leader_epoch = -1;
  std::string metadata;
  base::WallMs commit_ms = 0;
  std::optional<base::WallMs> expire_ms;  // set by OffsetCommit 2-4 with a retention
  base::Uuid topic_id;                    // zero when unknown
  // Which of two came later: a transaction that ends does not undo what was committed after its
  // own commit. Not in the log, and of no matter to equality.
  struct Order {
    std::uint64_t number = 0;
    friend bool operator==(Order, Order) { return true; }
  } order;
  friend bool operator==(const CommittedOffset&, const CommittedOffset&) = default;
};

struct Group {
  std::string id;
  GroupState state = GroupState::kEmpty;
  GroupState previous_state = GroupState::kEmpty;
  std::optional<base::WallMs> state_since_ms;
  std::int32_t generation = 0;
  std::optional<std::string> protocol_type;  // none: only ever stored offsets
  std::optional<std::string> protocol;
  std::optional<std::string> leader;  // a member id
  std::map<std::string, Member, std::less<>> members;
  std::map<std::string, std::string, std::less<>> static_members;  // instance id -> member id
  std::set<std::string, std::less<>> pending_join;  // ids given out with MEMBER_ID_REQUIRED
  std::set<std::string, std::less<>> pending_sync;  // members yet to send SyncGroup
  std::map<std::string, std::size_t, std::less<>> protocol_counts;  // members that offer it
  std::size_t awaiting_join_count = 0;
  // Nothing: not a consumer group, or its subscriptions cannot be read.
  std::optional<std::set<std::string, std::less<>>> subscribed_topics;
  // The first rebalance of a group is put off while members keep coming.
  bool new_member_added = false;
  base::Instant last_came_at{};
  base::Duration initial_delay_left{};

  std::map<std::string, std::map<std::int32_t, CommittedOffset>, std::less<>> offsets;
  std::size_t offset_count = 0;
  // Partitions that open transactions have committed offsets for, with how many.
  std::map<std::pair<std::string, std::int32_t>, std::size_t> unstable;
  // Set: a group of the consumer protocol (KIP-848). It has no classic members, and is kEmpty or
  // kStable as it has members or not.
  std::optional<ConsumerGroup> consumer;
  AppendNumber last_append{};  // the last one that speaks of this group
  bool logged = false;         // some record of it is, or was, in the log

  bool is(GroupState s) const { return state == s; }
  Member* find_member(std::string_view member_id);
  bool is_leader(std::string_view member_id) const { return leader && *leader == member_id; }
  bool all_joined() const { return members.size() == awaiting_join_count && pending_join.empty(); }
  // The longest of the members'.
  base::Duration rebalance_timeout() const;
  bool uses_consumer_protocol() const { return protocol_type && *protocol_type == "consumer"; }
  bool is_subscribed_to(std::string_view topic) const;
  // Whether a member with these protocols could be in the group with those who are there.
  bool supports(std::string_view type, const std::vector<Protocol>& protocols) const;
  // The protocol that all support and most prefer; ties go to the leader's preference.
  std::string select_protocol() const;

  void move_to(GroupState next, base::WallMs wall_ms);
  void add_member(Member member, const std::string& type);
  void remove_member(std::string_view member_id);  // or a pending id
  // The static member `instance_id` gets a new member id and keeps everything else.
  Member& rename_member(std::string_view old_id, const std::string& new_id);
  void set_protocols(Member& member, std::vector<Protocol> protocols);
  // If the leader has not joined this rebalance, a member that has takes over. False if none has.
  bool elect_joined_leader();
  void refresh_subscribed_topics();
};

// Topics of a ConsumerProtocolSubscription of any version; nothing when it is malformed.
std::optional<std::vector<std::string>> subscribed_topics_of(base::BytesView metadata);

}  // namespace broker::group
