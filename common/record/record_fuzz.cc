// Fuzzes everything that reads record bytes from outside: batches as produced, as found in a log,
// and each codec. The first byte picks the way.
#include <cstdint>
#include <cstdlib>

#include "common/base/crc32c.h"
#include "common/record/control.h"
#include "common/record/record_view.h"
#include "common/record/validate.h"

namespace {

constexpr std::size_t kLimit = 1 << 20;

void read_records(base::BytesView section, std::int32_t count) {
  record::RecordReader reader(section, count);
  record::RecordView record;
  std::size_t bytes = 0;
  while (reader.next(record)) {
    bytes += record.bytes.size();
    for (const record::HeaderView& header : record.headers) bytes += header.key.empty() ? 0 : 0;
  }
  if (bytes > section.size()) std::abort();
}

void read_batches(base::BytesView input) {
  record::BatchReader reader(input);
  while (const auto batch = reader.next()) {
    (void)batch->crc_ok();
    (void)record::parse_end_txn_marker(*batch);
    if (!batch->codec()) continue;
    const auto section = record::decompress(*batch->codec(), batch->records(), kLimit);
    if (section) read_records(*section, batch->count());
  }
  if (reader.position() > input.size()) std::abort();
}

// Makes a whole batch of the input, whatever its length and magic say: few inputs would pass.
void mend(base::Bytes& bytes, bool like_produced) {
  using record::Layout;
  if (bytes.size() < record::kHeaderSize) bytes.resize(record::kHeaderSize);
  base::store_be(&bytes[Layout::kLength],
                 static_cast<std::int32_t>(bytes.size() - record::kLogOverhead));
  bytes[Layout::kMagic] = static_cast<std::byte>(record::kMagicV2);
  if (like_produced) {
    bytes[Layout::kCount] = bytes[Layout::kCount + 1] = bytes[Layout::kCount + 2] = {};
    const auto count = base::load_be<std::int32_t>(&bytes[Layout::kCount]);
    base::store_be(&bytes[Layout::kLastOffsetDelta], count - 1);
    base::store_be(&bytes[Layout::kBaseOffset], std::int64_t{0});
  }
  base::store_be(&bytes[Layout::kCrc],
                 base::crc32c(base::BytesView(bytes).subspan(Layout::kAttributes)));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::uint8_t way = data[0];
  base::Bytes bytes(reinterpret_cast<const std::byte*>(data) + 1,
                    reinterpret_cast<const std::byte*>(data) + size);
  if (way < record::kCodecCount) {
    const auto output = record::decompress(static_cast<record::Codec>(way), bytes, kLimit);
    if (output && output->size() > kLimit) std::abort();
    return 0;
  }
  if ((way & 1) == 0) {
    if ((way & 2) != 0) mend(bytes, (way & 4) != 0);
    read_batches(bytes);
    return 0;
  }
  if ((way & 16) == 0) mend(bytes, true);
  record::ValidateOptions options{.produce_version = 9, .now = 1'700'000'000'000};
  options.check_every_record = (way & 2) != 0;
  options.compacted = (way & 4) != 0;
  if ((way & 8) != 0) options.codec = static_cast<record::Codec>(way % record::kCodecCount);
  options.decompressed_bytes_max = kLimit;
  (void)record::validate_produce(bytes, options);
  return 0;
}
