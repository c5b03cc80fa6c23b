// Properties of every generated message in every version.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "common/wire/codec_table.h"
#include "common/wire/message_info.h"
#include "common/wire/schema_oracle.h"

namespace wire {
namespace {

const OracleMessage& oracle_of(const Codec& codec) {
  static std::map<std::string, std::map<std::string, OracleMessage>, std::less<>> files;
  auto at = files.find(codec.source);
  if (at == files.end()) {
    std::string source(codec.source);
    at = files.emplace(source, read_oracle_file("schema/" + source)).first;
  }
  return at->second.at(std::string(codec.name));
}

base::Random random_for(const Codec& codec, std::int16_t version) {
  return base::Random(20).split(codec.name).split(std::to_string(version));
}

void for_each_version(const std::function<void(const Codec&, std::int16_t, base::Random&)>& body) {
  for (const Codec& codec : all_codecs()) {
    for (std::int16_t version = codec.version_min; version <= codec.version_max; ++version) {
      SCOPED_TRACE(std::string(codec.name) + " version " + std::to_string(version));
      base::Random random = random_for(codec, version);
      body(codec, version, random);
      if (testing::Test::HasFailure()) return;
    }
  }
}

// Goal: encoding and decoding are inverse in both directions. Method: bytes that an independent
// reader of the schema wrote are decoded, encoded again and compared; the second decoding must
// give an equal message.
TEST(Messages, DecodeAndEncodeAreInverse) {
  for_each_version([](const Codec& codec, std::int16_t version, base::Random& random) {
    for (int round = 0; round < 8; ++round) {
      base::Bytes bytes = random_message(oracle_of(codec), version, random);
      Writer out;
      Recoded recoded = codec.recode(bytes, version, out);
      ASSERT_TRUE(recoded.decoded) << recoded.error;
      ASSERT_EQ(recoded.consumed, bytes.size());
      ASSERT_TRUE(recoded.same);
      ASSERT_TRUE(std::ranges::equal(out.bytes(), bytes));
    }
  });
}

// Goal: lengths that need two and three bytes as varints work too, also in tagged fields. Method:
// as above, with long strings and arrays in one version of each message.
TEST(Messages, LongFieldsSurvive) {
  for (const Codec& codec : all_codecs()) {
    base::Random random = random_for(codec, codec.version_max);
    base::Bytes bytes = random_message(oracle_of(codec), codec.version_max, random,
                                       {.elements_max = 4, .string_size_max = 20'000});
    Writer out;
    Recoded recoded = codec.recode(bytes, codec.version_max, out);
    ASSERT_TRUE(recoded.decoded) << codec.name << ": " << recoded.error;
    ASSERT_TRUE(std::ranges::equal(out.bytes(), bytes)) << codec.name;
  }
}

// Goal: a message that ends early is refused, never read past its end. Method: every strict prefix
// of a valid message must fail, with a text (the sanitizers watch the reads).
TEST(Messages, EveryPrefixIsRefused) {
  for_each_version([](const Codec& codec, std::int16_t version, base::Random& random) {
    base::Bytes bytes = random_message(oracle_of(codec), version, random,
                                       {.elements_max = 2, .string_size_max = 6});
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      base::Bytes prefix(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
      Writer out;
      Recoded recoded = codec.recode(prefix, version, out);
      ASSERT_FALSE(recoded.decoded) << "prefix of " << size;
      ASSERT_THAT(recoded.error, testing::HasSubstr(" at byte "));
    }
  });
}

// Goal: damage is either refused or read as some message that we can write again. Method: random
// bit flips; what decodes must encode to something that decodes to the same (NaN aside: it is
// unequal to itself, so messages with floats are only run).
TEST(Messages, FlippedBitsAreRefusedOrReadConsistently) {
  for_each_version([](const Codec& codec, std::int16_t version, base::Random& random) {
    const OracleMessage& oracle = oracle_of(codec);
    bool has_float = codec.name.find("ClientQuotas") != std::string_view::npos;
    for (int round = 0; round < 12; ++round) {
      base::Bytes bytes = random_message(oracle, version, random);
      if (bytes.empty()) continue;
      for (std::uint64_t flips = 1 + random.below(4); flips > 0; --flips) {
        bytes[random.below(bytes.size())] ^= static_cast<std::byte>(1 << random.below(8));
      }
      Writer out;
      Recoded recoded = codec.recode(bytes, version, out);
      ASSERT_TRUE(!recoded.decoded || recoded.same || has_float);
    }
  });
}

// Goal: the table of APIs agrees with the generated messages. Method: each request's and
// response's constants are compared with its row.
TEST(Messages, TableOfApisAgrees) {
  std::size_t requests = 0;
  for (const Codec& codec : all_codecs()) {
    if (codec.kind != "request" && codec.kind != "response") continue;
    const MessageInfo* info = find_message_info(codec.key);
    ASSERT_NE(info, nullptr) << codec.name;
    bool is_request = codec.kind == "request";
    requests += is_request ? 1 : 0;
    EXPECT_EQ(codec.name, std::string(info->name) + (is_request ? "Request" : "Response"));
    EXPECT_EQ(codec.version_min, info->version_min);
    EXPECT_EQ(codec.version_max, info->version_max);
    EXPECT_EQ(codec.flexible_since,
              is_request ? info->request_flexible_since : info->response_flexible_since);
  }
  EXPECT_EQ(requests, all_message_infos().size());
  EXPECT_EQ(requests, 92u);
  EXPECT_EQ(find_message_info(4), nullptr);
  EXPECT_EQ(find_message_info(-1), nullptr);
  EXPECT_EQ(find_message_info(95), nullptr);
}

}  // namespace
}  // namespace wire
