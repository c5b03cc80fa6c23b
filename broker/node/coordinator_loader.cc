#include "broker/node/coordinator_loader.h"

#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "common/record/batch_view.h"
#include "common/record/compress.h"
#include "common/record/control.h"
#include "common/record/record_view.h"

namespace broker {
namespace {

constexpr std::uint32_t kReadBytes = 1 << 20;
// Of one batch. Kafka compresses what it commits if it is told to; nothing it writes is near this.
constexpr std::size_t kDecompressedBytesMax = 256 << 20;

// One pass over the log.
class Loader {
 public:
  Loader(Partition& partition, group::GroupCoordinator& core)
      : partition_(partition), core_(core) {}

  std::expected<LoadReport, std::string> run() {
    const auto bounds = partition_.bounds();
    report_.end = bounds.start;
    while (report_.end < bounds.visible && error_.empty()) {
      if (!read_more()) break;
    }
    if (!error_.empty()) {
      return std::unexpected(error_ + " at offset " + std::to_string(report_.end.value()));
    }
    report_.end = bounds.visible;
    return report_;
  }

 private:
  // False at the end or with an error.
  bool read_more() {
    const ReadAnswer answer = partition_.read({.from = report_.end,
                                               .bytes_max = kReadBytes,
                                               .at_least_one_batch = true,
                                               .may_block = true});
    if (answer.error != wire::ErrorCode::kNone) return fail(std::string(name(answer.error)));
    if (!answer.slice) return false;
    const io::FileSlice& slice = answer.slice->bytes;
    base::Bytes bytes(slice.length);
    const auto got = slice.file->read_at(bytes, slice.position);
    if (!got) return fail(got.error().what);
    record::BatchReader batches(base::BytesView(bytes).first(*got));
    const base::Offset before = report_.end;
    while (auto batch = batches.next()) {
      if (!batch->crc_ok()) return fail("a damaged batch");
      if (!replay(*batch)) return false;
      report_.end = batch->next_offset();
    }
    report_.bytes += batches.position();
    // A batch that was cut short comes again; but something must have come.
    return report_.end > before || fail("a batch that cannot be read");
  }

  bool replay(const record::BatchView& batch) {
    if (batch.is_control()) {
      end_transaction(batch);
      return true;
    }
    base::Bytes unpacked;
    base::BytesView section = batch.records();
    if (batch.is_compressed()) {
      const auto codec = batch.codec();
      if (!codec) return fail("an unknown codec");
      auto plain = record::decompress(*codec, section, kDecompressedBytesMax);
      if (!plain) return fail(std::string(to_string(plain.error())));
      unpacked = std::move(*plain);
      section = unpacked;
    }
    record::RecordReader records(section, batch.count());
    record::RecordView record;
    while (records.next(record)) take(batch, record);
    return records.error().empty() || fail(std::string(records.error()));
  }

  void take(const record::BatchView& batch, const record::RecordView& record) {
    ++report_.records;
    if (!record.key) return;
    if (!batch.is_transactional()) return core_.replay(*record.key, record.value);
    group::Record kept{.key = base::Bytes(record.key->begin(), record.key->end()), .value = {}};
    if (record.value) kept.value.emplace(record.value->begin(), record.value->end());
    open_[batch.producer_id()].push_back(std::move(kept));
  }

  void end_transaction(const record::BatchView& batch) {
    const auto marker = record::parse_end_txn_marker(batch);
    if (!marker) return;
    auto ended = open_.extract(batch.producer_id());
    if (ended.empty() || !marker->commit) return;
    for (const group::Record& record : ended.mapped()) {
      core_.replay(record.key,
                   record.value ? std::optional<base::BytesView>(*record.value) : std::nullopt);
    }
  }

  bool fail(std::string why) {
    error_ = std::move(why);
    return false;
  }

  Partition& partition_;
  group::GroupCoordinator& core_;
  LoadReport report_;
  std::string error_;
  std::map<base::ProducerId, std::vector<group::Record>> open_;  // of unfinished transactions
};

}  // namespace

std::expected<LoadReport, std::string> load_groups(Partition& partition,
                                                   group::GroupCoordinator& core) {
  return Loader(partition, core).run();
}

}  // namespace broker
