// What a log does for its compaction: says what may be compacted, and takes the result.
#include <algorithm>

#include "broker/log/log.h"

namespace broker {

io::IoResult<CompactionView> Log::compaction_view(bool with_times) {
  collect_upkeep();
  collect_swap();
  CompactionView view{.start = start_, .truncations = truncations_};
  if (compaction_stopped_ || closed_ || failed_) return view;
  for (std::size_t i = 0; i + 1 < segments_.size(); ++i) {
    Segment& segment = *segments_[i];
    if (!segment.sealed || !segment.exists || !segment.is_durable()) break;
    if (end_of(i) > durable_end_) break;
    SegmentFacts facts{.base = segment.base(), .end = end_of(i), .size = segment.size};
    if (with_times) {
      auto largest = largest_timestamp(segment);
      if (!largest) return std::unexpected(largest.error());
      facts.largest_timestamp = *largest;
    }
    if (segment.first_batch_timestamp) facts.first_timestamp = *segment.first_batch_timestamp;
    view.segments.push_back(segments_[i]);
    view.facts.push_back(facts);
  }
  return view;
}

LastOfProducers Log::last_of_producers() const {
  LastOfProducers all;
  producers_.for_each([&](const ProducerEntry& entry) {
    const base::Offset last = entry.last_data_offset();
    all.emplace(
        entry.producer_id,
        LastOfProducer{.last_data_offset = last.value() >= 0 ? std::optional(last) : std::nullopt,
                       .producer_epoch = entry.producer_epoch});
  });
  return all;
}

bool Log::begin_swap(const std::shared_ptr<SegmentSwap>& swap) {
  collect_swap();
  if (swap_ || compaction_stopped_ || closed_ || failed_ || services_.health.failed()) return false;
  const auto& olds = swap->olds();
  const auto first = std::ranges::find(segments_, olds.front());
  const auto left = static_cast<std::size_t>(segments_.end() - first);
  if (left <= olds.size() || !std::equal(olds.begin(), olds.end(), first)) return false;
  // Their files lose their names while they still serve reads: what those take from names is kept.
  for (std::size_t i = 0; i < olds.size(); ++i) {
    olds[i]->aborted = {};
    olds[i]->aborted.set_persisted(0);
    for (const AbortedTxn& txn : swap->aborted_of_olds()[i]) olds[i]->add_aborted(txn);
  }
  swap_ = swap;
  return true;
}

void Log::collect_swap() {
  if (!swap_) return;
  const auto state = swap_->state();
  if (state == SegmentSwap::State::kPending) return;
  const auto swap = std::exchange(swap_, nullptr);
  if (state != SegmentSwap::State::kDone) {
    for (const auto& old : swap->olds()) old->aborted.mark_persisted(old->aborted.count());
    // The old segments serve what they hold; which of their files have names only recovery knows.
    if (state == SegmentSwap::State::kFailed && !failed_) {
      fail({EIO, directory_ + ": compaction was interrupted"});
    }
    return;
  }
  const auto& olds = swap->olds();
  const auto first = std::ranges::find(segments_, olds.front());
  Segment& fresh = *swap->fresh();
  fresh.offsets.mark_persisted(fresh.offsets.count());
  fresh.times.mark_persisted(fresh.times.count());
  fresh.aborted.mark_persisted(fresh.aborted.count());
  fresh.exists = fresh.sealed = true;
  fresh.durable_size = fresh.checkpoint_size = fresh.size;
  *first = swap->fresh();
  segments_.erase(first + 1, first + static_cast<std::ptrdiff_t>(olds.size()));
}

// Before what it replaces is cut or closed.
void Log::settle_swap() {
  if (swap_) swap_->finish();
  collect_swap();
}

void Log::stop_compaction() {
  compaction_stopped_ = true;
  settle_swap();
}

}  // namespace broker
