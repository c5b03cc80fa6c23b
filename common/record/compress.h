// Codecs of record batches behind one interface. Decompression has a hard limit of output: what a
// stream declares about its size is never believed, output grows by what really comes out.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string_view>

#include "common/base/bytes.h"
#include "common/record/batch_view.h"

namespace record {

// As topics name them: "uncompressed" (also read as "none"), "gzip", "snappy", "lz4", "zstd".
std::string_view to_string(Codec codec);
std::optional<Codec> codec_from_name(std::string_view name);

// Levels that Kafka knows: gzip 1..9 or -1, lz4 1..17, zstd -131072..22. Without one, the codec's
// default as Kafka has it (gzip -1, lz4 9, zstd 3). Snappy has none.
using Level = std::optional<int>;

// Compresses `input` as Kafka's Java client would frame it: gzip member, xerial snappy blocks, lz4
// frame of independent 64 KB blocks, zstd frame. kNone copies.
base::Bytes compress(Codec codec, base::BytesView input, Level level = std::nullopt);

enum class DecompressError : std::uint8_t {
  kCorrupt,   // not a stream of this codec, or damaged, or cut off, or with bytes behind its end
  kTooLarge,  // more output than the limit
};
std::string_view to_string(DecompressError error);

// Decompresses one record section. Reads raw and xerial snappy; refuses lz4 frames with dependent
// blocks, as Kafka does. Never holds more than `limit` bytes of output and a few buffers.
std::expected<base::Bytes, DecompressError> decompress(Codec codec, base::BytesView input,
                                                       std::size_t limit);

}  // namespace record
