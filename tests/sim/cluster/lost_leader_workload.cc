// Clients that lose their leader: what another broker tells them when they ask at once.
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "broker/node/recent_losses.h"
#include "common/wire/msg/fetch_request.h"
#include "common/wire/msg/fetch_response.h"
#include "common/wire/msg/metadata_request.h"
#include "common/wire/msg/metadata_response.h"
#include "tests/sim/cluster/cluster.h"
#include "tests/sim/cluster/insistent_admin.h"
#include "tests/sim/cluster/workloads.h"
#include "tests/sim/node/kafka_client.h"

namespace sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr const char* kTopic = "led";
constexpr int kRounds = 6;

// What one Metadata answer says.
struct Told {
  bool answered = false;
  std::int32_t leader = -1;
  std::vector<std::int32_t> brokers;
  bool names(std::int32_t id) const { return std::ranges::find(brokers, id) != brokers.end(); }
};

class LostLeaderRun {
 public:
  explicit LostLeaderRun(World& world)
      : world_(world),
        cluster_(world, {.brokers = 3}),
        admin_(cluster_, [this] { return cluster_.brokers.front()->host(); }),
        reader_(world, cluster_.facts.network, "reader"),
        asker_(world, cluster_.facts.network, "asker") {
    reader_.patience = seconds(30);
  }

  void run() {
    cluster_.start();
    const auto serve = [&] { return cluster_.everybody_serves(); };
    if (!world_.run_until(serve, seconds(30))) return no_progress("a broker does not serve");
    if (!admin_.create({.name = kTopic})) return;
    if (!settled()) return no_progress("not all replicas are in sync");
    for (int round = 0; round < kRounds && !world_.failed(); ++round) lose_one(round % 2 == 1);
  }

 private:
  void no_progress(const std::string& why) { cluster_.facts.no_progress(why); }
  bool settled() {
    return world_.run_until(
        [&] { return cluster_.everybody_serves() && cluster_.fully_replicated(kTopic); },
        seconds(30));
  }

  // Asks whom `client` is aimed at.
  std::shared_ptr<Told> ask(KafkaClient& client) {
    wire::MetadataRequest request;
    request.topics->push_back({.name = kTopic});
    request.allow_auto_topic_creation = false;
    auto told = std::make_shared<Told>();
    client.call<wire::MetadataResponse>(request, 10, [told](const wire::MetadataResponse* answer) {
      if (answer == nullptr) return;
      told->answered = true;
      for (const auto& each : answer->topics.at(0).partitions) told->leader = each.leader_id;
      for (const auto& each : answer->brokers) told->brokers.push_back(each.node_id);
    });
    return told;
  }
  bool answered(const std::shared_ptr<Told>& told) {
    if (world_.run_until([&] { return told->answered; }, seconds(2))) return true;
    no_progress("a broker does not answer");
    return false;
  }

  // Asks for records, which there are not. The leader waits: its connection ends when it does.
  std::shared_ptr<bool> fetch(KafkaClient& client, const BrokerMachine& broker, milliseconds wait) {
    wire::FetchRequest request;
    request.max_wait_ms = static_cast<std::int32_t>(wait.count());
    request.min_bytes = 1;
    auto& topic = request.topics.emplace_back();
    topic.topic = kTopic;
    auto& partition = topic.partitions.emplace_back();
    partition.partition_max_bytes = 1000;
    auto over = std::make_shared<bool>(false);
    client.aim(broker.host());
    client.call<wire::FetchResponse>(request, 12,
                                     [over](const wire::FetchResponse*) { *over = true; });
    return over;
  }

  // Its connection to another broker was used for records; `is_first`: and it never asked there.
  void lose_one(bool is_first) {
    const auto id = cluster_.image()->topic(kTopic)->partitions.front().leader.value();
    BrokerMachine& leader = *cluster_.brokers[static_cast<std::size_t>(id - 1)];
    BrokerMachine& other = *cluster_.brokers[static_cast<std::size_t>(id % 3)];
    asker_.aim(other.host());
    std::shared_ptr<Told> told;
    for (told = ask(asker_); answered(told) && told->leader != id; told = ask(asker_)) {
      world_.run_for(milliseconds(20));  // it has not heard of the controller's latest yet
    }
    if (is_first) {
      novices_.push_back(std::make_unique<KafkaClient>(world_, cluster_.facts.network, "novice"));
      const auto fetched = fetch(*novices_.back(), other, milliseconds(0));
      if (!world_.run_until([&] { return *fetched; }, seconds(5))) {
        return no_progress("a fetch is not answered");
      }
    }
    KafkaClient& asker = is_first ? *novices_.back() : asker_;
    const auto lost = fetch(reader_, leader, seconds(20));
    world_.run_for(milliseconds(300));
    leader.crash(false);
    if (!world_.run_until([&] { return *lost; }, seconds(5))) return no_progress("nothing is lost");
    // Asks as clients do, until somebody leads.
    const base::Instant began = world_.now();
    for (told = ask(asker); answered(told); told = ask(asker)) {
      if (told->leader == id) cluster_.facts.wrong("the dead broker leads");
      if (told->leader >= 0) break;
      world_.run_for(milliseconds(100));
    }
    if (world_.failed()) return;
    if (world_.now() - began > milliseconds(700))
      cluster_.facts.wrong("the next leader comes late");
    world_.run_for(milliseconds(500));
    const auto now = cluster_.image()->topic(kTopic)->partitions.front().leader.value();
    if (told->leader != now) cluster_.facts.wrong("another leader than the one that was told of");
    if (!answered(told = ask(asker))) return;
    if (told->leader != now) cluster_.facts.wrong("the new leader is not told");
    if (!told->names(id)) cluster_.facts.wrong("the lost broker is not named any more");
    world_.run_for(broker::RecentLosses::kFarewell);
    if (!answered(told = ask(asker))) return;
    if (told->names(id)) cluster_.facts.wrong("a broker that is long gone is named");
    leader.start();
    if (!settled()) no_progress("the broker does not come back");
  }

  World& world_;
  Cluster cluster_;
  InsistentAdmin admin_;
  KafkaClient reader_;
  KafkaClient asker_;
  std::vector<std::unique_ptr<KafkaClient>> novices_;
};

}  // namespace

void run_lost_leader(World& world) {
  auto run = std::make_unique<LostLeaderRun>(world);
  run->run();
}

}  // namespace sim
