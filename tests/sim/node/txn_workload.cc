#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/record/batch_view.h"
#include "common/record/control.h"
#include "common/record/record_view.h"
#include "common/wire/msg/fetch_request.h"
#include "common/wire/msg/fetch_response.h"
#include "common/wire/msg/offset_fetch_request.h"
#include "common/wire/msg/offset_fetch_response.h"
#include "tests/sim/node/node_process.h"
#include "tests/sim/node/topics.h"
#include "tests/sim/node/txn_producer.h"
#include "tests/sim/node/workloads.h"

namespace sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using wire::ErrorCode;

// What a read_committed consumer gets of one partition, from its start to its last stable offset.
class CommittedReader {
 public:
  CommittedReader(Facts& facts, KafkaClient& client, std::int32_t partition)
      : facts_(facts), client_(client), partition_(partition) {}

  void start() {
    wire::FetchRequest request;
    request.max_wait_ms = 10;
    request.min_bytes = 1;
    request.max_bytes = 1 << 20;
    request.isolation_level = 1;
    auto& topic = request.topics.emplace_back();
    topic.topic = TxnProducer::kTopic;
    topic.partitions.push_back(
        {.partition = partition_, .fetch_offset = position_, .partition_max_bytes = 1 << 20});
    client_.call<wire::FetchResponse>(request, 11, [this](const wire::FetchResponse* response) {
      if (response == nullptr || response->responses.empty()) return again();
      const auto& got = response->responses.at(0).partitions.at(0);
      if (got.error_code != ErrorCode::kNone) return again();
      take(got);
      // Open transactions end within their timeout: then everything is stable.
      if (position_ >= got.high_watermark) {
        done_ = true;
      } else {
        again();
      }
    });
  }
  bool done() const { return done_; }
  const std::vector<Value>& values() const { return values_; }

 private:
  void again() {
    facts_.world.after(milliseconds(30), [this] { start(); });
  }

  void take(const wire::FetchResponse::PartitionData& got) {
    // As clients do it: a producer's records count from where its aborted transaction began until
    // its marker.
    std::multimap<std::int64_t, std::int64_t> aborted;
    if (got.aborted_transactions) {
      for (const auto& each : *got.aborted_transactions) {
        aborted.emplace(each.first_offset, each.producer_id);
      }
    }
    std::set<std::int64_t> aborting;
    record::BatchReader batches(got.records.bytes);
    while (auto batch = batches.next()) {
      const std::int64_t producer = batch->producer_id().value();
      while (!aborted.empty() && aborted.begin()->first <= batch->last_offset().value()) {
        aborting.insert(aborted.begin()->second);
        aborted.erase(aborted.begin());
      }
      position_ = std::max(position_, batch->next_offset().value());
      if (batch->is_control()) {
        const auto marker = record::parse_end_txn_marker(*batch);
        if (marker && !marker->commit) aborting.erase(producer);
        continue;
      }
      if (batch->is_transactional() && aborting.contains(producer)) continue;
      record::RecordReader records(batch->records(), batch->count());
      record::RecordView each;
      while (records.next(each)) values_.push_back(base::load_be<Value>(each.value->data()));
    }
  }

  Facts& facts_;
  KafkaClient& client_;
  const std::int32_t partition_;
  std::int64_t position_ = 0;
  std::vector<Value> values_;
  bool done_ = false;
};

class TxnRun {
 public:
  explicit TxnRun(World& world)
      : world_(world),
        random_(world.random("faults")),
        facts_(world),
        rpc_(world),
        node_(world, facts_.network, rpc_),
        admin_(facts_, "admin", {{.name = TxnProducer::kTopic, .partitions = 2, .configs = {}}}) {
    rpc_.faults.delay_min = rpc_.faults.delay_max = {};
    for (int i = 0; i < 4; ++i) {
      producers_.push_back(
          std::make_unique<TxnProducer>(facts_, "txn" + std::to_string(i), i % 2 == 1));
    }
  }

  void run() {
    node_.start();
    admin_.create_all();
    if (!world_.run_until([&] { return admin_.created(); }, seconds(20))) {
      return no_progress("the topic is not made");
    }
    for (auto& each : producers_) each->start();
    world_.after(milliseconds(300), [this] { misbehave(); });
    world_.run_for(seconds(6));
    if (world_.failed()) return;
    faulty_ = false;
    node_.disk.stop_at(std::nullopt);
    world_.run_for(seconds(1));  // a clean stop that is under way ends
    if (!node_.up()) node_.start();
    if (!everybody_goes_on()) return;
    node_.crash(true);
    node_.start();
    check();
  }

 private:
  void no_progress(const std::string& why) {
    if (!world_.failed()) world_.fail(Verdict::kNoProgress, why);
  }

  void misbehave() {
    if (!faulty_) return;
    world_.after(milliseconds(random_.between(50, 700)), [this] { misbehave(); });
    if (!node_.up()) return node_.start();
    switch (random_.below(6)) {
      case 0:
        return node_.crash(true);
      case 1:
        return node_.crash(false);
      case 2:
        return node_.disk.stop_at(node_.disk.operations() + random_.below(60));
      case 3:
        return node_.stop([] {});
      default:
        return producers_[random_.below(producers_.size())]->lose_connection(random_.chance(1, 4));
    }
  }

  bool everybody_goes_on() {
    std::vector<std::uint64_t> before;
    for (auto& each : producers_) before.push_back(each->committed());
    const bool good = world_.run_until(
        [&] {
          for (std::size_t i = 0; i < producers_.size(); ++i) {
            if (producers_[i]->committed() < before[i] + 3) return false;
          }
          return true;
        },
        seconds(40));
    if (!good) {
      no_progress("40 s after all healed a producer does not commit");
      return false;
    }
    for (auto& each : producers_) each->finish();
    const bool finished = world_.run_until(
        [&] {
          for (auto& each : producers_) {
            if (!each->done()) return false;
          }
          return true;
        },
        seconds(30));
    if (!finished) no_progress("a producer cannot finish");
    return finished;
  }

  // ---- the end: all of a transaction or nothing of it, and its offset with it

  void check() {
    KafkaClient client(world_, facts_.network, "reader");
    std::map<Value, int> seen;
    for (std::int32_t i = 0; i < 2; ++i) {
      CommittedReader reader(facts_, client, i);
      reader.start();
      if (!world_.run_until([&] { return reader.done(); }, seconds(30))) {
        return no_progress("the last stable offset stands still");
      }
      for (const Value value : reader.values()) ++seen[value];
    }
    for (const auto& [value, count] : seen) {
      if (count > 1) return facts_.wrong("value " + std::to_string(value) + " is there twice");
    }
    for (const auto& producer : producers_) {
      std::int64_t offset = -1;
      for (const TxnFacts& each : producer->transactions()) {
        if (check_one(*producer, each, seen)) offset = each.offset;
      }
      if (world_.failed()) return;
      check_offset(client, *producer, offset);
    }
  }

  // Whether it can be seen.
  bool check_one(const TxnProducer& producer, const TxnFacts& transaction,
                 const std::map<Value, int>& seen) {
    std::size_t all = 0;
    std::size_t there = 0;
    for (const auto& values : transaction.values) {
      all += values.size();
      for (const Value value : values) there += seen.contains(value) ? 1 : 0;
    }
    const std::string name = producer.id() + " " + std::to_string(transaction.offset);
    if (there != 0 && there != all) facts_.wrong("transaction " + name + " is torn");
    switch (transaction.fate) {
      case TxnFacts::Fate::kCommitted:
        if (there == 0) facts_.wrong("committed transaction " + name + " is lost");
        break;
      case TxnFacts::Fate::kAborted:
      case TxnFacts::Fate::kUnasked:
        if (there != 0) facts_.wrong("aborted transaction " + name + " is seen");
        break;
      case TxnFacts::Fate::kUnknown:
        break;
    }
    return there != 0;
  }

  void check_offset(KafkaClient& client, const TxnProducer& producer, std::int64_t want) {
    bool done = false;
    std::function<void()> ask = [&] {
      wire::OffsetFetchRequest request;
      request.require_stable = true;
      auto& group = request.groups.emplace_back();
      group.group_id = producer.group();
      group.topics.emplace().push_back({.name = TxnProducer::kTopic, .partition_indexes = {0}});
      client.call<wire::OffsetFetchResponse>(request, 8, [&](const auto* response) {
        const bool good =
            response != nullptr && response->groups.at(0).error_code == ErrorCode::kNone &&
            response->groups.at(0).topics.at(0).partitions.at(0).error_code == ErrorCode::kNone;
        if (!good) return world_.after(milliseconds(50), [&] { ask(); });
        const auto found = response->groups.at(0).topics.at(0).partitions.at(0).committed_offset;
        if (found != want) {
          facts_.wrong("the group of " + producer.id() + " is at " + std::to_string(found) +
                       ", its last transaction that is seen at " + std::to_string(want));
        }
        done = true;
      });
    };
    ask();
    if (!world_.run_until([&] { return done; }, seconds(20))) no_progress("offsets stay unstable");
  }

  World& world_;
  base::Random random_;
  Facts facts_;
  SimRpc rpc_;
  NodeProcess node_;
  Administrator admin_;
  std::vector<std::unique_ptr<TxnProducer>> producers_;
  bool faulty_ = true;
};

}  // namespace

void run_transactions(World& world) {
  auto run = std::make_unique<TxnRun>(world);
  run->run();
}

}  // namespace sim
