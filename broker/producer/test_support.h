// Small tools of this folder's tests: batches of a producer, with or without records that matter.
#pragma once

#include <cstdint>
#include <stdexcept>

#include "common/record/builder.h"
#include "common/record/control.h"

namespace broker::test {

struct Sent {
  std::int64_t producer_id = 1;
  std::int16_t epoch = 0;
  std::int32_t sequence = 0;
  std::int32_t count = 1;
  bool transactional = false;
  std::int64_t base_offset = 0;
  base::WallMs timestamp = 1'000;
};

inline base::Bytes batch_bytes(const Sent& sent) {
  record::BatchBuilder builder({.base_offset = base::Offset(sent.base_offset),
                                .transactional = sent.transactional,
                                .producer_id = base::ProducerId(sent.producer_id),
                                .producer_epoch = base::ProducerEpoch(sent.epoch),
                                .base_sequence = sent.sequence});
  for (std::int32_t i = 0; i < sent.count; ++i)
    builder.add(sent.timestamp, std::nullopt, std::nullopt);
  return builder.build();
}

inline base::Bytes marker_bytes(std::int64_t producer_id, std::int16_t epoch, bool commit,
                                std::int64_t base_offset, std::int32_t coordinator_epoch = 0) {
  return record::build_end_txn_marker({commit, coordinator_epoch}, base::ProducerId(producer_id),
                                      base::ProducerEpoch(epoch), 2'000, base::Offset(base_offset));
}

inline record::BatchView view(const base::Bytes& bytes) {
  const auto batch = record::BatchView::parse(bytes);
  if (!batch) throw std::runtime_error("the test made a bad batch");
  return *batch;
}

}  // namespace broker::test
