// Offsets that are committed within transactions: they count when the transaction does (KIP-98).
#include <algorithm>
#include <utility>

#include "broker/group/group_coordinator.h"
#include "broker/group/record_codec.h"
#include "common/base/check.h"
#include "common/base/mutant.h"

namespace broker::group {

void GroupCoordinator::store_pending(Group& group, base::ProducerId producer,
                                     const TopicPartition& at, CommittedOffset value) {
  value.order.number = ++last_order_;
  group.logged = true;
  const bool fresh = pending_[producer][group.id].insert_or_assign(at, std::move(value)).second;
  if (fresh) ++group.unstable[{at.topic, at.partition}];
}

void GroupCoordinator::end_pending(base::ProducerId producer, bool commit,
                                   AppendNumber told_after) {
  auto ended = pending_.extract(producer);
  if (ended.empty()) return;
  for (auto& [group_id, offsets] : ended.mapped()) {
    Group* group = find_group(group_id);
    CHECK(group != nullptr);
    group->last_append = std::max(group->last_append, told_after);
    for (auto& [at, value] : offsets) {
      const auto unstable = group->unstable.find({at.topic, at.partition});
      CHECK(unstable != group->unstable.end());
      if (--unstable->second == 0) group->unstable.erase(unstable);
      if (!commit && !MUTANT("group-keeps-aborted-offsets")) continue;
      const CommittedOffset* known = find_offset(*group, at);
      if (known != nullptr && known->order.number > value.order.number) continue;
      store_offset(*group, at, std::move(value));
    }
  }
}

// The group goes: what its transactions would have committed goes with it.
void GroupCoordinator::drop_pending(Group& group) {
  group.unstable.clear();
  for (auto it = pending_.begin(); it != pending_.end();) {
    it->second.erase(group.id);
    it = it->second.empty() ? pending_.erase(it) : std::next(it);
  }
}

void GroupCoordinator::handle(const Call& call, const EndTransaction& request, Output& out) {
  Turn turn{call.now, call.wall_ms, out};
  last_append_ = last_append_ + 1;
  Append append{.number = last_append_, .timestamp_ms = call.wall_ms, .records = {}};
  append.producer = request.producer;
  append.marker = request.marker;
  out.append.push_back(std::move(append));
  end_pending(request.producer.id, request.marker.commit, last_append_);
  answer_after(last_append_, call.token, TransactionEnded{}, turn);
}

void GroupCoordinator::replay_pending(base::ProducerId producer, base::BytesView key,
                                      std::optional<base::BytesView> value) {
  LogRecord record = decode_record(key, value);
  if (std::holds_alternative<MalformedRecord>(record)) {
    ++malformed_records_;
  } else if (auto* offset = std::get_if<OffsetRecord>(&record); offset && offset->value) {
    store_pending(make_group(offset->group_id), producer, offset->at, std::move(*offset->value));
  }
}

void GroupCoordinator::replay_end(base::ProducerId producer, bool commit) {
  end_pending(producer, commit, AppendNumber{});
}

}  // namespace broker::group
