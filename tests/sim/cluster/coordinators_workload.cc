#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "common/wire/msg/create_topics_request.h"
#include "common/wire/msg/create_topics_response.h"
#include "tests/sim/cluster/cluster.h"
#include "tests/sim/cluster/keepers.h"
#include "tests/sim/cluster/workloads.h"

namespace sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class CoordinatorsRun {
 public:
  explicit CoordinatorsRun(World& world)
      : world_(world),
        random_(world.random("workload")),
        cluster_(world, {.brokers = 3}),
        admin_(world, cluster_.facts.network, "admin") {
    for (int i = 0; i < 3; ++i) {
      const std::string number = std::to_string(i);
      keepers_.push_back(
          std::make_unique<IdKeeper>(cluster_.facts, "id" + number, cluster_.broker_hosts()));
      keepers_.push_back(std::make_unique<OffsetKeeper>(cluster_.facts, "group" + number,
                                                        cluster_.broker_hosts()));
    }
  }

  void run() {
    cluster_.start();
    create_topic();
    if (!world_.run_until([&] { return created_; }, seconds(30))) return stuck("no topic is made");
    for (auto& each : keepers_) each->start();
    if (!confirmed_again("at first")) return;
    mischief();
    world_.run_for(seconds(20));
    over_ = true;
    if (world_.failed()) return;
    cluster_.heal();
    confirmed_again("after all healed");
  }

 private:
  void stuck(const std::string& why) {
    if (!world_.failed()) world_.fail(Verdict::kNoProgress, why);
  }

  void create_topic() {
    admin_.aim(cluster_.brokers[random_.below(cluster_.brokers.size())]->host());
    wire::CreateTopicsRequest request;
    request.timeout_ms = 1500;
    auto& topic = request.topics.emplace_back();
    topic.name = "kept";
    topic.num_partitions = 1;
    topic.replication_factor = 3;
    admin_.call<wire::CreateTopicsResponse>(request, 7, [this](const auto* response) {
      using wire::ErrorCode;
      if (response != nullptr) {
        const ErrorCode code = response->topics.at(0).error_code;
        created_ = code == ErrorCode::kNone || code == ErrorCode::kTopicAlreadyExists;
      }
      if (!created_) world_.after(milliseconds(100), [this] { create_topic(); });
    });
  }

  // Brokers end and come back, one or all of them, with their power or without.
  void mischief() {
    if (over_) return;
    const bool all = random_.chance(1, 2);
    const bool power = random_.chance(1, 2);
    const auto chosen = random_.below(cluster_.brokers.size());
    for (std::size_t i = 0; i < cluster_.brokers.size(); ++i) {
      if (!all && i != chosen) continue;
      BrokerMachine& broker = *cluster_.brokers[i];
      if (broker.up()) broker.crash(power);
      world_.after(milliseconds(random_.between(20, 2500)), [&broker, this] {
        if (!broker.up() && !over_) broker.start();
      });
    }
    world_.after(milliseconds(random_.between(300, 6000)), [this] { mischief(); });
  }

  // Every keeper is told five times more that all is there.
  bool confirmed_again(const std::string& when) {
    std::vector<std::uint64_t> before;
    for (auto& each : keepers_) before.push_back(each->confirmed());
    std::string who;
    const bool good = world_.run_until(
        [&] {
          for (std::size_t i = 0; i < keepers_.size(); ++i) {
            who = keepers_[i]->name();
            if (keepers_[i]->confirmed() < before[i] + 5) return false;
          }
          return true;
        },
        seconds(60));
    if (!good) stuck("60 s " + when + ", no answer for " + who);
    return good;
  }

  World& world_;
  base::Random random_;
  Cluster cluster_;
  KafkaClient admin_;
  std::vector<std::unique_ptr<Keeper>> keepers_;
  bool created_ = false;
  bool over_ = false;
};

}  // namespace

void run_coordinators(World& world) { std::make_unique<CoordinatorsRun>(world)->run(); }

}  // namespace sim
