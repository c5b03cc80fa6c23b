#include "common/record/compress.h"

#include <lz4frame.h>
#include <snappy.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <limits>
#include <memory>

#include "common/base/check.h"
#include "common/record/compress_output.h"

namespace record {
namespace {

using base::Bytes;
using base::BytesView;
using Result = std::expected<Bytes, DecompressError>;

constexpr std::array<std::string_view, kCodecCount> kNames = {"uncompressed", "gzip", "snappy",
                                                              "lz4", "zstd"};

// ---- gzip (RFC 1952), by zlib. Members may follow one another.

constexpr int kGzipWindow = 15 + 16;  // 32 KB window; +16 asks zlib for the gzip wrapper
constexpr int kGzipMemory = 8;

Bytes gzip_compress(BytesView input, int level) {
  z_stream stream{};
  CHECK(deflateInit2(&stream, level, Z_DEFLATED, kGzipWindow, kGzipMemory, Z_DEFAULT_STRATEGY) ==
        Z_OK);
  CHECK(input.size() <= std::numeric_limits<uInt>::max());
  Bytes output(deflateBound(&stream, static_cast<uLong>(input.size())));
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(input.data()));
  stream.avail_in = static_cast<uInt>(input.size());
  stream.next_out = reinterpret_cast<Bytef*>(output.data());
  stream.avail_out = static_cast<uInt>(output.size());
  CHECK(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  output.resize(stream.total_out);
  deflateEnd(&stream);
  return output;
}

Result gzip_decompress(BytesView input, std::size_t limit) {
  if (input.size() > std::numeric_limits<uInt>::max())
    return std::unexpected(DecompressError::kTooLarge);
  z_stream stream{};
  CHECK(inflateInit2(&stream, kGzipWindow) == Z_OK);
  const std::unique_ptr<z_stream, int (*)(z_stream*)> guard(&stream, inflateEnd);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(input.data()));
  stream.avail_in = static_cast<uInt>(input.size());
  CappedOutput output(limit, input.size());
  while (true) {
    const base::MutableBytes room = output.room();
    if (room.empty()) return std::unexpected(DecompressError::kTooLarge);
    const uInt space = static_cast<uInt>(room.size());
    stream.next_out = reinterpret_cast<Bytef*>(room.data());
    stream.avail_out = space;
    const int result = inflate(&stream, Z_NO_FLUSH);
    output.wrote(space - stream.avail_out);
    if (result == Z_STREAM_END) {
      if (stream.avail_in == 0) return output.finish();
      if (inflateReset(&stream) != Z_OK) return std::unexpected(DecompressError::kCorrupt);
    } else if (result != Z_OK || (stream.avail_in == 0 && stream.avail_out != 0)) {
      return std::unexpected(DecompressError::kCorrupt);  // damaged, or cut off
    }
  }
}

// ---- snappy: raw, as librdkafka writes it, or in the blocks of Java's xerial library.

constexpr std::array<std::uint8_t, 8> kXerialMagic = {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0};
constexpr std::size_t kXerialHeaderSize = 16;  // magic, version, oldest compatible version
constexpr std::int32_t kXerialVersion = 1;
constexpr std::size_t kXerialBlockSize = 32 * 1024;

const char* chars(BytesView bytes) { return reinterpret_cast<const char*>(bytes.data()); }

bool is_xerial(BytesView input) {
  return input.size() >= kXerialHeaderSize &&
         std::memcmp(input.data(), kXerialMagic.data(), kXerialMagic.size()) == 0;
}

Bytes snappy_compress(BytesView input) {
  Bytes output(kXerialHeaderSize);
  std::memcpy(output.data(), kXerialMagic.data(), kXerialMagic.size());
  base::store_be(output.data() + 8, kXerialVersion);
  base::store_be(output.data() + 12, kXerialVersion);
  while (!input.empty()) {
    const BytesView block = input.first(std::min(input.size(), kXerialBlockSize));
    const std::size_t at = output.size();
    output.resize(at + 4 + snappy::MaxCompressedLength(block.size()));
    std::size_t size = 0;
    snappy::RawCompress(chars(block), block.size(), reinterpret_cast<char*>(&output[at + 4]),
                        &size);
    base::store_be(&output[at], static_cast<std::int32_t>(size));
    output.resize(at + 4 + size);
    input = input.subspan(block.size());
  }
  return output;
}

// Appends one raw block. Three bytes of input make at most 64 of output (a copy), so that a
// declared size beyond that is a lie and is not allocated.
std::optional<DecompressError> snappy_block(BytesView block, std::size_t limit, Bytes& output) {
  std::size_t size = 0;
  if (!snappy::GetUncompressedLength(chars(block), block.size(), &size) || size / 22 > block.size())
    return DecompressError::kCorrupt;
  if (size > limit - output.size()) return DecompressError::kTooLarge;
  const std::size_t at = output.size();
  output.resize(at + size);
  if (!snappy::RawUncompress(chars(block), block.size(),
                             reinterpret_cast<char*>(output.data() + at)))
    return DecompressError::kCorrupt;
  return std::nullopt;
}

Result snappy_decompress(BytesView input, std::size_t limit) {
  Bytes output;
  if (!is_xerial(input)) {
    if (const auto error = snappy_block(input, limit, output)) return std::unexpected(*error);
    return output;
  }
  input = input.subspan(kXerialHeaderSize);
  while (!input.empty()) {
    if (input.size() < 4) return std::unexpected(DecompressError::kCorrupt);
    const auto size = base::load_be<std::int32_t>(input.data());
    input = input.subspan(4);
    if (size < 0 || static_cast<std::size_t>(size) > input.size())
      return std::unexpected(DecompressError::kCorrupt);
    const BytesView block = input.first(static_cast<std::size_t>(size));
    if (const auto error = snappy_block(block, limit, output)) return std::unexpected(*error);
    input = input.subspan(block.size());
  }
  return output;
}

// ---- lz4, frame format.

constexpr std::uint32_t kLz4Magic = 0x184d2204;
constexpr std::size_t kLz4HeaderSizeMin = 7;
constexpr int kLz4FastLevel = 9;  // Kafka's default level stands for the fast compressor
constexpr int kLz4LevelMax = 12;  // of the C library; Kafka's scale goes on to 17

Bytes lz4_compress(BytesView input, int level) {
  LZ4F_preferences_t preferences{};
  preferences.frameInfo.blockSizeID = LZ4F_max64KB;
  preferences.frameInfo.blockMode = LZ4F_blockIndependent;
  preferences.compressionLevel = level == kLz4FastLevel ? 0 : std::min(level, kLz4LevelMax);
  Bytes output(LZ4F_compressFrameBound(input.size(), &preferences));
  const std::size_t size =
      LZ4F_compressFrame(output.data(), output.size(), input.data(), input.size(), &preferences);
  CHECK(!LZ4F_isError(size));
  output.resize(size);
  return output;
}

// Kafka reads frames of version 1 with independent blocks and without a dictionary.
bool is_readable_lz4(BytesView input) {
  if (input.size() < kLz4HeaderSizeMin) return false;
  std::uint32_t magic = 0;
  std::memcpy(&magic, input.data(), sizeof magic);  // little-endian, as we are
  const auto flags = static_cast<unsigned>(input[4]);
  const bool version_1 = flags >> 6 == 1;
  const bool independent = (flags & 0x20) != 0;
  const bool reserved = (flags & 0x03) != 0;
  return magic == kLz4Magic && version_1 && independent && !reserved;
}

Result lz4_decompress(BytesView input, std::size_t limit) {
  if (!is_readable_lz4(input)) return std::unexpected(DecompressError::kCorrupt);
  LZ4F_dctx* raw = nullptr;
  CHECK(!LZ4F_isError(LZ4F_createDecompressionContext(&raw, LZ4F_VERSION)));
  const std::unique_ptr<LZ4F_dctx, LZ4F_errorCode_t (*)(LZ4F_dctx*)> context(
      raw, LZ4F_freeDecompressionContext);
  CappedOutput output(limit, input.size());
  while (true) {
    const base::MutableBytes room = output.room();
    if (room.empty()) return std::unexpected(DecompressError::kTooLarge);
    std::size_t wrote = room.size();
    std::size_t read = input.size();
    const std::size_t left =
        LZ4F_decompress(raw, room.data(), &wrote, input.data(), &read, nullptr);
    if (LZ4F_isError(left)) return std::unexpected(DecompressError::kCorrupt);
    output.wrote(wrote);
    input = input.subspan(read);
    if (left == 0) break;
    if (read == 0 && wrote == 0) return std::unexpected(DecompressError::kCorrupt);  // cut off
  }
  if (!input.empty()) return std::unexpected(DecompressError::kCorrupt);
  return output.finish();
}

// ---- zstd. Frames may follow one another.

Bytes zstd_compress(BytesView input, int level) {
  Bytes output(ZSTD_compressBound(input.size()));
  const std::size_t size =
      ZSTD_compress(output.data(), output.size(), input.data(), input.size(), level);
  CHECK(!ZSTD_isError(size));
  output.resize(size);
  return output;
}

Result zstd_decompress(BytesView input, std::size_t limit) {
  const std::unique_ptr<ZSTD_DCtx, std::size_t (*)(ZSTD_DCtx*)> context(ZSTD_createDCtx(),
                                                                        ZSTD_freeDCtx);
  CHECK(context != nullptr);
  ZSTD_inBuffer in{input.data(), input.size(), 0};
  CappedOutput output(limit, input.size());
  while (true) {
    const base::MutableBytes room = output.room();
    if (room.empty()) return std::unexpected(DecompressError::kTooLarge);
    ZSTD_outBuffer out{room.data(), room.size(), 0};
    const std::size_t before = in.pos;
    const std::size_t left = ZSTD_decompressStream(context.get(), &out, &in);
    if (ZSTD_isError(left)) return std::unexpected(DecompressError::kCorrupt);
    output.wrote(out.pos);
    if (left == 0 && in.pos == in.size) return output.finish();
    if (out.pos == 0 && in.pos == before)
      return std::unexpected(DecompressError::kCorrupt);  // cut off
  }
}

}  // namespace

std::string_view to_string(Codec codec) { return kNames[static_cast<std::size_t>(codec)]; }

std::optional<Codec> codec_from_name(std::string_view name) {
  if (name == "none") return Codec::kNone;
  for (std::size_t i = 0; i < kNames.size(); ++i)
    if (kNames[i] == name) return static_cast<Codec>(i);
  return std::nullopt;
}

std::string_view to_string(DecompressError error) {
  switch (error) {
    case DecompressError::kCorrupt:
      return "the compressed records are damaged";
    case DecompressError::kTooLarge:
      return "the records are too large when decompressed";
  }
  return "";
}

Bytes compress(Codec codec, BytesView input, Level level) {
  switch (codec) {
    case Codec::kNone:
      return Bytes(input.begin(), input.end());
    case Codec::kGzip:
      return gzip_compress(input, std::clamp(level.value_or(-1), -1, 9));
    case Codec::kSnappy:
      return snappy_compress(input);
    case Codec::kLz4:
      return lz4_compress(input, level.value_or(kLz4FastLevel));
    case Codec::kZstd:
      return zstd_compress(input, level.value_or(ZSTD_CLEVEL_DEFAULT));
  }
  return {};
}

Result decompress(Codec codec, BytesView input, std::size_t limit) {
  switch (codec) {
    case Codec::kNone:
      if (input.size() > limit) return std::unexpected(DecompressError::kTooLarge);
      return Bytes(input.begin(), input.end());
    case Codec::kGzip:
      return gzip_decompress(input, limit);
    case Codec::kSnappy:
      return snappy_decompress(input, limit);
    case Codec::kLz4:
      return lz4_decompress(input, limit);
    case Codec::kZstd:
      return zstd_decompress(input, limit);
  }
  return std::unexpected(DecompressError::kCorrupt);
}

}  // namespace record
