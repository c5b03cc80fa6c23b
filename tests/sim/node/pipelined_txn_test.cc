// A transactional producer that waits for nothing, as Kafka's own: five requests are always under
// way. A whole simulated node, no faults.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <vector>

#include "common/record/builder.h"
#include "common/wire/msg/end_txn_request.h"
#include "common/wire/msg/end_txn_response.h"
#include "common/wire/msg/find_coordinator_request.h"
#include "common/wire/msg/find_coordinator_response.h"
#include "common/wire/msg/init_producer_id_request.h"
#include "common/wire/msg/init_producer_id_response.h"
#include "common/wire/msg/produce_request.h"
#include "common/wire/msg/produce_response.h"
#include "tests/sim/node/cluster_facts.h"
#include "tests/sim/node/kafka_client.h"
#include "tests/sim/node/node_process.h"
#include "tests/sim/node/topics.h"

namespace sim {
namespace {

using std::chrono::milliseconds;
using wire::ErrorCode;

constexpr const char* kTopic = "out";
constexpr const char* kId = "pipelined";
constexpr int kUnderWay = 5;
constexpr int kBatches = 60;         // of a transaction
constexpr milliseconds kBetween{3};  // the first ones

base::Bytes one_record(std::int64_t producer_id, std::int16_t epoch, std::int32_t sequence) {
  record::BatchBuilder builder({.transactional = true,
                                .producer_id = base::ProducerId(producer_id),
                                .producer_epoch = base::ProducerEpoch(epoch),
                                .base_sequence = sequence});
  builder.add(1'700'000'000'000, std::nullopt, base::Bytes(8));
  return builder.build();
}

class PipelinedProducer {
 public:
  explicit PipelinedProducer(Facts& facts)
      : world_(facts.world), client_(facts.world, facts.network, kId) {}

  void find() {
    const wire::FindCoordinatorRequest request{.key_type = 1, .coordinator_keys = {kId}};
    client_.call<wire::FindCoordinatorResponse>(request, 4, [this](const auto* response) {
      response == nullptr || response->coordinators.at(0).error_code != ErrorCode::kNone
          ? again([this] { find(); })
          : init();
    });
  }
  int committed() const { return committed_; }
  // How long each request of a committed transaction took, in the order they were sent.
  const std::vector<std::vector<base::Duration>>& took() const { return took_; }

 private:
  void again(std::function<void()> step) { world_.after(milliseconds(20), std::move(step)); }

  void init() {
    const wire::InitProducerIdRequest request{.transactional_id = kId,
                                              .transaction_timeout_ms = 60'000};
    client_.call<wire::InitProducerIdResponse>(request, 4, [this](const auto* response) {
      if (response == nullptr || response->error_code != ErrorCode::kNone) {
        return again([this] { init(); });
      }
      producer_id_ = response->producer_id;
      epoch_ = response->producer_epoch;
      begin();
    });
  }
  void begin() {
    sent_ = answered_ = 0;
    took_.emplace_back(kBatches);
    for (int i = 0; i < kUnderWay; ++i) world_.after(i * kBetween, [this] { send(); });
  }
  void send() {
    wire::ProduceRequest request;
    request.transactional_id = kId;
    request.acks = -1;
    request.timeout_ms = 1500;
    const base::Bytes bytes = one_record(producer_id_, epoch_, sent_);
    auto& topic = request.topic_data.emplace_back();
    topic.name = kTopic;
    topic.partition_data.push_back({.index = 0, .records = wire::Records::of(bytes)});
    client_.call<wire::ProduceResponse>(
        request, 12, [this, batch = sent_, at = world_.now()](const auto* response) {
          ASSERT_NE(response, nullptr);
          ASSERT_EQ(response->responses.at(0).partition_responses.at(0).error_code,
                    ErrorCode::kNone)
              << "batch " << batch << " of transaction " << committed_;
          took_.back().at(static_cast<std::size_t>(batch)) = world_.now() - at;
          if (sent_ < kBatches) send();
          if (++answered_ == kBatches) end();
        });
    ++sent_;
  }
  void end() {
    const wire::EndTxnRequest request{.transactional_id = kId,
                                      .producer_id = producer_id_,
                                      .producer_epoch = epoch_,
                                      .committed = true};
    client_.call<wire::EndTxnResponse>(request, 5, [this](const auto* response) {
      ASSERT_NE(response, nullptr);
      ASSERT_EQ(response->error_code, ErrorCode::kNone);
      producer_id_ = response->producer_id;
      epoch_ = response->producer_epoch;
      ++committed_;
      begin();
    });
  }

  World& world_;
  KafkaClient client_;
  std::int64_t producer_id_ = -1;
  std::int16_t epoch_ = -1;
  std::int32_t sent_ = 0;
  int answered_ = 0;
  int committed_ = 0;
  std::vector<std::vector<base::Duration>> took_;
};

// Goal: what waits for the coordinator at a transaction's beginning holds back none of the batches
// behind it any longer than it waits itself; a line of requests once did so to the transaction's
// end. Method: ten transactions, each begun at once behind the one before; the requests that were
// sent after the first ones had been answered take no longer than a write and a sync do.
TEST(PipelinedTransaction, GoesOnWithoutPausesOnceItHasBegun) {
  World world(3);
  Facts facts(world);
  SimRpc rpc(world);
  // So near that the next transaction begins before the coordinator is done with the last one.
  facts.network.faults.delay_min = facts.network.faults.delay_max = std::chrono::microseconds(1);
  NodeProcess node(world, facts.network, rpc);
  node.start();
  ASSERT_TRUE(world.run_until([&] { return node.serving(); }, std::chrono::seconds(5)));
  Administrator administrator(facts, "administrator", {{.name = kTopic}});
  administrator.create_all();
  ASSERT_TRUE(world.run_until([&] { return administrator.created(); }, std::chrono::seconds(5)));

  PipelinedProducer producer(facts);
  producer.find();
  ASSERT_TRUE(world.run_until([&] { return producer.committed() == 10; }, std::chrono::minutes(2)));
  EXPECT_FALSE(world.failed()) << world.why();
  for (const auto& transaction : producer.took()) {
    if (transaction.back() == base::Duration::zero()) continue;  // the eleventh, under way
    const auto longest = *std::max_element(transaction.begin() + 2 * kUnderWay, transaction.end());
    EXPECT_LT(longest, milliseconds(10));  // a sync of the simulated disk takes 3 at most
  }
}

}  // namespace
}  // namespace sim
