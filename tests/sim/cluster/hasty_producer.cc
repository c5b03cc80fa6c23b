#include "tests/sim/cluster/hasty_producer.h"

#include <algorithm>
#include <utility>

#include "common/wire/error_code.h"
#include "common/wire/msg/init_producer_id_request.h"
#include "common/wire/msg/init_producer_id_response.h"
#include "common/wire/msg/produce_request.h"

namespace sim {

using wire::ErrorCode;

HastyProducer::HastyProducer(Facts& facts, std::string name, std::string topic,
                             std::int32_t partition)
    : facts_(facts),
      history_(facts.history(topic, partition)),
      name_(std::move(name)),
      topic_(std::move(topic)),
      partition_(partition),
      random_(facts.world.random(name_)) {}

void HastyProducer::write_to(const std::string& leader) {
  leader_ = leader;
  stopped_ = false;
  if (!std::exchange(steps_, true)) step();
}

HastyProducer::Line& HastyProducer::line() {
  Line& found = lines_[leader_];
  if (!found.client) {
    const std::string host = name_ + " to " + leader_;
    found.client = std::make_unique<KafkaClient>(facts_.world, facts_.network, host);
    found.client->aim(leader_);
    found.client->patience = std::chrono::seconds(60);
  }
  return found;
}

void HastyProducer::step() {
  facts_.world.after(std::chrono::microseconds(random_.between(500, 5000)), [this] { step(); });
  if (drains_) {
    if (under_way_ > 0) return;
    go_on();
  }
  if (producer_id_ < 0) return ask_for_id();
  if (stopped_ || queue_.size() >= kUnansweredMax) return;
  if (line().under_way < kUnansweredOfOneMax) make_batch();
}

void HastyProducer::go_on() {
  drains_ = false;
  while (!queue_.empty() && queue_.front().number < acknowledged_) {
    const auto& values = queue_.front().values;
    implied_.insert(implied_.end(), values.begin(), values.end());
    queue_.pop_front();
  }
  if (std::exchange(another_, false)) producer_id_ = -1;
  if (producer_id_ < 0) return;
  for (const Batch& batch : queue_) send(batch);
}

void HastyProducer::begin_anew() {
  next_sequence_ = 0;
  for (Batch& batch : queue_) {
    batch.sequence = next_sequence_;
    next_sequence_ += static_cast<std::int32_t>(batch.values.size());
    send(batch);
  }
}

void HastyProducer::ask_for_id() {
  if (std::exchange(asking_, true)) return;
  line().client->call<wire::InitProducerIdResponse>(
      wire::InitProducerIdRequest{.transaction_timeout_ms = 1000}, 4,
      [this](const wire::InitProducerIdResponse* response) {
        asking_ = false;
        if (response == nullptr || response->error_code != ErrorCode::kNone) return;
        producer_id_ = response->producer_id;
        producer_epoch_ = response->producer_epoch;
        begin_anew();
      });
}

void HastyProducer::make_batch() {
  Batch& batch = queue_.emplace_back(++made_, next_sequence_);
  for (auto count = random_.between(1, 3); count > 0; --count) {
    batch.values.push_back(facts_.new_value());
    history_.sent(batch.values.back());
    ++next_sequence_;
  }
  send(batch);
}

void HastyProducer::send(const Batch& batch) {
  Line& line = this->line();
  ++under_way_;
  ++line.under_way;
  const base::Bytes bytes = make_value_batch(batch.values, 1'700'000'000'000, 10,
                                             {producer_id_, producer_epoch_, batch.sequence});
  wire::ProduceRequest request{.acks = -1, .timeout_ms = 30'000};
  auto& topic = request.topic_data.emplace_back();
  topic.name = topic_;
  topic.partition_data.push_back({.index = partition_, .records = wire::Records::of(bytes)});
  line.client->call<wire::ProduceResponse>(
      request, 9, [this, &line, number = batch.number](const wire::ProduceResponse* response) {
        --under_way_;
        --line.under_way;
        answered(number, response);
      });
}

void HastyProducer::answered(std::uint64_t number, const wire::ProduceResponse* response) {
  const auto batch = std::ranges::find(queue_, number, &Batch::number);
  if (response == nullptr) {
    drains_ = true;
    return;
  }
  const auto& result = response->responses.at(0).partition_responses.at(0);
  facts_.world.trace("answered", wire::name(result.error_code));
  switch (result.error_code) {
    case ErrorCode::kNone:
      for (std::size_t i = 0; i < batch->values.size(); ++i) {
        history_.acknowledged(batch->values[i], result.base_offset + static_cast<std::int64_t>(i));
      }
      acknowledged_ = std::max(acknowledged_, number);
      queue_.erase(batch);
      return;
    case ErrorCode::kRequestTimedOut:
    case ErrorCode::kNotLeaderOrFollower:
    case ErrorCode::kNotEnoughReplicas:
    case ErrorCode::kNotEnoughReplicasAfterAppend:
      drains_ = true;
      return;
    case ErrorCode::kOutOfOrderSequenceNumber:
      drains_ = true;
      another_ = true;
      if (batch != queue_.begin()) return;
      [[fallthrough]];
    default:
      facts_.wrong(name_ + ": Produce answered with " + std::string(wire::name(result.error_code)) +
                   " " + result.error_message.value_or(""));
  }
}

}  // namespace sim
