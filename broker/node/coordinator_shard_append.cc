// What a shard of groups writes: batches, those of transactions and their ends among them.
#include "broker/node/coordinator_shard.h"
#include "common/base/mutant.h"
#include "common/record/builder.h"
#include "common/record/control.h"

namespace broker {

using wire::ErrorCode;

base::Bytes CoordinatorShard::encode(const group::Append& append) {
  if (append.marker) {
    return record::build_end_txn_marker(
        {.commit = append.marker->commit, .coordinator_epoch = append.marker->coordinator_epoch},
        append.producer->id, append.producer->epoch, append.timestamp_ms);
  }
  record::BatchOptions options;
  if (append.producer) {
    options.transactional = true;
    options.producer_id = append.producer->id;
    options.producer_epoch = append.producer->epoch;
  }
  record::BatchBuilder batch(options);
  for (const group::Record& record : append.records) {
    batch.add(append.timestamp_ms, base::BytesView(record.key),
              record.value ? std::optional<base::BytesView>(*record.value) : std::nullopt);
  }
  return batch.build();
}

// What the log would say to a commit within a transaction, or to its end: asked before the core is
// ahead of it.
ErrorCode CoordinatorShard::check_producer(const GroupRequest& request) {
  if (const auto* ended = std::get_if<group::EndTransaction>(&request)) {
    return partition_
        ->check_marker(ended->producer.id, ended->producer.epoch, ended->marker.coordinator_epoch,
                       ended->marker.transaction_version)
        .error;
  }
  const auto* commit = std::get_if<group::CommitOffsets>(&request);
  if (commit == nullptr || !commit->producer) return ErrorCode::kNone;
  const group::Producer& producer = *commit->producer;
  if (commit->guard && !partition_->is_verified(producer.id, *commit->guard) &&
      !MUTANT("group-commits-after-the-end")) {
    return ErrorCode::kInvalidTxnState;
  }
  return partition_->with_log([&](Log& log) {
    const ProducerEntry* entry = log.producers().find(producer.id);
    const bool is_old = entry != nullptr && producer.epoch < entry->producer_epoch;
    return is_old ? ErrorCode::kInvalidProducerEpoch : ErrorCode::kNone;
  });
}

}  // namespace broker
