#include "common/base/crc32c.h"

#include <gtest/gtest.h>

#include "common/base/random.h"

namespace base {
namespace {

// Goal: the checksum is CRC-32C. Method: the standard's check value and RFC 3720 B.4's examples.
TEST(Crc32c, KnownValues) {
  EXPECT_EQ(crc32c(as_bytes("123456789")), 0xe3069283u);
  EXPECT_EQ(crc32c_portable(as_bytes("123456789")), 0xe3069283u);
  EXPECT_EQ(crc32c({}), 0u);
  const Bytes zeros(32, std::byte{0});
  const Bytes ones(32, std::byte{0xff});
  EXPECT_EQ(crc32c(zeros), 0x8a9136aau);
  EXPECT_EQ(crc32c(ones), 0x62a8ab43u);
}

// Goal: the quick and the portable way agree, whole and in pieces. Method: random lengths, offsets
// and cuts.
TEST(Crc32c, QuickEqualsPortableAndContinues) {
  Random random(7);
  Bytes data(5000);
  for (std::byte& byte : data) byte = static_cast<std::byte>(random.next());
  for (int i = 0; i < 500; ++i) {
    const std::size_t start = random.below(16);
    const BytesView view = BytesView(data).subspan(start, random.below(data.size() - start));
    const std::size_t cut = random.below(view.size() + 1);
    const std::uint32_t whole = crc32c(view);
    ASSERT_EQ(whole, crc32c_portable(view));
    ASSERT_EQ(whole, crc32c(view.subspan(cut), crc32c(view.first(cut))));
    ASSERT_EQ(whole, crc32c_portable(view.subspan(cut), crc32c_portable(view.first(cut))));
  }
}

}  // namespace
}  // namespace base
