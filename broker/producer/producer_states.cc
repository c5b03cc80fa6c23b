#include "broker/producer/producer_states.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "common/base/check.h"

namespace broker {
namespace {

using wire::ErrorCode;

ProducerVerdict refuse(ErrorCode error, std::string message) {
  ProducerVerdict verdict;
  verdict.kind = ProducerVerdict::Kind::kRefused;
  verdict.error = error;
  verdict.message = std::move(message);
  return verdict;
}

std::string text(auto number) { return std::to_string(number); }

std::string producer_text(base::ProducerId id) { return "producer " + text(id.value()); }

bool follows(std::int32_t last, std::int32_t next) {
  if (last == std::numeric_limits<std::int32_t>::max()) return next == 0;
  return next == last + 1;
}

const ProducerBatch* find_duplicate(const ProducerEntry& entry, const record::BatchView& batch) {
  if (batch.producer_epoch() != entry.producer_epoch) return nullptr;
  for (const ProducerBatch& known : entry.batches())
    if (known.first_sequence() == batch.base_sequence() &&
        known.last_sequence == batch.last_sequence())
      return &known;
  return nullptr;
}

// Empty when the batch comes where it should.
std::string sequence_error(const ProducerEntry& entry, const record::BatchView& batch) {
  if (batch.producer_epoch() != entry.producer_epoch) {
    if (batch.base_sequence() == 0 || entry.producer_epoch.value() < 0) return {};
    return producer_text(entry.producer_id) + " begins epoch " +
           text(batch.producer_epoch().value()) + " with sequence " + text(batch.base_sequence()) +
           " instead of 0";
  }
  if (follows(entry.last_sequence(), batch.base_sequence())) return {};
  return producer_text(entry.producer_id) + " sent sequence " + text(batch.base_sequence()) +
         " behind sequence " + text(entry.last_sequence());
}

// Beyond what comes next, and not behind it, modulo 2^31.
bool is_beyond(const ProducerEntry& entry, const record::BatchView& batch) {
  if (batch.producer_epoch() != entry.producer_epoch) return true;
  const auto ahead = static_cast<std::uint32_t>(batch.base_sequence()) -
                     static_cast<std::uint32_t>(entry.last_sequence());
  return (ahead & 0x7fffffffu) < 0x40000000u;
}

}  // namespace

std::int32_t ProducerBatch::first_sequence() const {
  if (last_sequence == record::kNoSequence) return record::kNoSequence;
  // 2^31 sequences: the difference modulo 2^31.
  const auto first =
      static_cast<std::uint32_t>(last_sequence) - static_cast<std::uint32_t>(offset_delta);
  return static_cast<std::int32_t>(first & 0x7fffffffu);
}

void ProducerEntry::add_batch(const ProducerBatch& batch) {
  if (recent_count_ == kBatchesMax) {
    std::shift_left(recent_.begin(), recent_.end(), 1);
    --recent_count_;
  }
  recent_[recent_count_++] = batch;
}

void ProducerEntry::recall_batch(const ProducerBatch& batch) {
  if (recent_count_ == 0 || recent_count_ == kBatchesMax) return;
  const ProducerBatch& oldest = recent_.front();
  if (batch.last_offset >= oldest.first_offset()) return;
  if (!follows(batch.last_sequence, oldest.first_sequence())) return;
  std::shift_right(recent_.begin(), recent_.end(), 1);
  recent_.front() = batch;
  ++recent_count_;
}

void ProducerStates::recall(base::ProducerId producer_id, base::ProducerEpoch producer_epoch,
                            const ProducerBatch& batch) {
  const auto at = producers_.find(producer_id);
  if (at == producers_.end() || at->second.entry.producer_epoch != producer_epoch) return;
  at->second.entry.recall_batch(batch);
}

ProducerVerdict ProducerStates::check(const record::BatchView& batch, AppendOrigin origin) const {
  if (!batch.has_producer_id() || origin == AppendOrigin::kReplication) return {};
  const base::ProducerId id = batch.producer_id();
  const auto at = producers_.find(id);
  if (at == producers_.end()) {
    if (open_.size() >= options_.producers_max)
      return refuse(ErrorCode::kPolicyViolation, "the partition has open transactions of " +
                                                     text(open_.size()) +
                                                     " producers and takes no other producer");
    return {.gap = origin == AppendOrigin::kClient && batch.base_sequence() > 0};
  }
  const ProducerEntry& entry = at->second.entry;
  if (origin == AppendOrigin::kClient) {
    if (const ProducerBatch* known = find_duplicate(entry, batch)) {
      ProducerVerdict verdict;
      verdict.kind = ProducerVerdict::Kind::kDuplicate;
      verdict.duplicate = *known;
      return verdict;
    }
  }
  if (batch.producer_epoch() < entry.producer_epoch)
    return refuse(ErrorCode::kInvalidProducerEpoch,
                  producer_text(id) + " has epoch " + text(batch.producer_epoch().value()) +
                      ", older than the epoch " + text(entry.producer_epoch.value()) +
                      " that wrote last");
  if (origin == AppendOrigin::kClient) {
    if (auto error = sequence_error(entry, batch); !error.empty()) {
      auto verdict = refuse(ErrorCode::kOutOfOrderSequenceNumber, std::move(error));
      verdict.gap = is_beyond(entry, batch);
      return verdict;
    }
  }
  if (entry.current_txn_first_offset && !batch.is_transactional())
    return refuse(ErrorCode::kInvalidTxnState,
                  producer_text(id) + " has an open transaction and wrote outside of it");
  return {};
}

ProducerVerdict ProducerStates::check_marker(base::ProducerId producer_id,
                                             base::ProducerEpoch producer_epoch,
                                             std::int32_t coordinator_epoch,
                                             int transaction_version) const {
  const ProducerEntry* entry = find(producer_id);
  if (entry == nullptr) return {};
  // From transaction version 2 on the coordinator raises the epoch before the marker; an equal
  // epoch can then only be a marker that is sent again.
  const bool sent_again =
      producer_epoch == entry->producer_epoch && !entry->current_txn_first_offset;
  const bool too_old = transaction_version >= 2
                           ? producer_epoch <= entry->producer_epoch && !sent_again
                           : producer_epoch < entry->producer_epoch;
  if (too_old)
    return refuse(ErrorCode::kInvalidProducerEpoch,
                  "the marker of " + producer_text(producer_id) + " has epoch " +
                      text(producer_epoch.value()) + ", the producer has epoch " +
                      text(entry->producer_epoch.value()));
  if (coordinator_epoch < entry->coordinator_epoch)
    return refuse(ErrorCode::kTransactionCoordinatorFenced,
                  "the marker of " + producer_text(producer_id) + " has coordinator epoch " +
                      text(coordinator_epoch) + ", older than " + text(entry->coordinator_epoch));
  return {};
}

std::optional<CompletedTxn> ProducerStates::apply(const record::BatchView& batch,
                                                  base::WallMs now) {
  if (batch.last_offset() < end_offset_) return std::nullopt;  // recovery may overlap a snapshot
  end_offset_ = batch.next_offset();
  if (!batch.has_producer_id()) return std::nullopt;
  if (!batch.is_control()) {
    Slot& slot = slot_of(batch.producer_id());
    apply_data(slot, batch);
    touch(slot, now);
    return std::nullopt;
  }
  // A marker whose record was compacted away has nothing more to say; other types are no markers.
  const auto marker = record::parse_end_txn_marker(batch);
  if (!marker) return std::nullopt;
  Slot& slot = slot_of(batch.producer_id());
  auto completed = apply_marker(slot, batch, *marker);
  touch(slot, now);
  return completed;
}

void ProducerStates::apply_data(Slot& slot, const record::BatchView& batch) {
  ProducerEntry& entry = slot.entry;
  if (entry.producer_epoch != batch.producer_epoch()) {
    entry.clear_batches();
    entry.producer_epoch = batch.producer_epoch();
  }
  entry.add_batch({.last_sequence = batch.last_sequence(),
                   .last_offset = batch.last_offset(),
                   .offset_delta = batch.last_offset_delta(),
                   .timestamp = batch.max_timestamp()});
  entry.last_timestamp = batch.max_timestamp();
  if (batch.is_transactional() && !entry.current_txn_first_offset)
    open_transaction(slot, batch.base_offset());
}

std::optional<CompletedTxn> ProducerStates::apply_marker(Slot& slot, const record::BatchView& batch,
                                                         const record::EndTxnMarker& marker) {
  ProducerEntry& entry = slot.entry;
  if (entry.producer_epoch != batch.producer_epoch()) {
    entry.clear_batches();
    entry.producer_epoch = batch.producer_epoch();
  }
  entry.coordinator_epoch = marker.coordinator_epoch;
  entry.last_timestamp = batch.max_timestamp();
  if (!entry.current_txn_first_offset) return std::nullopt;
  CompletedTxn completed{.producer_id = entry.producer_id,
                         .first_offset = *entry.current_txn_first_offset,
                         .last_offset = batch.base_offset(),
                         .aborted = !marker.commit};
  close_transaction(slot);
  completed.last_stable_offset = open_.empty() ? completed.last_offset + 1 : open_.begin()->first;
  unreplicated_[completed.first_offset] = completed.last_offset;
  return completed;
}

ProducerStates::Slot& ProducerStates::slot_of(base::ProducerId producer_id) {
  const auto at = producers_.find(producer_id);
  if (at != producers_.end()) return at->second;
  if (producers_.size() >= options_.producers_max) forget_longest_idle();
  Slot& slot = producers_[producer_id];
  slot.entry.producer_id = producer_id;
  slot.idle = idle_.insert(idle_.end(), producer_id);
  return slot;
}

void ProducerStates::touch(Slot& slot, base::WallMs now) {
  slot.entry.seen_at = now;
  if (!slot.entry.current_txn_first_offset) idle_.splice(idle_.end(), idle_, slot.idle);
}

void ProducerStates::open_transaction(Slot& slot, base::Offset first_offset) {
  idle_.erase(slot.idle);
  slot.idle = idle_.end();
  slot.entry.current_txn_first_offset = first_offset;
  open_[first_offset] = slot.entry.producer_id;
}

void ProducerStates::close_transaction(Slot& slot) {
  open_.erase(*slot.entry.current_txn_first_offset);
  slot.entry.current_txn_first_offset.reset();
  slot.idle = idle_.insert(idle_.end(), slot.entry.producer_id);
}

void ProducerStates::forget_longest_idle() {
  if (idle_.empty()) return;
  producers_.erase(idle_.front());
  idle_.pop_front();
}

void ProducerStates::advance_end_offset(base::Offset end) {
  end_offset_ = std::max(end_offset_, end);
}

void ProducerStates::on_high_watermark(base::Offset high_watermark) {
  std::erase_if(unreplicated_, [&](const auto& txn) { return txn.second < high_watermark; });
}

void ProducerStates::on_log_start(base::Offset start) {
  on_high_watermark(start);
  start_offset_ = std::max(start_offset_, start);
  advance_end_offset(start);
}

std::optional<base::Offset> ProducerStates::first_unstable_offset() const {
  std::optional<base::Offset> first;
  if (!open_.empty()) first = open_.begin()->first;
  if (!unreplicated_.empty())
    first = first ? std::min(*first, unreplicated_.begin()->first) : unreplicated_.begin()->first;
  // Deleted records are no longer unstable.
  if (first) first = std::max(*first, start_offset_);
  return first;
}

base::Offset ProducerStates::last_stable_offset(base::Offset high_watermark) const {
  base::Offset stable = high_watermark;
  if (!open_.empty()) stable = std::min(stable, open_.begin()->first);
  for (const auto& [first, marker] : unreplicated_) {
    if (marker < high_watermark) continue;
    stable = std::min(stable, first);
    break;
  }
  return std::min(high_watermark, std::max(stable, start_offset_));
}

std::optional<base::WallMs> ProducerStates::oldest_open_txn_timestamp() const {
  if (open_.empty()) return std::nullopt;
  return find(open_.begin()->second)->last_timestamp;
}

std::size_t ProducerStates::expire(base::WallMs now) {
  std::size_t count = 0;
  while (!idle_.empty()) {
    const ProducerEntry* entry = find(idle_.front());
    if (now - entry->seen_at < options_.expiration_ms) break;
    forget_longest_idle();
    ++count;
  }
  return count;
}

void ProducerStates::reset(base::Offset end) {
  producers_.clear();
  idle_.clear();
  open_.clear();
  unreplicated_.clear();
  end_offset_ = end;
}

const ProducerEntry* ProducerStates::find(base::ProducerId producer_id) const {
  const auto at = producers_.find(producer_id);
  return at == producers_.end() ? nullptr : &at->second.entry;
}

void ProducerStates::check_invariants() const {
  std::size_t open_count = 0;
  for (const auto& [id, slot] : producers_) {
    CHECK(slot.entry.producer_id == id);
    if (slot.entry.current_txn_first_offset) {
      ++open_count;
      const auto at = open_.find(*slot.entry.current_txn_first_offset);
      CHECK(at != open_.end() && at->second == id);
    } else {
      CHECK(*slot.idle == id);
    }
    base::Offset before(-1);
    for (const ProducerBatch& batch : slot.entry.batches()) {
      CHECK(batch.last_offset > before && batch.last_offset < end_offset_);
      before = batch.last_offset;
    }
  }
  CHECK(open_count == open_.size());
  CHECK(open_.size() + idle_.size() == producers_.size());
}

}  // namespace broker
