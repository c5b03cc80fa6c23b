// A consumer as clients write it: joins, syncs, heartbeats, commits, one request at a time. When it
// misbehaves it leaves, falls silent or changes its mind.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/groups/ownership.h"
#include "tests/sim/groups/shard_server.h"
#include "tests/sim/world.h"

namespace sim {

class GroupConsumer {
 public:
  struct Options {
    std::size_t index = 0;
    std::string group;
    std::optional<std::string> instance;
    std::int32_t partition_count = 0;
    std::int16_t join_version = 5;
  };
  GroupConsumer(World& world, ShardServer& server, Ownership& ownership, Options options);

  void start();
  void set_faulty(bool faulty) { faulty_ = faulty; }
  // Ends without a word, for good.
  void retire();
  bool is_retired() const { return retired_; }
  // In its group's generation, with what it was given.
  bool is_settled() const { return phase_ == Phase::kStable; }
  std::int32_t generation() const { return generation_; }
  const std::vector<std::int32_t>& owned() const { return owned_; }
  const std::string& group() const { return options_.group; }

 private:
  enum class Phase { kDown, kJoining, kStable };
  using Next = std::move_only_function<void(GroupAnswer)>;

  void send(std::int16_t version, GroupRequest request, base::Duration patience, Next next);
  void hang_up();
  void later(base::Duration pause, void (GroupConsumer::*what)());

  void join();
  void on_joined(const wire::JoinGroupResponse& response);
  void sync(const wire::JoinGroupResponse& joined);
  void on_synced(const wire::SyncGroupResponse& response);
  void fetch();
  void tick();
  void heartbeat();
  void commit();
  void leave();
  void die();
  void retry(wire::ErrorCode error);
  void misbehave();

  World& world_;
  ShardServer& server_;
  Ownership& ownership_;
  const Options options_;
  base::Random random_;
  bool faulty_ = true;
  bool retired_ = false;

  Phase phase_ = Phase::kDown;
  std::uint64_t connection_ = 0;  // grows when the consumer hangs up
  std::uint64_t request_ = 0;     // the one that is waited for
  std::uint64_t plan_ = 0;        // what later() has planned last
  std::string member_id_;
  std::string subscription_ = "v0";
  std::int32_t generation_ = -1;
  std::vector<std::int32_t> owned_;
  std::map<std::int32_t, std::int64_t> positions_;
};

}  // namespace sim
