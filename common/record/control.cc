#include "common/record/control.h"

#include "common/record/builder.h"
#include "common/record/record_view.h"

namespace record {
namespace {

constexpr std::int16_t kKeyVersion = 0;
constexpr std::int16_t kMarkerVersion = 0;
constexpr std::size_t kKeySize = 4;     // version, type
constexpr std::size_t kMarkerSize = 6;  // version, coordinator epoch

// The single record of a control batch; they are never compressed.
std::optional<RecordView> only_record(const BatchView& batch) {
  if (!batch.is_control() || batch.is_compressed() || batch.count() != 1) return std::nullopt;
  RecordReader reader(batch.records(), batch.count());
  RecordView record;
  if (!reader.next(record)) return std::nullopt;
  return record;
}

std::optional<ControlType> type_of(const RecordView& record) {
  if (!record.key || record.key->size() < kKeySize) return std::nullopt;
  if (base::load_be<std::int16_t>(record.key->data()) < 0) return std::nullopt;
  const auto type = base::load_be<std::int16_t>(record.key->data() + 2);
  if (type < 0 || type > static_cast<std::int16_t>(ControlType::kKRaftVoters)) return std::nullopt;
  return static_cast<ControlType>(type);
}

}  // namespace

base::Bytes build_end_txn_marker(const EndTxnMarker& marker, base::ProducerId producer_id,
                                 base::ProducerEpoch producer_epoch, base::WallMs timestamp,
                                 base::Offset base_offset, base::LeaderEpoch leader_epoch) {
  std::byte key[kKeySize];
  base::store_be(key, kKeyVersion);
  base::store_be(key + 2, static_cast<std::int16_t>(marker.commit ? ControlType::kCommit
                                                                  : ControlType::kAbort));
  std::byte value[kMarkerSize];
  base::store_be(value, kMarkerVersion);
  base::store_be(value + 2, marker.coordinator_epoch);
  BatchBuilder builder({.base_offset = base_offset,
                        .leader_epoch = leader_epoch,
                        .transactional = true,
                        .control = true,
                        .producer_id = producer_id,
                        .producer_epoch = producer_epoch});
  builder.add(timestamp, base::BytesView(key), base::BytesView(value));
  return builder.build();
}

std::optional<ControlType> parse_control_type(const BatchView& batch) {
  const auto record = only_record(batch);
  return record ? type_of(*record) : std::nullopt;
}

std::optional<EndTxnMarker> parse_end_txn_marker(const BatchView& batch) {
  const auto record = only_record(batch);
  if (!record) return std::nullopt;
  const auto type = type_of(*record);
  if (type != ControlType::kCommit && type != ControlType::kAbort) return std::nullopt;
  // Later versions of the value may append fields.
  if (!record->value || record->value->size() < kMarkerSize) return std::nullopt;
  if (base::load_be<std::int16_t>(record->value->data()) < 0) return std::nullopt;
  return EndTxnMarker{.commit = type == ControlType::kCommit,
                      .coordinator_epoch = base::load_be<std::int32_t>(record->value->data() + 2)};
}

}  // namespace record
