// Copies the partitions that one leader broker leads, over one connection: one Fetch at a time for
// all of them, in an incremental session (KIP-227). Lives on one reactor: what arrives is appended
// there, from the receive buffer, without a hop.
//
//   idle --something to follow--> asking --answer--> settling --flushed--> asking ...
//                                   │ break, timeout, session lost: ask in full
//
// The fetch offset is the acknowledgement, so the next Fetch waits for the flush of what the last
// one brought (where the topic's durability asks for it). A partition in trouble rests by itself
// and leaves the session meanwhile; the others go on. One that is new, or has rested, must not wait
// for a long poll to end: the poll under way is given up for it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "broker/node/follower.h"
#include "broker/node/peer_connection.h"
#include "broker/node/recent_losses.h"
#include "broker/node/replication_throttle.h"
#include "common/base/uuid.h"
#include "common/wire/msg/fetch_request.h"
#include "common/wire/msg/fetch_response.h"

namespace broker {

struct FollowKey {
  base::Uuid topic_id;
  std::int32_t partition = 0;
  friend auto operator<=>(const FollowKey&, const FollowKey&) = default;
  friend bool operator==(const FollowKey&, const FollowKey&) = default;
};

class FetchLoop final : public PartitionListener, public std::enable_shared_from_this<FetchLoop> {
 public:
  struct Options {
    base::BrokerId self;
    base::BrokerId leader;
    std::function<base::BrokerEpoch()> self_epoch;  // of the registration in force; any thread
    std::int32_t partition_bytes_max = 1 << 20;     // replica.fetch.max.bytes
    std::int32_t response_bytes_max = 10 << 20;     // replica.fetch.response.max.bytes
    std::int32_t bytes_min = 1;                     // replica.fetch.min.bytes
    base::Duration wait_max = std::chrono::milliseconds(500);  // replica.fetch.wait.max.ms
    base::Duration rest_first = std::chrono::milliseconds(5);  // of a partition in trouble
    base::Duration rest_most = std::chrono::seconds(1);
    std::int32_t frame_bytes_max = 100 << 20;
    ReplicationThrottle* throttle = nullptr;  // outlives the loop; null: nothing is held back
    RecentLosses* losses = nullptr;           // outlives the loop; is told of the leader's
  };
  FetchLoop(io::Executor& executor, io::Net& net, base::Diag& diag, base::Random random,
            Options options);
  ~FetchLoop() override;

  // All on the loop's executor.
  // Where the leader is; nothing: nowhere at present. `is_new_process`: it need not be let rest.
  void set_leader(std::optional<io::Address> address, bool is_new_process);
  struct Assignment {
    FollowKey key;
    std::shared_ptr<Follower> follower;
  };
  // To be copied from now on, or in another leader epoch than before.
  void assign(std::vector<Assignment> assignments);
  void remove(const std::vector<FollowKey>& keys);
  // No call and no callback from now on.
  void stop();

  void on_partition_event(std::uint64_t tag, wire::ErrorCode error) override;

  std::size_t size() const { return items_.size(); }

 private:
  enum class Phase : std::uint8_t { kIdle, kAsking, kSettling };
  // What the session holds of a partition.
  struct Sent {
    std::int32_t leader_epoch = -1;
    std::int64_t fetch_offset = -1;
    std::int32_t last_fetched_epoch = -1;
    std::int64_t log_start = -1;
    friend bool operator==(const Sent&, const Sent&) = default;
  };
  struct Item {
    enum class State : std::uint8_t { kReady, kResting, kFlushing, kRepairing };
    std::shared_ptr<Follower> follower;
    std::uint64_t tag = 0;  // names this assignment in callbacks
    State state = State::kReady;
    bool throttled = false;  // what it copies counts against the throttle
    bool held_back = false;  // rests because of it
    bool settling = false;   // the next Fetch waits for its flush
    std::uint32_t failures = 0;
    base::Instant rest_until{};
    std::optional<Sent> sent;  // none: not in the session
  };
  using Items = std::map<FollowKey, Item>;
  using Data = wire::FetchResponse::PartitionData;

  void step();
  void go_on_soon();
  void interrupt();
  std::optional<Sent> position(Items::iterator at);
  wire::FetchRequest build();
  void add_changed(wire::FetchRequest& request);
  void add_forgotten(wire::FetchRequest& request);
  void ask();
  void on_answer(wire::FetchResponse* response, const io::IoError& error);
  void on_top_error(wire::ErrorCode error);
  void take(Items::iterator at, const Data& data);
  void take_good(Items::iterator at, const LeaderAnswer& answer);
  void wait_for_flush(Items::iterator at, bool settle);
  void repair(Items::iterator at, LeaderAnswer answer);
  void on_repaired(std::uint64_t tag, const Followed& outcome);
  void rest(Items::iterator at, const std::string& why);
  bool hold_back(Items::iterator at);
  void end_rests();
  void arm_rest();
  void forget(Items::iterator at);
  void drop_wait(Item& item);
  void drop_session();
  Items::iterator by_tag(std::uint64_t tag);

  io::Executor& executor_;
  base::Diag& diag_;
  base::Random random_;
  const Options options_;
  std::unique_ptr<PeerConnection> connection_;
  bool has_address_ = false;
  bool stopped_ = false;
  Phase phase_ = Phase::kIdle;
  Items items_;
  std::map<std::uint64_t, FollowKey> tags_;
  std::uint64_t next_tag_ = 1;
  std::set<FollowKey> dirty_;      // what the session holds of them may be old
  std::set<FollowKey> forgotten_;  // the session has them, and must not
  std::set<std::pair<base::Instant, FollowKey>> resting_;
  std::size_t settling_ = 0;     // items whose flush the next Fetch waits for
  std::size_t in_session_ = 0;   // items with `sent`
  std::int32_t session_id_ = 0;  // 0: none
  std::int32_t session_epoch_ = 0;
  bool asked_in_full_ = false;
  std::uint32_t top_errors_ = 0;  // in a row
  bool step_posted_ = false;
  base::Instant asked_at_{};
  base::Timer rest_timer_;
  base::Timer interrupt_timer_;
  base::Timer pause_timer_;  // of the whole loop
};

}  // namespace broker
