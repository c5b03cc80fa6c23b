// The workload consumer-groups: the protocol of KIP-848 as groups.cc is for the classic one. And
// group-migration: members that change between the two, with each life.
#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/groups/epoch_consumer.h"
#include "tests/sim/groups/groups.h"
#include "tests/sim/groups/ownership.h"
#include "tests/sim/groups/shard_server.h"

namespace sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kFaultyTime{180};
constexpr seconds kHealTime{120};

class ConsumerGroupsRun {
 public:
  ConsumerGroupsRun(World& world, bool switches)
      : world_(world),
        switches_(switches),
        random_(world.random("groups")),
        server_(world, config(world.random("pause"))),
        ownership_(world),
        holders_(world, [this](const std::string& group,
                               const std::string& member) { return is_member(group, member); }),
        topics_(std::make_shared<SimTopics>(1 + static_cast<std::int32_t>(random_.below(6)),
                                            static_cast<std::int32_t>(random_.below(4)))) {
    server_.set_topics(topics_);
    const std::size_t groups = 1 + random_.below(2);
    std::size_t index = 0;
    for (std::size_t g = 0; g < groups; ++g) {
      const std::size_t members = 1 + random_.below(5);
      const bool cooperative = switches_ && random_.chance(1, 2);
      for (std::size_t m = 0; m < members; ++m, ++index) {
        EpochConsumer::Options options{.index = index,
                                       .group = "group" + std::to_string(g),
                                       .instance = std::nullopt,
                                       .by_expression = random_.chance(1, 4),
                                       .switches = switches_,
                                       .cooperative = cooperative};
        if (random_.chance(1, 3)) options.instance = "instance" + std::to_string(m);
        consumers_.push_back(std::make_unique<EpochConsumer>(world_, server_, ownership_, holders_,
                                                             topics_, std::move(options)));
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
    if (holders_.taken() == 0) world_.fail(Verdict::kNoProgress, "nothing was ever assigned");
  }

 private:
  // Half of the groups are assigned at once, half have pauses as they are set or longer.
  static broker::group::Config config(base::Random random) {
    broker::group::Config config;
    if (random.chance(1, 2)) {
      config.consumer_assignment_interval = milliseconds(random.between(200, 12'000));
    }
    config.consumer_session_timeout = seconds(10);
    config.expression_refresh_min = seconds(2);
    return config;
  }

  const broker::group::ConsumerMember* find(const std::string& group, const std::string& member) {
    if (!server_.is_up()) return nullptr;
    const auto at = server_.core().groups().find(group);
    if (at == server_.core().groups().end() || !at->second.consumer) return nullptr;
    return at->second.consumer->find(member);
  }

  // Of the classic protocol's static members the group cannot say: one that does not join keeps its
  // place, and what it had is given to others.
  bool is_member(const std::string& group, const std::string& member) {
    if (find(group, member) != nullptr) return true;
    if (!server_.is_up()) return false;
    const auto at = server_.core().groups().find(group);
    if (at == server_.core().groups().end() || at->second.consumer) return false;
    const auto known = at->second.members.find(member);
    return known != at->second.members.end() && !known->second.instance_id;
  }

  void plan_fault() {
    world_.after(milliseconds(random_.between(1'000, 15'000)), [this] {
      if (!faulty_) return;
      // Classic leaders would have to watch the topics.
      if (!switches_ && random_.chance(1, 6) && topics_->partitions() < 16)
        topics_->grow(random_.below(2));
      if (server_.is_up()) {
        switch (random_.below(3)) {
          case 0:
            server_.crash(milliseconds(random_.between(10, 5'000)));
            break;
          case 1:
            server_.break_next_sync();
            break;
          default:
            server_.set_sync_max(milliseconds(random_.chance(1, 3) ? 4'000 : 20));
        }
      }
      plan_fault();
    });
  }

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
      if (live.consumer && found->second.consumer != live.consumer) {
        incorrect(group_id, "has other members");
      }
    }
  }

  void incorrect(const std::string& group_id, const std::string& what) {
    world_.fail(Verdict::kIncorrect, "replayed, " + group_id + " " + what);
  }

  bool is_first(const EpochConsumer& consumer) const {
    const auto first = std::ranges::find(consumers_, consumer.group(), &EpochConsumer::group);
    return first->get() == &consumer;
  }

  // Everybody is in the group's epoch and owns, in its own mind, what it is meant to.
  bool everybody_settled() {
    if (!server_.is_up()) return false;
    for (const auto& [group_id, group] : server_.core().groups()) {
      if (!group.consumer) {
        if (!classic_settled(group)) return false;
        continue;
      }
      // Those who are left would have to be a classic group again.
      if (group.consumer->is_all_classic()) return false;
      if (group.consumer->state_name() != "Stable") return false;
      std::size_t members = 0;
      std::size_t owned = 0;
      for (const auto& consumer : consumers_) {
        if (consumer->group() != group_id || consumer->is_retired()) continue;
        ++members;
        const auto* known = group.consumer->find(consumer->member_id());
        if (known == nullptr || known->epoch != consumer->epoch()) return false;
        if (known->owned.size() != consumer->positions().size()) return false;
        owned += known->owned.size();
      }
      if (group.consumer->members.size() != members || owned == 0) return false;
    }
    return true;
  }

  bool classic_settled(const broker::group::Group& group) {
    if (!group.is(broker::group::GroupState::kStable)) return false;
    std::size_t members = 0;
    std::size_t owned = 0;
    std::set<std::int32_t> held;
    for (const auto& consumer : consumers_) {
      if (consumer->group() != group.id || consumer->is_retired()) continue;
      ++members;
      if (!group.members.contains(consumer->member_id())) return false;
      if (group.generation != consumer->epoch()) return false;
      owned += consumer->positions().size();
      for (const auto& [number, position_] : consumer->positions()) held.insert(number);
    }
    return group.members.size() == members && owned > 0 && held.size() == owned;
  }

  std::string states() {
    if (!server_.is_up()) return "the server is down";
    std::string out;
    for (const auto& [group_id, group] : server_.core().groups()) {
      const auto state = group.consumer ? group.consumer->state_name() : name(group.state);
      const auto members = group.consumer ? group.consumer->members.size() : group.members.size();
      out += group_id + (group.consumer ? " " : " (classic) ") + std::string(state) + " with " +
             std::to_string(members) + " members; ";
    }
    for (const auto& consumer : consumers_) {
      out += consumer->member_id() + (consumer->is_retired() ? " retired " : " in ") +
             std::to_string(consumer->epoch()) + "; ";
    }
    return out;
  }

  World& world_;
  const bool switches_;
  base::Random random_;
  ShardServer server_;
  Ownership ownership_;
  Holders holders_;
  const std::shared_ptr<SimTopics> topics_;
  std::vector<std::unique_ptr<EpochConsumer>> consumers_;
  bool faulty_ = true;
};

}  // namespace

void run_consumer_groups(World& world) { ConsumerGroupsRun(world, false).run(); }
void run_group_migration(World& world) { ConsumerGroupsRun(world, true).run(); }

}  // namespace sim
