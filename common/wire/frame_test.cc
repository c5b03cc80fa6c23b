#include "common/wire/frame.h"

#include <gtest/gtest.h>

#include <limits>

#include "common/wire/api_key.h"
#include "common/wire/message_info.h"
#include "common/wire/test_hex.h"

namespace wire {
namespace {

HeaderResult decode(const std::string& hex, RequestHeader& header, std::size_t& body) {
  // Lives until the next call: the client id is a view into it.
  static base::Bytes bytes;
  bytes = from_hex(hex);
  Reader in(bytes);
  HeaderResult result = decode_request_header(in, header);
  body = in.remaining();
  return result;
}

// Goal: a frame is found only when all of it is there, and sizes that must not be believed are
// told apart without waiting for the bytes. Method: prefixes and sizes around the limits.
TEST(Frame, ParsesSizePrefix) {
  base::Bytes bytes = from_hex("00000003 aabbcc dd");
  base::BytesView view = bytes;
  EXPECT_EQ(parse_frame(view.first(3), 100).state, FrameState::kIncomplete);
  EXPECT_EQ(parse_frame(view.first(3), 100).frame_size, 4u);
  EXPECT_EQ(parse_frame(view.first(6), 100).state, FrameState::kIncomplete);
  EXPECT_EQ(parse_frame(view.first(6), 100).frame_size, 7u);
  Frame whole = parse_frame(view, 3);
  EXPECT_EQ(whole.state, FrameState::kComplete);
  EXPECT_EQ(to_hex(whole.payload), "aabbcc");
  EXPECT_EQ(whole.frame_size, 7u);
  EXPECT_EQ(parse_frame(view, 2).state, FrameState::kOversized);
  EXPECT_EQ(parse_frame(from_hex("ffffffff"), 100).state, FrameState::kNegative);
  EXPECT_EQ(parse_frame(from_hex("80000000"), 100).size, std::numeric_limits<std::int32_t>::min());
  EXPECT_EQ(parse_frame(from_hex("7fffffff"), 100).state, FrameState::kOversized);
  EXPECT_EQ(parse_frame(from_hex("00000000"), 100).state, FrameState::kComplete);
}

// Goal: header 1 for plain and header 2 for flexible versions, with the client id's length in two
// bytes in both. Method: Metadata 8 and 9, with a client id, a null one and an unknown tag.
TEST(Frame, DecodesRequestHeaders) {
  RequestHeader header;
  std::size_t body = 0;
  EXPECT_EQ(decode("0003 0008 00000007 0002 6b63 aa", header, body), HeaderResult::kOk);
  EXPECT_EQ(header.api_key, 3);
  EXPECT_EQ(header.api_version, 8);
  EXPECT_EQ(header.correlation_id, 7);
  EXPECT_EQ(header.client_id, "kc");
  EXPECT_EQ(body, 1u);
  EXPECT_EQ(decode("0003 0009 00000007 0002 6b63 00 aa", header, body), HeaderResult::kOk);
  EXPECT_EQ(header.client_id, "kc");
  EXPECT_EQ(body, 1u);
  EXPECT_EQ(decode("0003 0009 00000007 ffff 01 05 02 bbbb aa", header, body), HeaderResult::kOk);
  EXPECT_EQ(header.client_id, std::nullopt);
  EXPECT_EQ(body, 1u);
}

// Goal: each way in which a header can be wrong has its own answer. Method: one of each.
TEST(Frame, RefusesBadHeaders) {
  RequestHeader header;
  std::size_t body = 0;
  EXPECT_EQ(decode("0003 0008 000000", header, body), HeaderResult::kMalformed);
  EXPECT_EQ(decode("0003 0008 00000007 0009 6b", header, body), HeaderResult::kMalformed);
  EXPECT_EQ(decode("0003 0008 00000007 fffe", header, body), HeaderResult::kMalformed);
  EXPECT_EQ(decode("0003 0009 00000007 ffff", header, body), HeaderResult::kMalformed);
  EXPECT_EQ(decode("0004 0000 00000007 ffff", header, body), HeaderResult::kUnknownApiKey);
  EXPECT_EQ(decode("7fff 0000 00000007 ffff", header, body), HeaderResult::kUnknownApiKey);
  EXPECT_EQ(decode("ffff 0000 00000007 ffff", header, body), HeaderResult::kUnknownApiKey);
  EXPECT_EQ(decode("0003 000e 00000007 ffff 00", header, body), HeaderResult::kUnsupportedVersion);
  EXPECT_EQ(decode("0003 ffff 00000007 ffff", header, body), HeaderResult::kUnsupportedVersion);
  // The two versions of fetch that Kafka no longer serves.
  EXPECT_EQ(decode("0001 0003 00000007 ffff", header, body), HeaderResult::kUnsupportedVersion);
}

// Goal: a client of tomorrow that asks ApiVersions in a version that we do not know can be
// answered. Method: version 99 with a flexible header and a body that means nothing to us.
TEST(Frame, KnowsApiVersionsOfTomorrow) {
  RequestHeader header;
  std::size_t body = 0;
  EXPECT_EQ(decode("0012 0063 00000007 0002 6b63 00 ffffff", header, body),
            HeaderResult::kUnknownApiVersionsVersion);
  EXPECT_EQ(header.correlation_id, 7);
  EXPECT_EQ(decode("0012 ffff 00000007 0002 6b63", header, body),
            HeaderResult::kUnsupportedVersion);
}

// Goal: response header 0 for plain versions and always for ApiVersions, 1 elsewhere. Method: both
// kinds are encoded and decoded again.
TEST(Frame, WritesResponseHeaders) {
  struct Case {
    ApiKey key;
    std::int16_t version;
    std::string hex;
  };
  for (const Case& c :
       {Case{ApiKey::kMetadata, 8, "00000007"}, Case{ApiKey::kMetadata, 9, "0000000700"},
        Case{ApiKey::kApiVersions, 0, "00000007"}, Case{ApiKey::kApiVersions, 4, "00000007"},
        Case{ApiKey::kSaslHandshake, 1, "00000007"},
        Case{ApiKey::kDescribeCluster, 0, "0000000700"}}) {
    Writer out;
    encode_response_header(out, number(c.key), c.version, 7);
    EXPECT_EQ(to_hex(out.bytes()), c.hex) << name(c.key);
    Reader in(out.bytes());
    EXPECT_EQ(decode_response_header(in, number(c.key), c.version), 7);
    EXPECT_TRUE(in.ok());
    EXPECT_EQ(in.remaining(), 0u);
  }
}

// Goal: a client's header is what the broker reads. Method: round trip over all APIs and versions.
TEST(Frame, RequestHeaderRoundTrip) {
  for (const MessageInfo& info : all_message_infos()) {
    for (std::int16_t v = info.version_min; v <= info.version_max; ++v) {
      for (std::optional<std::string_view> client : {std::optional<std::string_view>("me"), {}}) {
        Writer out;
        encode_request_header(
            out,
            {.api_key = info.api_key, .api_version = v, .correlation_id = 11, .client_id = client});
        Reader in(out.bytes());
        RequestHeader header;
        ASSERT_EQ(decode_request_header(in, header), HeaderResult::kOk) << info.name << " " << v;
        EXPECT_EQ(header.api_version, v);
        EXPECT_EQ(header.client_id, client);
        EXPECT_EQ(in.remaining(), 0u);
      }
    }
  }
}

// Goal: the size prefix counts spliced bytes, and a message that could not be written is not
// sent. Method: a frame with a splice, one over the limit, one with a string too long.
TEST(Frame, FramesCountSplices) {
  Writer out;
  std::size_t frame = begin_frame(out);
  out.write_number<std::int16_t>(1);
  out.write_records("r", Records::external(1000, 0), false, true);
  ASSERT_TRUE(end_frame(out, frame));
  EXPECT_EQ(to_hex(out.bytes()),
            "000003ee"
            "0001"
            "000003e8");
  EXPECT_EQ(out.total_size(), 4u + 1006u);

  out.clear();
  frame = begin_frame(out);
  out.write_records("r", Records::external(0x7fffffff, 0), false, true);
  EXPECT_TRUE(out.ok());
  EXPECT_FALSE(end_frame(out, frame)) << "more than an int32 with the length itself";

  out.clear();
  frame = begin_frame(out);
  out.write_string("Topic.Name", std::string(32'768, 'x'), true);
  EXPECT_FALSE(end_frame(out, frame));
}

}  // namespace
}  // namespace wire
