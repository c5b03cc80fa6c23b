#include "broker/replica/divergence.h"

#include <algorithm>

#include "common/base/mutant.h"
#include "common/record/batch_view.h"

namespace broker {

base::Offset cut_of(const EpochEnd& leader, const std::optional<EpochEnd>& ours, base::Offset end,
                    base::Offset high_watermark) {
  if (MUTANT("replica-cuts-to-watermark")) return std::min(high_watermark, end);
  // Behind the end of the leader's epoch nothing of ours can agree, nor behind that of the largest
  // epoch of ours that is no larger. When all of ours are smaller, only the leader's end counts.
  const base::Offset mine = ours ? ours->end : end;
  return std::min({mine, leader.end, end});
}

namespace {

// Why a batch that does not stand below the end may not be appended; empty when it may.
std::string refusal(const record::BatchView& batch, base::Offset end,
                    const std::optional<base::LeaderEpoch>& last_epoch) {
  const std::string where = " at offset " + std::to_string(batch.base_offset().value());
  if (batch.base_offset() < end) {
    return "a batch" + where + " begins below the end " + std::to_string(end.value());
  }
  if (batch.leader_epoch().value() < 0 || (last_epoch && batch.leader_epoch() < *last_epoch)) {
    return "a batch" + where + " is of an earlier leader epoch than the last";
  }
  return batch.crc_ok() ? "" : "a damaged batch" + where;
}

}  // namespace

std::expected<Accepted, std::string> accept_batches(base::BytesView records,
                                                    const Acceptance& rules) {
  Accepted accepted;
  base::Offset end = rules.end;
  auto last_epoch = rules.epoch_at(end - 1);
  record::BatchReader reader(records);
  while (const auto batch = reader.next()) {
    if (batch->leader_epoch() > rules.leader_epoch) return accepted;
    if (batch->last_offset_delta() < 0) return std::unexpected("a batch ends before it begins");
    if (batch->base_offset() < rules.end && accepted.batches.empty()) {
      if (rules.epoch_at(batch->base_offset()) != batch->leader_epoch()) {
        accepted.parted_at = batch->base_offset();
        return accepted;
      }
      if (batch->next_offset() <= rules.end) {
        accepted.agreed = batch->next_offset();
        continue;
      }
    }
    if (auto why = refusal(*batch, end, last_epoch); !why.empty()) return std::unexpected(why);
    accepted.batches.push_back(batch->bytes());
    accepted.agreed = end = batch->next_offset();
    last_epoch = batch->leader_epoch();
  }
  const auto error = reader.error();
  if (error && *error != record::ParseError::kIncomplete) {
    return std::unexpected("a batch behind offset " + std::to_string(end.value()) +
                           " cannot be parsed: " + std::string(to_string(*error)));
  }
  return accepted;
}

}  // namespace broker
