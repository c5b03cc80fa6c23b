// Peak memory of decoding, measured by counting operator new in this program.
#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

#include "common/wire/codec_table.h"
#include "common/wire/schema_oracle.h"

namespace {

constinit thread_local std::size_t live_bytes = 0;
constinit thread_local std::size_t peak_bytes = 0;

// The size stands before the block; 16 bytes keep its alignment.
constexpr std::size_t kPrefix = 16;

void* counted_new(std::size_t size) {
  void* block = std::malloc(size + kPrefix);
  if (block == nullptr) std::abort();
  *static_cast<std::size_t*>(block) = size;
  live_bytes += size;
  peak_bytes = live_bytes > peak_bytes ? live_bytes : peak_bytes;
  return static_cast<std::byte*>(block) + kPrefix;
}

void counted_delete(void* place) {
  if (place == nullptr) return;
  void* block = static_cast<std::byte*>(place) - kPrefix;
  live_bytes -= *static_cast<std::size_t*>(block);
  std::free(block);
}

}  // namespace

void* operator new(std::size_t size) { return counted_new(size); }
void* operator new[](std::size_t size) { return counted_new(size); }
void operator delete(void* place) noexcept { counted_delete(place); }
void operator delete[](void* place) noexcept { counted_delete(place); }
void operator delete(void* place, std::size_t) noexcept { counted_delete(place); }
void operator delete[](void* place, std::size_t) noexcept { counted_delete(place); }

namespace wire {
namespace {

// Bytes of memory that one byte of input may cost: the widest struct over its least size on the
// wire, at each of up to five levels of arrays.
constexpr std::size_t kAmplificationMax = 100;
constexpr std::size_t kConstant = 1024;

std::size_t peak_of_decoding(const Codec& codec, base::BytesView bytes, std::int16_t version) {
  std::size_t before = live_bytes;
  peak_bytes = live_bytes;
  codec.decode(bytes, version);
  return peak_bytes - before;
}

// Writes `count` at `place` as a count of a flexible or plain version, over what is there.
void plant_count(base::Bytes& bytes, std::size_t place, std::size_t count, bool flexible) {
  if (flexible) {
    bytes[place] = static_cast<std::byte>((count + 1) | 0x80);
    bytes[place + 1] = static_cast<std::byte>((count + 1) >> 7);
  } else {
    base::store_be(bytes.data() + place, static_cast<std::int32_t>(count));
  }
}

// Goal: no input makes decoding take more memory than a constant times its size. Method: in a
// valid message with padding behind it, at every place in turn, a count is planted that the bytes
// left could just hold with elements of 1, 2, 3, ... bytes; the peak of live heap bytes is
// compared with the bound.
TEST(Allocation, IsBoundedByTheInput) {
  constexpr std::size_t kPadding = 4000;
  constexpr std::size_t kElementSizes[] = {1, 2, 3, 4, 5, 6, 7, 9, 12, 16, 24, 33, 48};
  double worst = 0;
  std::string worst_name;
  for (const Codec& codec : all_codecs()) {
    auto messages = read_oracle_file("schema/" + std::string(codec.source));
    const OracleMessage& oracle = messages.at(std::string(codec.name));
    for (std::int16_t version = codec.version_min; version <= codec.version_max; ++version) {
      base::Random random = base::Random(3).split(codec.name).split(std::to_string(version));
      base::Bytes valid = random_message(oracle, version, random, {.string_size_max = 2});
      std::size_t places = valid.size();
      valid.resize(valid.size() + kPadding, static_cast<std::byte>(random.below(3)));
      bool flexible = version >= codec.flexible_since;
      for (std::size_t place = 0; place < places; ++place) {
        for (std::size_t size : kElementSizes) {
          base::Bytes bytes = valid;
          plant_count(bytes, place, (bytes.size() - place - 4) / size, flexible);
          std::size_t peak = peak_of_decoding(codec, bytes, version);
          ASSERT_LE(peak, kAmplificationMax * bytes.size() + kConstant)
              << codec.name << " version " << version << " at " << place;
          double ratio = static_cast<double>(peak) / static_cast<double>(bytes.size());
          if (ratio > worst) {
            worst = ratio;
            worst_name = codec.name;
          }
        }
      }
    }
  }
  RecordProperty("worst_ratio", std::to_string(worst));
  RecordProperty("worst_message", worst_name);
  // The measurement works: strings alone take 32 bytes for the one that an empty one takes.
  EXPECT_GT(worst, 20.0);
}

// Goal: a count of two thousand million in a message of ten bytes is refused before anything is
// allocated. Method: the smallest such messages by hand.
TEST(Allocation, AbsurdCountTakesNothing) {
  base::Bytes plain = {std::byte{0x7f}, std::byte{0xff}, std::byte{0xff}, std::byte{0xff}};
  base::Bytes compact = {std::byte{0xff}, std::byte{0xff}, std::byte{0xff}, std::byte{0xff},
                         std::byte{0x07}};
  for (const Codec& codec : all_codecs()) {
    if (codec.name != "MetadataRequest") continue;
    EXPECT_EQ(peak_of_decoding(codec, plain, 1), 0u);
    EXPECT_EQ(peak_of_decoding(codec, compact, 12), 0u);
    return;
  }
  FAIL() << "no MetadataRequest";
}

}  // namespace
}  // namespace wire
