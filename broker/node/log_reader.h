// Reads the committed part of a partition of coordinators, batch by batch. Blocks: away from the
// reactors.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <string>

#include "broker/node/partition.h"
#include "common/base/ids.h"
#include "common/record/batch_view.h"
#include "common/record/record_view.h"

namespace broker {

struct LoadReport {
  std::uint64_t bytes = 0;
  std::uint64_t records = 0;
  base::Offset end{0};
};

// Gives every batch below the high watermark to `take`, in order. Damage ends it with a text for
// operators, as does `take` with one that is not empty. Records are counted by who sees them.
std::expected<LoadReport, std::string> read_batches(
    Partition& partition, const std::function<std::string(const record::BatchView&)>& take);

// Whether a coordinator may begin with what is committed now: `error` is what await_committed()
// said of the end of the log as the coordinator found it. A log that takes no more writes still has
// what was durable. With any other error, more may have been committed by an earlier leader than
// this one knows of yet.
bool may_load(Partition& partition, wire::ErrorCode error);

// The records of a batch that is none of control, decompressed. Empty, or what is wrong.
std::string for_each_record(const record::BatchView& batch,
                            const std::function<void(const record::RecordView&)>& take);

}  // namespace broker
