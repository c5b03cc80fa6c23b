// A consumer of the new protocol as clients write it: heartbeats that say what it owns, gives back
// what it is told to, commits in its epoch, one request at a time. When it misbehaves it leaves,
// dies, changes what it reads, commits late for what it has given back, or says again what it said
// long ago. One that switches may speak the classic protocol in its next life, and back
// (epoch_consumer_classic.cc).
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/groups/ownership.h"
#include "tests/sim/groups/shard_server.h"
#include "tests/sim/world.h"

namespace sim {

// Two topics that may grow.
class SimTopics final : public broker::group::Topics {
 public:
  SimTopics(std::int32_t first, std::int32_t second);
  void grow(std::size_t topic);
  std::size_t partitions() const;

  std::uint64_t version() const override { return version_; }
  std::optional<broker::group::TopicShape> find(std::string_view name) const override;
  std::optional<std::string> name_of(const base::Uuid& id) const override;
  std::vector<std::string> racks(const base::Uuid&, std::int32_t) const override { return {}; }
  void for_each_name(const std::function<void(std::string_view)>& visit) const override;

 private:
  std::vector<broker::group::TopicShape> shapes_;
  std::uint64_t version_ = 1;
};

// Who believes to own what, and whether two may.
class Holders {
 public:
  // `is_member(group, id)`: whether the coordinator knows the member now.
  Holders(World& world, std::function<bool(const std::string&, const std::string&)> is_member)
      : world_(world), is_member_(std::move(is_member)) {}

  void take(const std::string& group, const std::string& member, std::int32_t partition);
  void give_back(const std::string& group, const std::string& member, std::int32_t partition) {
    held_[{group, partition}].erase(member);
  }
  std::size_t taken() const { return taken_; }

 private:
  World& world_;
  std::function<bool(const std::string&, const std::string&)> is_member_;
  std::map<std::pair<std::string, std::int32_t>, std::set<std::string>> held_;
  std::size_t taken_ = 0;
};

class EpochConsumer {
 public:
  struct Options {
    std::size_t index = 0;
    std::string group;
    std::optional<std::string> instance;
    bool by_expression = false;
    bool switches = false;     // between the protocols, with each life
    bool cooperative = false;  // as a classic member
  };
  EpochConsumer(World& world, ShardServer& server, Ownership& ownership, Holders& holders,
                std::shared_ptr<SimTopics> topics, Options options);

  void start();
  void set_faulty(bool faulty) { faulty_ = faulty; }
  void retire();  // ends without a word, for good
  bool is_retired() const { return retired_; }
  const std::string& group() const { return options_.group; }
  const std::string& member_id() const { return member_id_; }
  bool is_static() const { return options_.instance.has_value(); }
  std::int32_t epoch() const { return epoch_; }
  // By number: topic * 1,000 + partition.
  const std::map<std::int32_t, std::int64_t>& positions() const { return positions_; }

 private:
  using Next = std::move_only_function<void(GroupAnswer)>;
  struct Former {
    std::int32_t partition;
    std::int64_t position;
    std::int32_t epoch;
  };

  void send(std::int16_t version, GroupRequest request, Next next,
            base::Duration patience = std::chrono::seconds(5));
  void hang_up();
  void later(base::Duration pause, void (EpochConsumer::*what)());
  void begin();  // a new process
  void join();
  void beat();
  void on_beaten(const wire::ConsumerGroupHeartbeatResponse& response);
  void take(const std::set<std::int32_t>& owned);
  void drop_all();
  void fetch(std::vector<std::int32_t> fresh);
  void tick();
  void commit();
  void commit_late();
  void beat_late();
  void leave();
  void die();
  void on_error(wire::ErrorCode error);
  void misbehave();
  // epoch_consumer_classic.cc
  void join_classic();
  void on_joined(const wire::JoinGroupResponse& response);
  void on_synced(const wire::SyncGroupResponse& response);
  void beat_classic();
  void leave_classic();
  void on_classic_error(wire::ErrorCode error);
  base::Bytes subscription() const;
  std::vector<wire::SyncGroupRequest::SyncGroupRequestAssignment> share_out(
      const wire::JoinGroupResponse& joined) const;
  broker::group::CommitOffsets commit_request(std::int32_t epoch) const;
  broker::group::TopicPartition at(std::int32_t number) const;

  World& world_;
  ShardServer& server_;
  Ownership& ownership_;
  Holders& holders_;
  const std::shared_ptr<SimTopics> topics_;
  const Options options_;
  base::Random random_;
  bool faulty_ = true;
  bool retired_ = false;

  std::uint64_t connection_ = 0;  // grows when the consumer hangs up
  std::uint64_t request_ = 0;     // the one that is waited for
  std::uint64_t plan_ = 0;        // what later() has planned last
  std::uint64_t lives_ = 0;
  std::string member_id_;
  std::vector<std::string> names_ = {"first", "second"};
  std::int32_t epoch_ = 0;
  std::array<std::int32_t, 2> epochs_before_{};  // the one before the last, the last; 0: none
  bool says_all_ = true;
  bool classic_ = false;  // in this life; the epoch is its generation then
  std::map<std::int32_t, std::int64_t> positions_;  // of what it owns
  std::optional<Former> former_;
};

}  // namespace sim
