#include "tests/sim/node/producer.h"

#include <algorithm>

#include "common/record/builder.h"
#include "common/record/record_view.h"
#include "common/wire/msg/init_producer_id_request.h"
#include "common/wire/msg/produce_request.h"

namespace sim {

using wire::ErrorCode;

std::vector<Polled> parse_records(Facts& facts, const wire::Records& records) {
  std::vector<Polled> polled;
  record::BatchReader batches(records.bytes);
  while (auto batch = batches.next()) {
    if (!batch->crc_ok()) facts.wrong("a polled batch with a bad checksum");
    record::RecordReader reader(batch->records(), batch->count());
    record::RecordView each;
    while (reader.next(each)) {
      if (!each.value || each.value->size() < sizeof(Value)) {
        facts.wrong("a polled record that nobody sent");
        break;
      }
      polled.push_back({batch->base_offset().value() + each.offset_delta,
                        base::load_be<Value>(each.value->data())});
    }
    if (!reader.error().empty()) facts.wrong("a malformed record was polled");
  }
  if (batches.error() && *batches.error() != record::ParseError::kIncomplete) {
    facts.wrong("a malformed batch was polled");
  }
  return polled;
}

base::Bytes make_value_batch(const std::vector<Value>& values, base::WallMs timestamp,
                             std::size_t padding, BatchIdentity identity) {
  record::BatchBuilder builder({.producer_id = base::ProducerId(identity.producer_id),
                                .producer_epoch = base::ProducerEpoch(identity.producer_epoch),
                                .base_sequence = identity.sequence});
  for (const Value value : values) {
    base::Bytes bytes(sizeof(Value) + padding);
    base::store_be(bytes.data(), value);
    builder.add(timestamp, std::nullopt, bytes);
  }
  return builder.build();
}

Producer::Producer(Facts& facts, const std::string& name, Options options)
    : facts_(facts),
      history_(facts.history(options.topic, options.partition)),
      options_(std::move(options)),
      random_(facts.world.random(name)),
      client_(facts.world, facts.network, name),
      version_(static_cast<std::int16_t>(random_.between(3, 13))) {}

Producer::Batch* Producer::find(std::uint64_t number) {
  const auto at = std::ranges::find(queue_, number, &Batch::number);
  return at == queue_.end() ? nullptr : &*at;
}

// Every few milliseconds.
void Producer::step() {
  facts_.world.after(std::chrono::microseconds(random_.between(200, 20'000)), [this] { step(); });
  if (options_.idempotent && producer_id_ < 0) return ask_for_id();
  if (again_) {
    again_ = false;
    for (Batch& batch : queue_) send(batch);
    return;
  }
  if (finishing_ || made_ >= options_.batches_max || queue_.size() >= options_.in_flight_max) {
    return;
  }
  Batch& batch = queue_.emplace_back();
  batch.number = ++made_;
  batch.sequence = next_sequence_;
  batch.padding = static_cast<std::size_t>(random_.below(random_.chance(1, 8) ? 3000 : 60));
  for (auto count = random_.between(1, 5); count > 0; --count) {
    batch.values.push_back(facts_.new_value());
    history_.sent(batch.values.back());
    ++next_sequence_;
  }
  send(batch);
}

void Producer::ask_for_id() {
  if (std::exchange(asking_, true)) return;
  client_.call<wire::InitProducerIdResponse>(
      wire::InitProducerIdRequest{.transaction_timeout_ms = 1000}, 4,
      [this](const wire::InitProducerIdResponse* response) {
        asking_ = false;
        if (response == nullptr || response->error_code != ErrorCode::kNone) return;
        producer_id_ = response->producer_id;
        producer_epoch_ = response->producer_epoch;
      });
}

void Producer::send(Batch& batch) {
  batch.in_flight = true;
  BatchIdentity identity;
  if (options_.idempotent) identity = {producer_id_, producer_epoch_, batch.sequence};
  const auto now =
      1'700'000'000'000 + facts_.world.now().time_since_epoch() / std::chrono::milliseconds(1);
  const base::Bytes bytes = make_value_batch(batch.values, now, batch.padding, identity);
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

void Producer::answered(std::uint64_t number, const wire::ProduceResponse* response) {
  Batch* batch = find(number);
  if (batch == nullptr) return;
  if (response == nullptr) {
    // Nobody knows what became of it.
    if (options_.idempotent) return try_again();
    std::erase_if(queue_, [&](const Batch& each) { return each.number == number; });
    return;
  }
  const auto& result = response->responses.at(0).partition_responses.at(0);
  if (result.error_code != ErrorCode::kNone) return refused(number, result);
  for (std::size_t i = 0; i < batch->values.size(); ++i) {
    history_.acknowledged(batch->values[i], result.base_offset + static_cast<std::int64_t>(i));
  }
  acknowledged_ += batch->values.size();
  acknowledged_under_id_ = true;
  facts_.world.trace("acknowledged", batch->values.front(),
                     static_cast<std::uint64_t>(result.base_offset));
  std::erase_if(queue_, [&](const Batch& each) { return each.number == number; });
}

void Producer::refused(std::uint64_t number,
                       const wire::produce_response_parts::PartitionProduceResponse& result) {
  ++errors_[result.error_code];
  facts_.world.trace("refused", wire::name(result.error_code));
  const bool is_first = queue_.front().number == number;
  switch (result.error_code) {
    case ErrorCode::kKafkaStorageError:
    case ErrorCode::kRequestTimedOut:
    case ErrorCode::kNotLeaderOrFollower:
      break;
    case ErrorCode::kOutOfOrderSequenceNumber:
      // The one before it failed: then it comes again behind that one.
      if (!is_first) break;
      // The first of all failed while the next one, sent behind it, was taken: of a producer that a
      // log does not know, any sequence is (it may have been forgotten). Such a one gets a new id.
      if (options_.idempotent && !acknowledged_under_id_) return begin_anew();
      [[fallthrough]];
    default:
      return facts_.wrong(client_.host() + ": Produce answered with " +
                          std::string(wire::name(result.error_code)) + " " +
                          result.error_message.value_or(""));
  }
  if (options_.idempotent) return try_again();
  std::erase_if(queue_, [&](const Batch& each) { return each.number == number; });
}

void Producer::begin_anew() {
  client_.drop();
  queue_.clear();
  producer_id_ = -1;
  next_sequence_ = 0;
  acknowledged_under_id_ = false;
  again_ = false;
}

void Producer::try_again() {
  again_ = true;
  // What is still under way must not be answered behind what is sent again.
  client_.drop();
}

}  // namespace sim
