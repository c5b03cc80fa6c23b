#include "common/base/varint.h"

#include <gtest/gtest.h>

#include <limits>

#include "common/base/random.h"

namespace base {
namespace {

// Goal: the bytes are Kafka's. Method: values whose encodings are known from the format's text.
TEST(Varint, KnownBytes) {
  Bytes bytes;
  append_varint(bytes, 0);
  append_varint(bytes, -1);
  append_varint(bytes, 1);
  append_varint(bytes, 63);
  append_varint(bytes, -64);
  append_varint(bytes, 64);
  append_unsigned_varint(bytes, 300);
  const unsigned char want[] = {0x00, 0x01, 0x02, 0x7e, 0x7f, 0x80, 0x01, 0xac, 0x02};
  EXPECT_EQ(bytes, Bytes(reinterpret_cast<const std::byte*>(want),
                         reinterpret_cast<const std::byte*>(want) + sizeof want));
}

// Goal: what is written is read back, with the size that was foretold, and every prefix is refused.
// Method: borders and random values of every magnitude, both widths.
TEST(Varint, RoundTripsAndRefusesPrefixes) {
  Random random(3);
  for (int i = 0; i < 4000; ++i) {
    auto wide = static_cast<std::int64_t>(random.next() >> random.below(64));
    if (i == 0) wide = std::numeric_limits<std::int64_t>::min();
    if (i == 1) wide = std::numeric_limits<std::int64_t>::max();
    const auto narrow = static_cast<std::int32_t>(wide);
    Bytes bytes;
    append_varlong(bytes, wide);
    ASSERT_EQ(bytes.size(), varlong_size(wide));
    std::int64_t wide_back = 0;
    ASSERT_EQ(load_varlong(bytes, wide_back), bytes.size());
    ASSERT_EQ(wide_back, wide);
    for (std::size_t size = 0; size < bytes.size(); ++size)
      ASSERT_EQ(load_varlong(BytesView(bytes).first(size), wide_back), 0u);
    bytes.clear();
    append_varint(bytes, narrow);
    ASSERT_EQ(bytes.size(), varint_size(narrow));
    std::int32_t narrow_back = 0;
    ASSERT_EQ(load_varint(bytes, narrow_back), bytes.size());
    ASSERT_EQ(narrow_back, narrow);
  }
}

// Goal: numbers too large for the type are refused, and never read past their longest form.
// Method: five and ten bytes with one bit too many, endless continuation.
TEST(Varint, RefusesOverflow) {
  const Bytes endless(20, std::byte{0xff});
  std::uint32_t small = 0;
  std::uint64_t large = 0;
  EXPECT_EQ(load_unsigned_varint(endless, small), 0u);
  EXPECT_EQ(load_unsigned_varlong(endless, large), 0u);
  Bytes five(4, std::byte{0xff});
  five.push_back(std::byte{0x0f});
  EXPECT_EQ(load_unsigned_varint(five, small), 5u);
  EXPECT_EQ(small, 0xffffffffu);
  five.back() = std::byte{0x10};
  EXPECT_EQ(load_unsigned_varint(five, small), 0u);
  Bytes ten(9, std::byte{0xff});
  ten.push_back(std::byte{0x01});
  EXPECT_EQ(load_unsigned_varlong(ten, large), 10u);
  ten.back() = std::byte{0x02};
  EXPECT_EQ(load_unsigned_varlong(ten, large), 0u);
}

}  // namespace
}  // namespace base
