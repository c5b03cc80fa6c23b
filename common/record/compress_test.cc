#include "common/record/compress.h"

#include <gtest/gtest.h>
#include <lz4frame.h>
#include <zstd.h>

#include "common/record/test_support.h"

namespace record {
namespace {

using test::bytes_of;
using test::from_hex;
using test::random_bytes;

constexpr Codec kAll[] = {Codec::kNone, Codec::kGzip, Codec::kSnappy, Codec::kLz4, Codec::kZstd};
constexpr Codec kReal[] = {Codec::kGzip, Codec::kSnappy, Codec::kLz4, Codec::kZstd};

// Goal: every codec gives back what it took, at every level. Method: sizes around the block sizes,
// dull and random bytes.
TEST(Compress, RoundTrips) {
  base::Random random(1);
  for (std::size_t size : {0u, 1u, 100u, 32767u, 32768u, 32769u, 65536u, 200000u}) {
    for (std::uint64_t alphabet : {1u, 4u, 256u}) {
      const base::Bytes input = random_bytes(random, size, alphabet);
      for (Codec codec : kAll) {
        const auto output = decompress(codec, compress(codec, input), size);
        ASSERT_TRUE(output) << to_string(codec) << size;
        ASSERT_EQ(*output, input);
      }
    }
  }
  const base::Bytes input = random_bytes(random, 5000, 4);
  for (int level : {-131072, -1, 0, 1, 5, 9, 12, 17, 22}) {
    for (Codec codec : kReal)
      EXPECT_EQ(*decompress(codec, compress(codec, input, level), 5000), input) << level;
  }
}

// Goal: the limit holds exactly. Method: one byte less than the output, for every codec.
TEST(Compress, LimitHolds) {
  base::Random random(2);
  const base::Bytes input = random_bytes(random, 100'000, 3);
  for (Codec codec : kAll) {
    const base::Bytes packed = compress(codec, input);
    for (std::size_t limit : {0u, 1u, 99'999u}) {
      const auto output = decompress(codec, packed, limit);
      ASSERT_FALSE(output) << to_string(codec) << limit;
      EXPECT_EQ(output.error(), DecompressError::kTooLarge) << to_string(codec);
    }
    EXPECT_TRUE(decompress(codec, packed, 100'000));
    EXPECT_TRUE(decompress(codec, packed, SIZE_MAX));
  }
}

// Goal: a bomb costs no more than the limit. Method: 256 MB of zeros in each codec, limit 1 MB.
TEST(Compress, BombsAreCut) {
  const base::Bytes zeros(std::size_t{256} << 20);
  for (Codec codec : {Codec::kGzip, Codec::kLz4, Codec::kZstd}) {
    const base::Bytes packed = compress(codec, zeros, 1);
    EXPECT_LT(packed.size(), zeros.size() / 200);
    EXPECT_EQ(decompress(codec, packed, 1 << 20).error(), DecompressError::kTooLarge);
  }
}

// Goal: declared sizes are not believed. Method: raw snappy that claims 4 GB, and a zstd frame
// whose header claims a terabyte.
TEST(Compress, DeclaredSizesAreNotBelieved) {
  EXPECT_EQ(decompress(Codec::kSnappy, from_hex("ffffffff0f00"), SIZE_MAX).error(),
            DecompressError::kCorrupt);
  // magic; single segment, 8-byte content size; 2^40; an empty last raw block
  EXPECT_FALSE(decompress(Codec::kZstd,
                          from_hex("28b52ffd"
                                   "e0"
                                   "0000000000010000"
                                   "010000"),
                          1 << 20));
}

// Goal: damage and cuts are errors, never crashes or endless loops. Method: every prefix, every
// byte changed, bytes behind the end.
TEST(Compress, DamageIsFound) {
  base::Random random(3);
  const base::Bytes input = random_bytes(random, 600, 8);
  for (Codec codec : kReal) {
    const base::Bytes packed = compress(codec, input);
    for (std::size_t size = 0; size < packed.size(); ++size) {
      const auto output = decompress(codec, base::BytesView(packed).first(size), 1000);
      // Xerial frames have no end mark: cut between blocks they are shorter, and the record count
      // tells. Everything else is an error.
      if (codec == Codec::kSnappy && size == 16) continue;
      EXPECT_FALSE(output) << to_string(codec) << " " << size;
    }
    for (std::size_t at = 0; at < packed.size(); ++at) {
      base::Bytes damaged = packed;
      damaged[at] ^= static_cast<std::byte>(1 + random.below(255));
      (void)decompress(codec, damaged, 1000);
    }
    base::Bytes longer = packed;
    longer.push_back(std::byte{0x55});
    EXPECT_FALSE(decompress(codec, longer, 1000)) << to_string(codec);
    EXPECT_FALSE(decompress(codec, {}, 1000));
  }
}

// Goal: both framings of snappy are read. Method: a raw stream and a xerial one, made by hand from
// the format: length, then one literal.
TEST(Compress, SnappyFramings) {
  const base::Bytes raw = from_hex(
      "05"
      "10"
      "68656c6c6f");  // 5 bytes: literal "hello"
  EXPECT_EQ(*decompress(Codec::kSnappy, raw, 100), bytes_of("hello"));
  const base::Bytes xerial = from_hex(
      "82534e4150505900"
      "00000001"
      "00000001"
      "00000007"
      "0510"
      "68656c6c6f"
      "00000003"
      "0100"
      "21");
  EXPECT_EQ(*decompress(Codec::kSnappy, xerial, 100), bytes_of("hello!"));
  EXPECT_EQ(base::Bytes(xerial.begin(), xerial.begin() + 16), [] {
    auto made = compress(Codec::kSnappy, bytes_of("x"));
    made.resize(16);
    return made;
  }());
  EXPECT_EQ(decompress(Codec::kSnappy, xerial, 5).error(), DecompressError::kTooLarge);
  base::Bytes negative = xerial;
  base::store_be(&negative[16], std::int32_t{-7});
  EXPECT_FALSE(decompress(Codec::kSnappy, negative, 100));
}

// Goal: lz4 frames that Kafka refuses are refused, and those of other libraries with independent
// blocks are read. Method: frames made with the C library's options.
TEST(Compress, Lz4Frames) {
  const base::Bytes input(200'000, std::byte{'a'});
  auto frame = [&](LZ4F_blockMode_t mode, LZ4F_contentChecksum_t checksum, bool with_size) {
    LZ4F_preferences_t preferences{};
    preferences.frameInfo.blockSizeID = LZ4F_max256KB;
    preferences.frameInfo.blockMode = mode;
    preferences.frameInfo.contentChecksumFlag = checksum;
    preferences.frameInfo.contentSize = with_size ? input.size() : 0;
    base::Bytes output(LZ4F_compressFrameBound(input.size(), &preferences));
    output.resize(
        LZ4F_compressFrame(output.data(), output.size(), input.data(), input.size(), &preferences));
    return output;
  };
  EXPECT_EQ(*decompress(Codec::kLz4,
                        frame(LZ4F_blockIndependent, LZ4F_contentChecksumEnabled, true), 300'000),
            input);
  EXPECT_EQ(*decompress(Codec::kLz4, frame(LZ4F_blockIndependent, LZ4F_noContentChecksum, false),
                        300'000),
            input);
  base::Bytes linked = frame(LZ4F_blockIndependent, LZ4F_noContentChecksum, false);
  linked[4] &= std::byte{0xdf};
  EXPECT_FALSE(decompress(Codec::kLz4, linked, 300'000));
  const base::Bytes ours = compress(Codec::kLz4, input);
  EXPECT_EQ(ours[4], std::byte{0x60});  // version 1, independent blocks, nothing else
  EXPECT_EQ(ours[5], std::byte{0x40});  // 64 KB blocks
}

// Goal: gzip members and zstd frames may follow one another, as other clients write them. Method:
// two of them, one behind the other.
TEST(Compress, ConcatenatedStreams) {
  for (Codec codec : {Codec::kGzip, Codec::kZstd}) {
    base::Bytes both = compress(codec, bytes_of("one "));
    const base::Bytes second = compress(codec, bytes_of("two"));
    both.insert(both.end(), second.begin(), second.end());
    EXPECT_EQ(*decompress(codec, both, 100), bytes_of("one two"));
    EXPECT_FALSE(decompress(codec, both, 6));
  }
}

// Goal: zstd streams without a content size are read. Method: the streaming interface.
TEST(Compress, ZstdWithoutContentSize) {
  const base::Bytes input(50'000, std::byte{'z'});
  ZSTD_CCtx* context = ZSTD_createCCtx();
  base::Bytes packed(1000);
  ZSTD_inBuffer in{input.data(), input.size(), 0};
  ZSTD_outBuffer out{packed.data(), packed.size(), 0};
  while (ZSTD_compressStream2(context, &out, &in, ZSTD_e_flush) != 0) {
  }
  while (ZSTD_compressStream2(context, &out, &in, ZSTD_e_end) != 0) {
  }
  ZSTD_freeCCtx(context);
  packed.resize(out.pos);
  EXPECT_EQ(*decompress(Codec::kZstd, packed, 50'000), input);
}

// Goal: names are those of compression.type. Method: all of them, and strangers.
TEST(Compress, Names) {
  for (Codec codec : kAll) EXPECT_EQ(codec_from_name(to_string(codec)), codec);
  EXPECT_EQ(codec_from_name("none"), Codec::kNone);
  EXPECT_FALSE(codec_from_name("producer"));
  EXPECT_FALSE(codec_from_name("GZIP"));
}

}  // namespace
}  // namespace record
