// A broker as far as the group coordinator goes: the core, its timers, and a log whose end is lost
// in a crash. Requests come by connection; what is in flight on a connection that ended is dropped,
// as TCP would.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "broker/group/group_coordinator.h"
#include "tests/sim/world.h"

namespace sim {

using GroupRequest =
    std::variant<wire::JoinGroupRequest, wire::SyncGroupRequest, wire::HeartbeatRequest,
                 wire::LeaveGroupRequest, broker::group::CommitOffsets, broker::group::FetchOffsets,
                 broker::group::ConsumerHeartbeat>;
using GroupAnswer = std::expected<broker::group::Response, wire::ErrorCode>;
using GroupDone = std::move_only_function<void(GroupAnswer)>;

class ShardServer {
 public:
  ShardServer(World& world, broker::group::Config config);

  // Delivers now; `done` when the answer leaves. Dropped when the server crashes meanwhile.
  void ask(std::int16_t version, const std::string& client_id, const GroupRequest& request,
           GroupDone done);
  // Of groups that may change their protocol.
  void set_topics(std::shared_ptr<const broker::group::Topics> topics) {
    topics_ = std::move(topics);
  }
  bool is_up() const { return core_.has_value(); }
  // Ends the process: what was not synced may be lost, from any record on.
  void crash(base::Duration down);
  // The next sync fails: the shard gives up its core and loads again.
  void break_next_sync() { break_next_sync_ = true; }
  // How long a sync takes at most.
  void set_sync_max(base::Duration longest) { sync_max_ = longest; }

  const broker::group::GroupCoordinator& core() const { return *core_; }
  // What a fresh core makes of everything appended so far.
  broker::group::GroupCoordinator replayed() const;

 private:
  void start();
  void take(broker::group::Output out);
  void arm();
  void sync_soon();
  void end_sync(std::uint64_t life, std::size_t count);
  void reload();
  base::WallMs wall_ms() const;

  World& world_;
  const broker::group::Config config_;
  base::Random random_;
  base::Duration sync_max_ = std::chrono::milliseconds(20);
  bool break_next_sync_ = false;
  std::shared_ptr<const broker::group::Topics> topics_;
  std::uint64_t life_ = 0;  // of the core: late events of another one are dropped

  std::optional<broker::group::GroupCoordinator> core_;
  std::vector<broker::group::Append> log_;
  std::size_t durable_ = 0;  // appends of the log that a crash leaves
  bool syncing_ = false;
  base::Instant armed_ = base::Instant::max();
  std::map<broker::group::Token, GroupDone> waiting_;
  std::uint64_t next_token_ = 1;
};

}  // namespace sim
