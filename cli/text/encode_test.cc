#include "cli/text/encode.h"

#include <gtest/gtest.h>

#include "common/base/random.h"

namespace cli {
namespace {

// Goal: bytes survive base64. Method: the RFC's vectors, then random bytes of every length mod 3.
TEST(Encode, Base64RoundTrips) {
  EXPECT_EQ(to_base64(""), "");
  EXPECT_EQ(to_base64("f"), "Zg==");
  EXPECT_EQ(to_base64("fo"), "Zm8=");
  EXPECT_EQ(to_base64("foobar"), "Zm9vYmFy");
  base::Random random(1);
  for (std::size_t size = 0; size < 100; ++size) {
    std::string bytes;
    for (std::size_t i = 0; i < size; ++i) bytes += static_cast<char>(random.below(256));
    EXPECT_EQ(from_base64(to_base64(bytes)), bytes);
  }
}

// Goal: what is not base64 is refused. Method: wrong lengths, letters and padding.
TEST(Encode, Base64RefusesOtherText) {
  for (const char* text : {"Z", "Zg=", "Zg", "Z!==", "====", "Zg==Zg=="}) {
    EXPECT_FALSE(from_base64(text)) << text;
  }
}

// Goal: exactly well-formed UTF-8 counts as text. Method: the edges of Unicode's table 3-7.
TEST(Encode, Utf8IsCheckedAsUnicodeSays) {
  for (const char* text :
       {"", "abc", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_TRUE(is_utf8(text));
  }
  for (const char* text : {"\xFF", "\x80", "\xC3", "\xC0\x80", "\xE0\x80\x80", "\xED\xA0\x80",
                           "\xF4\x90\x80\x80", "\xF0\x9F\x98", "a\xE2\x82"}) {
    EXPECT_FALSE(is_utf8(text));
  }
}

}  // namespace
}  // namespace cli
