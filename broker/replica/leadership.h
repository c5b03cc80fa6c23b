// One partition's replication as its leader sees it, within one leader epoch: how far each follower
// is, what may be shown (the high watermark), and which in-sync set (ISR) to ask the controller
// for.
//
// A core: owned by node::Partition, used under its lock; no I/O, no clock. docs/replication.md.
//
//   fetches of followers, own end ──▶ high watermark ──▶ acks=all answered, consumers woken
//                    └──▶ propose() ──▶ AlterPartition ──▶ on_answer() or on_metadata()
//
// Invariants: the high watermark never falls; when it rises, it rises to no more than what every
// member of the maximal ISR (committed, and what is asked for) holds as its own, nor beyond our own
// end; it stands still while the committed ISR is smaller than min.insync.replicas; at most one
// change of the ISR is under way.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "common/base/ids.h"
#include "common/base/time.h"

namespace broker {

// Brokers that may join an ISR (neither fenced nor shutting down), with their registrations.
using LiveBrokers = std::map<base::BrokerId, base::BrokerEpoch>;

// What the metadata says of a partition.
struct ReplicaSet {
  base::LeaderEpoch leader_epoch;
  std::int32_t partition_epoch = 0;
  std::vector<base::BrokerId> replicas;
  std::vector<base::BrokerId> isr;
  friend bool operator==(const ReplicaSet&, const ReplicaSet&) = default;
};

struct IsrMember {
  base::BrokerId id;
  base::BrokerEpoch epoch;  // as its fetches carry it; -1 unknown
  friend bool operator==(const IsrMember&, const IsrMember&) = default;
};

// A change of the ISR to ask for.
struct IsrProposal {
  base::LeaderEpoch leader_epoch;
  std::int32_t partition_epoch = 0;  // that it was made from
  std::vector<IsrMember> isr;
  friend bool operator==(const IsrProposal&, const IsrProposal&) = default;
};

// What came of it.
struct IsrAnswer {
  enum class Kind : std::uint8_t {
    kDone,      // the partition epoch and the ISR are these now
    kRefused,   // not done, and will not be: ask anew later (INELIGIBLE_REPLICA, not attempted)
    kOutdated,  // the controller is ahead of us: the metadata will tell (INVALID_UPDATE_VERSION,
                // FENCED_LEADER_EPOCH, NEW_LEADER_ELECTED, UNKNOWN_TOPIC_ID)
    kUnknown,   // lost on the way: the same is asked again
  };
  Kind kind = Kind::kUnknown;
  std::int32_t partition_epoch = 0;  // of kDone, with the ISR
  std::vector<base::BrokerId> isr;
};

class Leadership {
 public:
  struct Options {
    base::BrokerId self;
    base::Duration lag_max = std::chrono::seconds(30);  // replica.lag.time.max.ms
    std::int32_t min_in_sync = 1;                       // min.insync.replicas
  };
  // `log_end`: where this leader epoch starts.
  Leadership(const Options& options, ReplicaSet set, std::shared_ptr<const LiveBrokers> live,
             base::Offset log_end, base::Offset high_watermark, base::Instant now);

  base::LeaderEpoch leader_epoch() const { return set_.leader_epoch; }
  const ReplicaSet& set() const { return set_; }
  base::Offset epoch_start() const { return epoch_start_; }
  // Exclusive end of what consumers may see, and of what is acknowledged with acks=all.
  base::Offset high_watermark() const { return high_watermark_; }
  // There was a leader before this one, so lately that clients may yet wait for its answers.
  bool is_new(base::Instant now) const;
  // The committed ISR suffices for acks=all.
  bool has_enough_in_sync() const;

  // Our log: `end` is written, `own` counts for the high watermark (durable, where the topic's
  // durability asks for it).
  void on_log(base::Offset end, base::Offset own);

  // A follower holds everything below `offset` and asks for more. The caller has checked the
  // leader epoch, that the logs agree up to there, and that offset <= end.
  struct Fetch {
    base::BrokerId id;
    base::BrokerEpoch epoch;  // -1 unknown
    base::Offset offset;
  };
  enum class Taken : std::uint8_t {
    kTaken,
    kNotReplica,  // not one of the partition's replicas, as far as we know
    kStale,       // an earlier registration of this broker
  };
  Taken on_fetch(const Fetch& fetch, base::Instant now);

  // The metadata, in the same leader epoch. What is older than known changes nothing.
  void on_metadata(const ReplicaSet& set);
  void on_live(std::shared_ptr<const LiveBrokers> live) { live_ = std::move(live), advance(); }
  void on_min_in_sync(std::int32_t count);
  void on_time(base::Instant now);

  // True when propose() would give something.
  bool wants_change() const;
  // The change to ask for now, once; then on_answer() or on_metadata() comes first.
  std::optional<IsrProposal> propose();
  // Answers to a proposal that is not the one under way change nothing.
  void on_answer(const IsrProposal& asked, const IsrAnswer& answer);

  // How far a follower is, for operators and tests.
  struct Progress {
    base::BrokerEpoch epoch{-1};
    std::optional<base::Offset> offset;  // of its last fetch
    std::optional<base::Instant> fetched_at;
    std::optional<base::Instant> caught_up_at;
    base::Offset end_at_fetch{-1};  // our end then
  };
  const std::map<base::BrokerId, Progress>& followers() const { return followers_; }
  // Of these replicas a follower in sync that holds everything below `from`, so that a consumer may
  // go on there: the one that is furthest. Nothing when there is none, or we are one of them.
  std::optional<base::BrokerId> reader_among(std::span<const base::BrokerId> nearby,
                                             base::Offset from) const;
  // Committed ISR and what is, or may yet be, asked for.
  std::vector<base::BrokerId> maximal_isr() const;
  const std::optional<IsrProposal>& under_way() const { return under_way_; }

  // Relations between the fields; for tests.
  void check_invariants() const;

 private:
  void adopt(const ReplicaSet& set);
  bool may_be_member(base::BrokerId id) const;
  void advance();
  bool counts(base::BrokerId id, const Progress& follower) const;
  bool is_live(base::BrokerId id, base::BrokerEpoch epoch) const;
  bool is_caught_up(const Progress& follower) const;
  bool may_join(base::BrokerId id, const Progress& follower) const;
  std::vector<IsrMember> wanted_isr() const;

  Options options_;
  ReplicaSet set_;
  std::shared_ptr<const LiveBrokers> live_;
  const base::Offset epoch_start_;
  base::Offset high_watermark_;
  base::Offset end_;
  base::Offset own_{-1};
  const base::Instant began_;
  base::Instant now_;
  std::map<base::BrokerId, Progress> followers_;
  std::optional<IsrProposal> under_way_;
  bool to_send_ = false;   // under_way_ has not been given out, or was lost
  bool was_lost_ = false;  // an answer to it was: a copy may still be on its way
  // Members of a proposal that was refused while a copy of it may be on its way: they count for
  // some time yet, as the copy might be taken.
  std::vector<base::BrokerId> doubtful_;
  base::Instant doubtful_until_{};
  base::Instant not_before_{};  // after a refusal: nothing new is asked for until then
};

}  // namespace broker
