#include "tests/sim/node/txn_producer.h"

#include <algorithm>
#include <span>
#include <utility>

#include "common/record/builder.h"
#include "common/wire/msg/add_offsets_to_txn_request.h"
#include "common/wire/msg/add_offsets_to_txn_response.h"
#include "common/wire/msg/add_partitions_to_txn_request.h"
#include "common/wire/msg/add_partitions_to_txn_response.h"
#include "common/wire/msg/end_txn_request.h"
#include "common/wire/msg/end_txn_response.h"
#include "common/wire/msg/find_coordinator_request.h"
#include "common/wire/msg/find_coordinator_response.h"
#include "common/wire/msg/init_producer_id_request.h"
#include "common/wire/msg/init_producer_id_response.h"
#include "common/wire/msg/produce_request.h"
#include "common/wire/msg/produce_response.h"
#include "common/wire/msg/txn_offset_commit_request.h"
#include "common/wire/msg/txn_offset_commit_response.h"

namespace sim {

using std::chrono::milliseconds;
using wire::ErrorCode;

namespace {

constexpr std::int32_t kTimeoutMs = 800;

base::Bytes batch_of(std::span<const Value> values, base::WallMs timestamp,
                     std::int64_t producer_id, std::int16_t epoch, std::int32_t sequence) {
  record::BatchBuilder builder({.transactional = true,
                                .producer_id = base::ProducerId(producer_id),
                                .producer_epoch = base::ProducerEpoch(epoch),
                                .base_sequence = sequence});
  for (const Value value : values) {
    base::Bytes bytes(sizeof(Value));
    base::store_be(bytes.data(), value);
    builder.add(timestamp, std::nullopt, bytes);
  }
  return builder.build();
}

}  // namespace

TxnProducer::TxnProducer(Facts& facts, std::string id, bool version_two)
    : facts_(facts),
      id_(std::move(id)),
      v2_(version_two),
      random_(facts.world.random(id_)),
      client_(facts.world, facts.network, id_),
      late_(facts.world, facts.network, id_ + "-late") {}

void TxnProducer::lose_connection(bool late_one) { (late_one ? late_ : client_).drop(); }

void TxnProducer::next_step(std::function<void()> step) {
  facts_.world.after(std::chrono::microseconds(random_.between(100, 8'000)), std::move(step));
}

// Whatever went wrong: the transaction is given up, and InitProducerId ends it.
void TxnProducer::begin_anew() {
  facts_.world.after(milliseconds(random_.between(20, 120)), [this] {
    wire::FindCoordinatorRequest find{.key_type = 1, .coordinator_keys = {id_}};
    client_.call<wire::FindCoordinatorResponse>(find, 4, [this](const auto* response) {
      if (response == nullptr) return begin_anew();
      wire::FindCoordinatorRequest group{.key_type = 0, .coordinator_keys = {this->group()}};
      client_.call<wire::FindCoordinatorResponse>(group, 4, [this](const auto* found) {
        if (found == nullptr) return begin_anew();
        init();
      });
    });
  });
}

void TxnProducer::init() {
  const wire::InitProducerIdRequest request{.transactional_id = id_,
                                            .transaction_timeout_ms = kTimeoutMs};
  client_.call<wire::InitProducerIdResponse>(request, 4, [this](const auto* response) {
    if (!check(response != nullptr, response ? response->error_code : ErrorCode::kNone)) return;
    producer_id_ = response->producer_id;
    epoch_ = response->producer_epoch;
    sequences_[0] = sequences_[1] = 0;
    // Everything before has its fate by now: what was not committed never will be.
    begin();
  });
}

bool TxnProducer::check(bool answered, ErrorCode error) {
  if (answered && error == ErrorCode::kNone) return true;
  facts_.world.trace("transaction given up", wire::name(error));
  begin_anew();
  return false;
}

void TxnProducer::begin() {
  if (finishing_) {
    done_ = true;
    return;
  }
  TxnFacts& made = transactions_.emplace_back();
  made.offset = static_cast<std::int64_t>(transactions_.size());
  for (auto& values : made.values) {
    for (auto count = random_.between(1, 3); count > 0; --count) {
      values.push_back(facts_.new_value());
    }
  }
  next_step([this] { v2_ ? produce(0) : add_partitions(); });
}

void TxnProducer::add_partitions() {
  wire::AddPartitionsToTxnRequest request;
  request.v3_and_below_transactional_id = id_;
  request.v3_and_below_producer_id = producer_id_;
  request.v3_and_below_producer_epoch = epoch_;
  request.v3_and_below_topics.push_back({.name = kTopic, .partitions = {0, 1}});
  client_.call<wire::AddPartitionsToTxnResponse>(request, 3, [this](const auto* response) {
    ErrorCode error = ErrorCode::kNone;
    if (response != nullptr) {
      error = response->results_by_topic_v3_and_below.at(0)
                  .results_by_partition.at(0)
                  .partition_error_code;
    }
    if (error == ErrorCode::kConcurrentTransactions) {
      return next_step([this] { add_partitions(); });
    }
    if (check(response != nullptr, error)) next_step([this] { produce(0); });
  });
}

void TxnProducer::produce(std::int32_t partition) {
  const std::size_t count = transactions_.back().values[partition].size();
  const std::size_t first = taken_;
  const std::size_t middle = v2_ && first == 0 ? std::max<std::size_t>(count / 2, 1) : count;
  in_flight_ = middle < count ? 2 : 1;
  send(partition, first, middle);
  if (middle < count) send(partition, middle, count);
}

void TxnProducer::send(std::int32_t partition, std::size_t first, std::size_t end) {
  const auto now =
      1'700'000'000'000 + facts_.world.now().time_since_epoch() / std::chrono::milliseconds(1);
  const auto& values = transactions_.back().values[partition];
  const base::Bytes bytes =
      batch_of(std::span(values).subspan(first, end - first), now, producer_id_, epoch_,
               sequences_[partition] + static_cast<std::int32_t>(first));
  wire::ProduceRequest request;
  request.transactional_id = id_;
  request.acks = -1;
  request.timeout_ms = 1500;
  auto& topic = request.topic_data.emplace_back();
  topic.name = kTopic;
  topic.partition_data.push_back({.index = partition, .records = wire::Records::of(bytes)});
  client_.call<wire::ProduceResponse>(
      request, static_cast<std::int16_t>(v2_ ? 12 : 10),
      [this, partition, first, end, epoch = epoch_](const auto* response) {
        if (epoch != epoch_) return;  // the other one was refused, all began anew
        on_produced(partition, first, end, response != nullptr,
                    response ? response->responses.at(0).partition_responses.at(0).error_code
                             : ErrorCode::kNone);
      });
}

void TxnProducer::on_produced(std::int32_t partition, std::size_t first, std::size_t end,
                              bool answered, ErrorCode error) {
  if (in_flight_ == 0) return;  // given up
  --in_flight_;
  if (answered && error == ErrorCode::kNone) {
    taken_ = end;
  } else if (answered && error == ErrorCode::kOutOfOrderSequenceNumber && first != taken_) {
    // The one before was refused, and so is this.
  } else if (answered && error == ErrorCode::kOutOfOrderSequenceNumber && first > 0) {
    facts_.wrong(id_ + ": a batch was refused for its sequence right behind the one before");
  } else if (error != ErrorCode::kConcurrentTransactions) {
    in_flight_ = 0;
    taken_ = 0;
    check(answered, error);
    return;
  }
  if (in_flight_ > 0) return;
  const std::size_t count = transactions_.back().values[partition].size();
  if (taken_ < count) return next_step([this, partition] { produce(partition); });
  taken_ = 0;
  sequences_[partition] += static_cast<std::int32_t>(count);
  if (partition == 0) return next_step([this] { produce(1); });
  // A sleeper wakes up when its transaction has timed out.
  const bool sleeps = random_.chance(1, 15);
  facts_.world.after(milliseconds(sleeps ? kTimeoutMs + 900 : 1),
                     [this] { v2_ ? commit_offsets() : add_offsets(); });
}

void TxnProducer::add_offsets() {
  const wire::AddOffsetsToTxnRequest request{.transactional_id = id_,
                                             .producer_id = producer_id_,
                                             .producer_epoch = epoch_,
                                             .group_id = group()};
  client_.call<wire::AddOffsetsToTxnResponse>(request, 3, [this](const auto* response) {
    if (check(response != nullptr, response ? response->error_code : ErrorCode::kNone)) {
      next_step([this] { commit_offsets(); });
    }
  });
}

void TxnProducer::commit_offsets() {
  wire::TxnOffsetCommitRequest request;
  request.transactional_id = id_;
  request.group_id = group();
  request.producer_id = producer_id_;
  request.producer_epoch = epoch_;
  auto& topic = request.topics.emplace_back();
  topic.name = kTopic;
  topic.partitions.push_back(
      {.partition_index = 0, .committed_offset = transactions_.back().offset});
  client_.call<wire::TxnOffsetCommitResponse>(
      request, static_cast<std::int16_t>(v2_ ? 5 : 3), [this](const auto* response) {
        const ErrorCode error =
            response ? response->topics.at(0).partitions.at(0).error_code : ErrorCode::kNone;
        if (check(response != nullptr, error)) next_step([this] { end(); });
      });
}

void TxnProducer::end() {
  const bool commit = !random_.chance(1, 4);
  if (commit) transactions_.back().fate = TxnFacts::Fate::kUnknown;
  if (v2_ && random_.chance(1, 3)) send_late_end(commit);
  ask_end(commit, 5);
}

// The network holds a copy of it back until the next transaction is under way.
void TxnProducer::send_late_end(bool commit) {
  const wire::EndTxnRequest request{.transactional_id = id_,
                                    .producer_id = producer_id_,
                                    .producer_epoch = epoch_,
                                    .committed = commit};
  facts_.world.after(milliseconds(random_.between(5, 200)), [this, request] {
    late_.call<wire::EndTxnResponse>(request, 5, [](const auto*) {});
  });
}

void TxnProducer::ask_end(bool commit, int tries) {
  const wire::EndTxnRequest request{.transactional_id = id_,
                                    .producer_id = producer_id_,
                                    .producer_epoch = epoch_,
                                    .committed = commit};
  client_.call<wire::EndTxnResponse>(
      request, static_cast<std::int16_t>(v2_ ? 5 : 3), [=, this](const auto* response) {
        const ErrorCode error = response ? response->error_code : ErrorCode::kNetworkException;
        const bool may_pass =
            error == ErrorCode::kConcurrentTransactions || error == ErrorCode::kNetworkException ||
            error == ErrorCode::kCoordinatorLoadInProgress ||
            error == ErrorCode::kCoordinatorNotAvailable || error == ErrorCode::kNotCoordinator;
        if (may_pass && tries > 0) {
          facts_.world.after(milliseconds(random_.between(5, 100)),
                             [=, this] { ask_end(commit, tries - 1); });
          return;
        }
        if (!check(response != nullptr, error)) return;
        transactions_.back().fate = commit ? TxnFacts::Fate::kCommitted : TxnFacts::Fate::kAborted;
        if (commit) ++committed_;
        facts_.world.trace(commit ? "committed" : "aborted",
                           static_cast<std::uint64_t>(transactions_.back().offset));
        if (v2_) {
          if (response->producer_id != producer_id_ || response->producer_epoch != epoch_) {
            sequences_[0] = sequences_[1] = 0;
          }
          producer_id_ = response->producer_id;
          epoch_ = response->producer_epoch;
        }
        next_step([this] { begin(); });
      });
}

}  // namespace sim
