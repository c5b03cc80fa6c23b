#include "broker/node/coordinator_loader.h"

#include "common/record/control.h"

namespace broker {

std::expected<LoadReport, std::string> load_groups(Partition& partition,
                                                   group::GroupCoordinator& core) {
  return read_batches(partition, [&](const record::BatchView& batch) {
    if (batch.is_control()) {
      if (const auto marker = record::parse_end_txn_marker(batch)) {
        core.replay_end(batch.producer_id(), marker->commit);
      }
      return std::string();
    }
    return for_each_record(batch, [&](const record::RecordView& record) {
      if (!record.key) return;
      if (batch.is_transactional()) {
        core.replay_pending(batch.producer_id(), *record.key, record.value);
      } else {
        core.replay(*record.key, record.value);
      }
    });
  });
}

}  // namespace broker
