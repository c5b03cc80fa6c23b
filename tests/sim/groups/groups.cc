#include "tests/sim/groups/groups.h"

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "broker/group/record_codec.h"
#include "tests/sim/groups/consumer.h"
#include "tests/sim/groups/ownership.h"
#include "tests/sim/groups/shard_server.h"

namespace sim {
namespace {

using broker::group::Group;
using broker::group::GroupState;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kFaultyTime{180};
constexpr seconds kHealTime{120};

class GroupsRun {
 public:
  explicit GroupsRun(World& world)
      : world_(world),
        random_(world.random("groups")),
        server_(world, config(world.random("quiet").chance(1, 2))),
        ownership_(world) {
    const std::size_t groups = 1 + random_.below(3);
    std::size_t index = 0;
    for (std::size_t g = 0; g < groups; ++g) {
      const auto partitions = static_cast<std::int32_t>(1 + random_.below(8));
      const std::size_t members = 1 + random_.below(6);
      for (std::size_t m = 0; m < members; ++m, ++index) {
        GroupConsumer::Options options{.index = index,
                                       .group = "group" + std::to_string(g),
                                       .instance = std::nullopt,
                                       .partition_count = partitions};
        if (random_.chance(1, 3)) options.instance = "instance" + std::to_string(m);
        constexpr std::int16_t kVersions[] = {3, 5, 9};
        options.join_version =
            options.instance ? (random_.chance(1, 2) ? 5 : 9) : kVersions[random_.below(3)];
        consumers_.push_back(
            std::make_unique<GroupConsumer>(world_, server_, ownership_, std::move(options)));
      }
    }
  }

  void run() {
    for (const auto& consumer : consumers_) consumer->start();
    plan_fault();
    plan_comparison();
    world_.run_for(kFaultyTime);
    faulty_ = false;
    server_.set_sync_max(milliseconds(20));
    for (const auto& consumer : consumers_) {
      consumer->set_faulty(false);
      // Its group has to notice. The first of each group stays.
      if (!is_first(*consumer) && random_.chance(1, 4)) consumer->retire();
    }
    if (world_.failed()) return;
    const bool settled = world_.run_until([this] { return everybody_settled(); }, kHealTime);
    if (world_.failed()) return;
    if (!settled) {
      return world_.fail(Verdict::kNoProgress, "the groups did not become stable: " + states());
    }
    compare_with_log();
    if (ownership_.assignments() == 0) {
      world_.fail(Verdict::kNoProgress, "nothing was ever assigned");
    }
  }

 private:
  static broker::group::Config config(bool with_quiet) {
    broker::group::Config config;
    config.initial_rebalance_delay = seconds(1);
    if (with_quiet) config.initial_quiet = milliseconds(200);
    config.new_member_join_timeout = seconds(30);
    return config;
  }

  void plan_fault() {
    world_.after(milliseconds(random_.between(1'000, 15'000)), [this] {
      if (!faulty_) return;
      if (server_.is_up()) {
        switch (random_.below(3)) {
          case 0:
            server_.crash(milliseconds(random_.between(10, 5'000)));
            break;
          case 1:
            server_.break_next_sync();
            break;
          default:
            server_.set_sync_max(milliseconds(random_.chance(1, 3) ? 9'000 : 20));
        }
      }
      plan_fault();
    });
  }

  // Replaying must give what is live. Groups in a rebalance have more than the log knows.
  void plan_comparison() {
    world_.after(milliseconds(random_.between(100, 3'000)), [this] {
      if (!faulty_) return;
      if (server_.is_up()) compare_with_log();
      plan_comparison();
    });
  }

  void compare_with_log() {
    const auto replayed = server_.replayed();
    for (const auto& [group_id, live] : server_.core().groups()) {
      const auto found = replayed.groups().find(group_id);
      if (found == replayed.groups().end()) {
        if (live.logged) incorrect(group_id, "is not in the log");
        continue;
      }
      if (found->second.offsets != live.offsets) incorrect(group_id, "has other offsets");
      const bool is_settled = live.is(GroupState::kStable) || live.is(GroupState::kEmpty);
      if (is_settled && broker::group::encode_group(found->second).value !=
                            broker::group::encode_group(live).value) {
        incorrect(group_id, "has other members");
      }
    }
  }

  void incorrect(const std::string& group_id, const std::string& what) {
    world_.fail(Verdict::kIncorrect, "replayed, " + group_id + " " + what);
  }

  // Every consumer is in the one generation of its group, which owns every partition once.
  bool everybody_settled() {
    if (!server_.is_up()) return false;
    for (const auto& [group_id, group] : server_.core().groups()) {
      std::size_t consumers = 0;
      for (const auto& consumer : consumers_) {
        if (consumer->group() != group_id || consumer->is_retired()) continue;
        ++consumers;
        if (!consumer->is_settled() || consumer->generation() != group.generation) return false;
      }
      if (!group.is(GroupState::kStable) || group.members.size() != consumers) return false;
    }
    return owns_everything_once();
  }

  bool is_first(const GroupConsumer& consumer) const {
    const auto first = std::ranges::find(consumers_, consumer.group(), &GroupConsumer::group);
    return first->get() == &consumer;
  }

  bool owns_everything_once() {
    std::set<std::pair<std::string, std::int32_t>> owned;
    std::size_t count = 0;
    for (const auto& consumer : consumers_) {
      for (const std::int32_t partition : consumer->owned()) {
        owned.emplace(consumer->group(), partition);
        ++count;
      }
    }
    return !owned.empty() && owned.size() == count;
  }

  std::string states() {
    std::string out;
    if (!server_.is_up()) return "the server is down";
    for (const auto& [group_id, group] : server_.core().groups()) {
      out += group_id + " " + std::string(name(group.state)) + " with " +
             std::to_string(group.members.size()) + " members; ";
    }
    for (std::size_t i = 0; i < consumers_.size(); ++i) {
      out += std::to_string(i) + (consumers_[i]->is_settled() ? " settled " : " not ") +
             std::to_string(consumers_[i]->generation()) + "; ";
    }
    return out;
  }

  World& world_;
  base::Random random_;
  ShardServer server_;
  Ownership ownership_;
  std::vector<std::unique_ptr<GroupConsumer>> consumers_;
  bool faulty_ = true;
};

}  // namespace

void run_groups(World& world) { GroupsRun(world).run(); }

}  // namespace sim
