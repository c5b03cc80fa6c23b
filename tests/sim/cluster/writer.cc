#include "tests/sim/cluster/writer.h"

#include <algorithm>
#include <utility>

#include "common/wire/msg/init_producer_id_request.h"
#include "common/wire/msg/init_producer_id_response.h"
#include "common/wire/msg/produce_request.h"

namespace sim {

using wire::ErrorCode;

Writer::Writer(Facts& facts, const std::string& name, std::vector<std::string> brokers,
               Options options)
    : facts_(facts),
      history_(facts.history(options.topic, options.partition)),
      options_(std::move(options)),
      random_(facts.world.random(name)),
      client_(facts, name, std::move(brokers), options_.topic, options_.partition),
      version_(static_cast<std::int16_t>(random_.between(3, 12))) {}

void Writer::start() {
  client_.find_leader();
  step();
}

Writer::Batch* Writer::find(std::uint64_t number) {
  const auto at = std::ranges::find(queue_, number, &Batch::number);
  return at == queue_.end() ? nullptr : &*at;
}

void Writer::step() {
  facts_.world.after(facts_.think(random_, 500, 30'000), [this] { step(); });
  if (!client_.has_leader()) return;
  if (options_.idempotent && producer_id_ < 0) return ask_for_id();
  if (std::exchange(again_, false)) {
    for (const Batch& batch : queue_) send(batch);
    return;
  }
  if (!finishing_ && queue_.size() < options_.in_flight_max) make_batch();
}

void Writer::make_batch() {
  Batch& batch = queue_.emplace_back();
  batch.number = ++made_;
  batch.sequence = next_sequence_;
  for (auto count = random_.between(1, 4); count > 0; --count) {
    batch.values.push_back(facts_.new_value());
    history_.sent(batch.values.back());
    ++next_sequence_;
  }
  send(batch);
}

void Writer::ask_for_id() {
  if (std::exchange(asking_, true)) return;
  client_.call<wire::InitProducerIdResponse>(
      wire::InitProducerIdRequest{.transaction_timeout_ms = 1000}, 4,
      [this](const wire::InitProducerIdResponse* response) {
        asking_ = false;
        if (response == nullptr) return client_.find_leader();
        if (response->error_code != ErrorCode::kNone) return;
        producer_id_ = response->producer_id;
        producer_epoch_ = response->producer_epoch;
      });
}

void Writer::send(const Batch& batch) {
  BatchIdentity identity;
  if (options_.idempotent) identity = {producer_id_, producer_epoch_, batch.sequence};
  const auto now =
      1'700'000'000'000 + facts_.world.now().time_since_epoch() / std::chrono::milliseconds(1);
  const auto padding = static_cast<std::size_t>(random_.below(60));
  const base::Bytes bytes = make_value_batch(batch.values, now, padding, identity);
  wire::ProduceRequest request;
  request.acks = -1;
  request.timeout_ms = 1500;
  auto& topic = request.topic_data.emplace_back();
  topic.name = options_.topic;
  topic.partition_data.push_back(
      {.index = options_.partition, .records = wire::Records::of(bytes)});
  client_.call<wire::ProduceResponse>(
      request, version_, [this, number = batch.number](const wire::ProduceResponse* response) {
        answered(number, response);
      });
}

void Writer::answered(std::uint64_t number, const wire::ProduceResponse* response) {
  Batch* batch = find(number);
  if (batch == nullptr) return;
  if (response == nullptr) return unknown(number);
  const auto& result = response->responses.at(0).partition_responses.at(0);
  if (result.error_code != ErrorCode::kNone) return refused(number, result);
  for (std::size_t i = 0; i < batch->values.size(); ++i) {
    history_.acknowledged(batch->values[i], result.base_offset + static_cast<std::int64_t>(i));
  }
  acknowledged_ += batch->values.size();
  facts_.world.trace("acknowledged", batch->values.front(),
                     static_cast<std::uint64_t>(result.base_offset));
  std::erase_if(queue_, [&](const Batch& each) { return each.number == number; });
}

void Writer::refused(std::uint64_t number,
                     const wire::produce_response_parts::PartitionProduceResponse& result) {
  ++errors_[result.error_code];
  facts_.world.trace("refused", wire::name(result.error_code));
  switch (result.error_code) {
    case ErrorCode::kKafkaStorageError:
    case ErrorCode::kRequestTimedOut:
    case ErrorCode::kNotLeaderOrFollower:
    case ErrorCode::kNotEnoughReplicas:
    case ErrorCode::kNotEnoughReplicasAfterAppend:
    case ErrorCode::kUnknownTopicOrPartition:  // a broker that has not heard of it yet
      return unknown(number);
    case ErrorCode::kOutOfOrderSequenceNumber:
      // One before it failed: then it comes again behind that one.
      if (queue_.front().number != number) return unknown(number);
      [[fallthrough]];
    default:
      return facts_.wrong(host() + ": Produce answered with " +
                          std::string(wire::name(result.error_code)) + " " +
                          result.error_message.value_or(""));
  }
}

void Writer::unknown(std::uint64_t number) {
  client_.find_leader();
  if (!options_.idempotent) {
    std::erase_if(queue_, [&](const Batch& each) { return each.number == number; });
    return;
  }
  if (std::exchange(again_, true)) return;
  // What is still under way must not be answered behind what is sent again.
  client_.drop();
}

}  // namespace sim
