// One group of the consumer protocol (KIP-848): what its members subscribe to, what each is to own
// and what each owns now. Plain data that changes by its records only, live and in replay alike;
// the rules are in consumer_reconcile.h and in GroupCoordinator.
// Members of the classic protocol may be among the members (`classic`), after an online migration:
// to them a member's epoch is their generation.
//
// Three kinds of epoch: the group's rises when members or topics change; the target's is the group
// epoch that the target assignment was made for; a member's is the target epoch it has reached.
//
// Invariants: no partition is held by two members (owned, or still being given back); every static
// member's instance id maps to it.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "common/base/time.h"
#include "common/base/uuid.h"
#include "common/wire/msg/consumer_group_current_member_assignment_value.h"
#include "common/wire/msg/consumer_group_member_metadata_value.h"
#include "common/wire/msg/consumer_group_metadata_value.h"
#include "common/wire/msg/consumer_group_regular_expression_value.h"
#include "common/wire/msg/consumer_group_target_assignment_member_value.h"
#include "common/wire/msg/consumer_group_target_assignment_metadata_value.h"

namespace broker::group {

struct PartitionId {
  base::Uuid topic_id;
  std::int32_t partition = 0;
  friend auto operator<=>(const PartitionId&, const PartitionId&) = default;
};
using Partitions = std::set<PartitionId>;
// With the member epoch in which each was given.
using OwnedPartitions = std::map<PartitionId, std::int32_t>;

// Kafka's numbers.
enum class ConsumerMemberState : std::int8_t {
  kStable = 0,      // has reached the target
  kUnrevoked = 1,   // has to give partitions back first
  kUnreleased = 2,  // waits for partitions that others have to give back
};

// Epochs with a meaning of their own.
inline constexpr std::int32_t kJoinEpoch = 0;
inline constexpr std::int32_t kLeaveEpoch = -1;
inline constexpr std::int32_t kStaticLeaveEpoch = -2;

struct ConsumerMember {
  // Of a member that speaks the classic protocol: what it said in JoinGroup.
  using Classic = wire::ConsumerGroupMemberMetadataValue::ClassicMemberMetadata;

  std::string id;
  std::optional<std::string> instance_id;
  std::optional<std::string> rack;
  std::string client_id;
  std::string client_host;
  std::set<std::string, std::less<>> topics;
  std::optional<std::string> expression;  // never empty
  std::int32_t rebalance_timeout_ms = -1;
  std::optional<std::string> assignor;
  std::optional<Classic> classic;

  std::int32_t epoch = kJoinEpoch;
  std::int32_t previous_epoch = -1;
  ConsumerMemberState state = ConsumerMemberState::kStable;
  OwnedPartitions owned;
  OwnedPartitions revoking;  // still held until the member says otherwise

  bool holds_any(const Partitions& partitions) const;
  friend bool operator==(const ConsumerMember&, const ConsumerMember&) = default;
};

// A regular expression that members subscribe by, and the topics it stood for.
struct ResolvedExpression {
  std::set<std::string, std::less<>> topics;
  std::int64_t version = 0;  // of the cluster's topics
  base::WallMs at_ms = 0;
  friend bool operator==(const ResolvedExpression&, const ResolvedExpression&) = default;
};

// One record of the group: what it is of (`name`: a member id or an expression; else empty), and
// its value. No value: a tombstone.
struct ConsumerRecord {
  template <class Value>
  using Maybe = std::optional<Value>;
  using Metadata = Maybe<wire::ConsumerGroupMetadataValue>;
  using MemberMetadata = Maybe<wire::ConsumerGroupMemberMetadataValue>;
  using TargetMetadata = Maybe<wire::ConsumerGroupTargetAssignmentMetadataValue>;
  using TargetMember = Maybe<wire::ConsumerGroupTargetAssignmentMemberValue>;
  using Current = Maybe<wire::ConsumerGroupCurrentMemberAssignmentValue>;
  using Expression = Maybe<wire::ConsumerGroupRegularExpressionValue>;
  using Value =
      std::variant<Metadata, MemberMetadata, TargetMetadata, TargetMember, Current, Expression>;

  std::string group_id;
  std::string name;
  Value value;

  bool is_tombstone() const;
  // The group's own record, with which the group ends.
  bool ends_group() const;
};

class ConsumerGroup {
 public:
  std::int32_t epoch = 0;
  std::int64_t metadata_hash = 0;
  std::int32_t target_epoch = 0;
  base::WallMs target_ms = 0;
  std::map<std::string, ConsumerMember, std::less<>> members;
  std::map<std::string, std::string, std::less<>> static_members;  // instance id -> member id
  std::map<std::string, Partitions, std::less<>> target;           // by member id
  std::map<std::string, ResolvedExpression, std::less<>> expressions;

  // Which version of the topics was looked at last, by expression, and by the group itself under
  // "". Not in the log, and of no matter to equality.
  struct Looked {
    std::uint64_t version = 0;
    base::Instant at{};
  };
  struct LookedAt : std::map<std::string, Looked, std::less<>> {
    friend bool operator==(const LookedAt&, const LookedAt&) { return true; }
  };
  LookedAt looked;

  // When the group epoch rose here last. Not in the log, and of no matter to equality.
  struct Risen {
    std::optional<base::Instant> at;
    friend bool operator==(const Risen&, const Risen&) { return true; }
  } risen;

  // When the target was made here last, and how long the next one waits after it, as the group was
  // told last. Not in the log, and of no matter to equality: a new coordinator does not wait.
  struct Pace {
    std::optional<base::Instant> made_at;
    std::optional<base::Duration> interval;
    friend bool operator==(const Pace&, const Pace&) { return true; }
  } pace;

  // Changes what the record says.
  void apply(const ConsumerRecord& record);

  const ConsumerMember* find(std::string_view member_id) const;
  const ConsumerMember* find_static(std::string_view instance_id) const;
  // Whether some member owns it or still has to give it back.
  bool is_held(const PartitionId& partition) const { return held_.contains(partition); }
  // Names and what the member's expression stands for.
  std::set<std::string, std::less<>> topics_of(const ConsumerMember& member) const;
  bool is_subscribed_to(std::string_view topic) const;
  bool uses_expression(std::string_view expression) const;
  // Whether there are members and all of them speak the classic protocol.
  bool is_all_classic() const;
  // Whether a classic member with these protocols could be among the classic ones that are there.
  bool supports_classic(const std::vector<std::string>& protocols) const;
  // Whether somebody else still holds what the member is to have.
  bool waits_for_others(const ConsumerMember& member) const;
  // Kafka's: "Empty", "Assigning", "Reconciling", "Stable".
  std::string_view state_name() const;
  // The assignor most members ask for; nothing when none does.
  std::optional<std::string> preferred_assignor() const;
  // Aborts when an invariant is broken.
  void check() const;

  friend bool operator==(const ConsumerGroup&, const ConsumerGroup&) = default;

 private:
  ConsumerMember& make_member(const std::string& member_id);
  void set_held(const ConsumerMember& member, int by);
  void apply_member(const std::string& member_id, const ConsumerRecord::MemberMetadata& value);
  void apply_current(const std::string& member_id, const ConsumerRecord::Current& value);

  // How many members hold it: one at most, but for moments of a replay of a compacted log.
  std::map<PartitionId, std::int32_t> held_;
};

// ---- the records that say what a value is

ConsumerRecord::MemberMetadata member_metadata_of(const ConsumerMember& member);
ConsumerRecord::Current current_of(const ConsumerMember& member);
ConsumerRecord::TargetMember target_of(const Partitions& partitions);

}  // namespace broker::group
