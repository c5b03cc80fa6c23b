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

std::expected<std::vector<base::BytesView>, std::string> accept_batches(base::BytesView records,
                                                                        const Acceptance& rules) {
  std::vector<base::BytesView> accepted;
  base::Offset end = rules.end;
  auto last_epoch = rules.last_epoch;
  record::BatchReader reader(records);
  while (const auto batch = reader.next()) {
    const auto where = [&] { return " at offset " + std::to_string(batch->base_offset().value()); };
    if (batch->leader_epoch() > rules.leader_epoch) return accepted;
    if (batch->last_offset_delta() < 0) return std::unexpected("a batch ends before it begins");
    if (batch->next_offset() <= rules.end && accepted.empty()) continue;  // held already
    if (batch->base_offset() < end) {
      return std::unexpected("a batch" + where() + " begins below the end " +
                             std::to_string(end.value()));
    }
    if (batch->leader_epoch().value() < 0 || (last_epoch && batch->leader_epoch() < *last_epoch)) {
      return std::unexpected("a batch" + where() + " is of an earlier leader epoch than the last");
    }
    if (!batch->crc_ok()) return std::unexpected("a damaged batch" + where());
    accepted.push_back(batch->bytes());
    end = batch->next_offset();
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
