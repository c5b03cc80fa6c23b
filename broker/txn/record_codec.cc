#include "broker/txn/record_codec.h"

#include <utility>

#include "common/base/check.h"
#include "common/wire/msg/transaction_log_key.h"
#include "common/wire/msg/transaction_log_value.h"
#include "common/wire/reader.h"
#include "common/wire/writer.h"

namespace broker::txn {
namespace {

constexpr std::int16_t kKind = 0;
// The newest that everyday tools can read, with the fields of transaction version 2.
constexpr std::int16_t kValueVersion = 1;

template <class Message>
base::Bytes encode(std::int16_t prefix, const Message& message, std::int16_t version) {
  wire::Writer out;
  out.write_number(prefix);
  message.encode(out, version);
  CHECK(out.ok());  // every string came through the wire
  return out.take();
}

base::Bytes key_of(std::string_view id) {
  return encode(kKind, wire::TransactionLogKey{.transactional_id = std::string(id)}, 0);
}

std::optional<Transaction> load(const std::string& id, const wire::TransactionLogValue& saved) {
  if (saved.transaction_status < static_cast<std::int8_t>(State::kEmpty) ||
      saved.transaction_status > static_cast<std::int8_t>(State::kDead)) {
    return std::nullopt;
  }
  Transaction out{.id = id,
                  .state = static_cast<State>(saved.transaction_status),
                  .producer_id = base::ProducerId(saved.producer_id),
                  .previous_producer_id = base::ProducerId(saved.previous_producer_id),
                  .next_producer_id = base::ProducerId(saved.next_producer_id),
                  .epoch = base::ProducerEpoch(saved.producer_epoch),
                  .timeout_ms = saved.transaction_timeout_ms,
                  .partitions = {},
                  .started_ms = saved.transaction_start_timestamp_ms,
                  .updated_ms = saved.transaction_last_update_timestamp_ms,
                  .client_version = saved.client_transaction_version};
  if (saved.transaction_partitions) {
    for (const auto& topic : *saved.transaction_partitions) {
      for (const std::int32_t partition : topic.partition_ids) {
        out.partitions.insert({topic.topic, partition});
      }
    }
  }
  return out;
}

}  // namespace

Record encode_transaction(const Transaction& transaction) {
  wire::TransactionLogValue saved{.producer_id = transaction.producer_id.value(),
                                  .previous_producer_id = transaction.previous_producer_id.value(),
                                  .next_producer_id = transaction.next_producer_id.value(),
                                  .producer_epoch = transaction.epoch.value(),
                                  .transaction_timeout_ms = transaction.timeout_ms,
                                  .transaction_status = static_cast<std::int8_t>(transaction.state),
                                  .transaction_partitions = std::nullopt,
                                  .transaction_last_update_timestamp_ms = transaction.updated_ms,
                                  .transaction_start_timestamp_ms = transaction.started_ms,
                                  .client_transaction_version = transaction.client_version};
  // As Kafka has it: none at all in Empty, a list, maybe an empty one, in every other state.
  if (!transaction.is(State::kEmpty)) {
    auto& topics = saved.transaction_partitions.emplace();
    for (const TopicPartition& at : transaction.partitions) {
      if (topics.empty() || topics.back().topic != at.topic) {
        topics.push_back({.topic = at.topic, .partition_ids = {}});
      }
      topics.back().partition_ids.push_back(at.partition);
    }
  }
  return {.key = key_of(transaction.id), .value = encode(kValueVersion, saved, kValueVersion)};
}

Record encode_tombstone(std::string_view id) { return {.key = key_of(id), .value = std::nullopt}; }

LogRecord decode_record(base::BytesView key, std::optional<base::BytesView> value) {
  wire::Reader in(key);
  const auto kind = in.read_number<std::int16_t>("kind");
  if (!in.ok() || kind < 0) return MalformedRecord{};
  if (kind != kKind) return UnknownRecord{};
  wire::TransactionLogKey named;
  if (!named.decode(in, 0)) return MalformedRecord{};
  if (!value) return TransactionRecord{.id = std::move(named.transactional_id), .value = {}};
  wire::Reader body(*value);
  const auto version = body.read_number<std::int16_t>("version");
  if (version > wire::TransactionLogValue::kVersionMax) return UnknownRecord{};
  wire::TransactionLogValue saved;
  if (version < 0 || !saved.decode(body, version)) return MalformedRecord{};
  auto transaction = load(named.transactional_id, saved);
  if (!transaction) return MalformedRecord{};
  return TransactionRecord{.id = std::move(named.transactional_id),
                           .value = std::move(transaction)};
}

}  // namespace broker::txn
