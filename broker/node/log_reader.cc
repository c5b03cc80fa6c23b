#include "broker/node/log_reader.h"

#include <utility>

#include "common/base/mutant.h"
#include "common/record/compress.h"

namespace broker {
namespace {

constexpr std::uint32_t kReadBytes = 1 << 20;
// Of one batch. Kafka compresses what it commits if it is told to; nothing it writes is near this.
constexpr std::size_t kDecompressedBytesMax = 256 << 20;

struct Chunk {
  bool is_end = false;
  base::Bytes bytes;
};

std::expected<Chunk, std::string> read_chunk(Partition& partition, base::Offset from) {
  const ReadAnswer answer = partition.read(
      {.from = from, .bytes_max = kReadBytes, .at_least_one_batch = true, .may_block = true});
  if (answer.error != wire::ErrorCode::kNone) {
    return std::unexpected(std::string(wire::name(answer.error)));
  }
  if (!answer.slice) return Chunk{.is_end = true, .bytes = {}};
  const io::FileSlice& slice = answer.slice->bytes;
  Chunk chunk{.bytes = base::Bytes(slice.length)};
  const auto got = slice.file->read_at(chunk.bytes, slice.position);
  if (!got) return std::unexpected(got.error().what);
  chunk.bytes.resize(*got);
  return chunk;
}

}  // namespace

std::expected<LoadReport, std::string> read_batches(
    Partition& partition, const std::function<std::string(const record::BatchView&)>& take) {
  const auto bounds = partition.bounds();
  LoadReport report{.end = bounds.start};
  auto fail = [&](const std::string& why) {
    return std::unexpected(why + " at offset " + std::to_string(report.end.value()));
  };
  while (report.end < bounds.visible) {
    const auto chunk = read_chunk(partition, report.end);
    if (!chunk) return fail(chunk.error());
    if (chunk->is_end) break;
    record::BatchReader batches{base::BytesView(chunk->bytes)};
    const base::Offset before = report.end;
    while (auto batch = batches.next()) {
      if (!batch->crc_ok()) return fail("a damaged batch");
      if (std::string why = take(*batch); !why.empty()) return fail(why);
      report.records += static_cast<std::uint64_t>(batch->count());
      report.end = batch->next_offset();
    }
    report.bytes += batches.position();
    // A batch that was cut short comes again; but something must have come.
    if (report.end == before) return fail("a batch that cannot be read");
  }
  report.end = bounds.visible;
  return report;
}

bool may_load(Partition& partition, wire::ErrorCode error) {
  if (error == wire::ErrorCode::kNone || MUTANT("coordinator-loads-too-early")) return true;
  const auto bounds = partition.bounds();
  return error == wire::ErrorCode::kKafkaStorageError && bounds.visible >= bounds.epoch_start;
}

std::string for_each_record(const record::BatchView& batch,
                            const std::function<void(const record::RecordView&)>& take) {
  base::Bytes unpacked;
  base::BytesView section = batch.records();
  if (batch.is_compressed()) {
    const auto codec = batch.codec();
    if (!codec) return "an unknown codec";
    auto plain = record::decompress(*codec, section, kDecompressedBytesMax);
    if (!plain) return std::string(to_string(plain.error()));
    unpacked = std::move(*plain);
    section = unpacked;
  }
  record::RecordReader records(section, batch.count());
  record::RecordView record;
  while (records.next(record)) take(record);
  return std::string(records.error());
}

}  // namespace broker
