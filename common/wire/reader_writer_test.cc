#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "common/base/random.h"
#include "common/wire/api_key.h"
#include "common/wire/error_code.h"
#include "common/wire/reader.h"
#include "common/wire/test_hex.h"
#include "common/wire/writer.h"

namespace wire {
namespace {

// Goal: every read checks the bytes left, and the first failure is the one that is told. Method: a
// number cut off, then more reads.
TEST(Reader, FirstFailureSticks) {
  base::Bytes bytes = from_hex("0001 0002");
  Reader in(bytes);
  EXPECT_EQ(in.read_number<std::int16_t>("A"), 1);
  EXPECT_EQ(in.read_number<std::int32_t>("B"), 0);
  EXPECT_FALSE(in.ok());
  EXPECT_EQ(in.read_number<std::int16_t>("C"), 0) << "nothing is read after a failure";
  EXPECT_EQ(in.read_string("D", true), "");
  EXPECT_TRUE(in.read_uuid("E").is_zero());
  EXPECT_EQ(in.read_array_count("F", false, true, 1), 0u);
  EXPECT_EQ(in.error(), "B: the bytes end inside a number at byte 2 of 4");
  EXPECT_EQ(in.offset(), 2u);
}

// Goal: varints of one to five bytes, and nothing wider than 32 bits. Method: edges by hand, then
// random values through writer and reader.
TEST(Reader, Varints) {
  struct Case {
    std::string hex;
    std::uint32_t value;
  };
  for (const Case& c : {Case{"00", 0}, Case{"7f", 127}, Case{"8001", 128}, Case{"ff7f", 16383},
                        Case{"808001", 16384}, Case{"ffffffff0f", 0xffffffff}}) {
    base::Bytes bytes = from_hex(c.hex);
    Reader in(bytes);
    EXPECT_EQ(in.read_unsigned_varint("V"), c.value);
    EXPECT_TRUE(in.ok() && in.remaining() == 0);
    Writer out;
    out.write_unsigned_varint(c.value);
    EXPECT_EQ(to_hex(out.bytes()), c.hex);
  }
  for (const char* hex : {"", "80", "ffffffff", "ffffffff10", "ffffffffff01", "8080808080"}) {
    base::Bytes bytes = from_hex(hex);
    Reader in(bytes);
    in.read_unsigned_varint("V");
    EXPECT_FALSE(in.ok()) << hex;
  }
  base::Random random(1);
  for (int i = 0; i < 1000; ++i) {
    auto value = static_cast<std::uint32_t>(random.next() >> (32 + random.below(32)));
    Writer out;
    out.write_unsigned_varint(value);
    Reader in(out.bytes());
    ASSERT_EQ(in.read_unsigned_varint("V"), value);
  }
}

// Goal: lengths that are negative, too large for the bytes left or null where null is not allowed
// are refused with their reason. Method: one of each, plain and compact.
TEST(Reader, RefusesBadLengths) {
  struct Case {
    std::string hex;
    bool flexible;
    std::string reason;
  };
  for (const Case& c :
       {Case{"ffff", false, "null is not allowed"}, Case{"fffe", false, "a negative length"},
        Case{"0005 6161", false, "a length beyond the bytes left"},
        Case{"00", true, "null is not allowed"}, Case{"0661", true, "a length beyond"},
        Case{"ffffffff0f", true, "a length beyond the bytes left"}}) {
    base::Bytes bytes = from_hex(c.hex);
    Reader in(bytes);
    EXPECT_EQ(in.read_string("S", c.flexible), "");
    EXPECT_TRUE(in.error().starts_with("S: " + c.reason)) << in.error();
  }
  Writer out;
  out.write_unsigned_varint(32'769);
  out.write_raw(base::Bytes(32'768));
  Reader in(out.bytes());
  in.read_string("S", true);
  EXPECT_TRUE(in.error().starts_with("S: a string of more than 32767 bytes")) << in.error();
  Reader as_bytes(out.bytes());
  EXPECT_EQ(as_bytes.read_bytes("B", true).size(), 32'768u) << "bytes have no such limit";
}

// Goal: a count is held against the bytes left. Method: counts at, above and far above what fits.
TEST(Reader, BoundsArrayCounts) {
  auto count = [](const std::string& hex, bool flexible, bool nullable, std::size_t size_min) {
    base::Bytes bytes = from_hex(hex);
    Reader in(bytes);
    std::optional<std::size_t> value = in.read_array_count("A", flexible, nullable, size_min);
    return in.ok() ? (value ? std::to_string(*value) : "null") : in.error().substr(3, 8);
  };
  EXPECT_EQ(count("00000002 aaaabbbb", false, false, 2), "2");
  EXPECT_EQ(count("00000003 aaaabbbb", false, false, 2), "more ele");
  EXPECT_EQ(count("7fffffff aaaabbbb", false, false, 1), "more ele");
  EXPECT_EQ(count("fffffffe", false, true, 1), "a negati");
  EXPECT_EQ(count("ffffffff", false, true, 1), "null");
  EXPECT_EQ(count("ffffffff", false, false, 1), "null is ");
  EXPECT_EQ(count("00", true, true, 1), "null");
  EXPECT_EQ(count("03 aaaa", true, true, 1), "2");
  EXPECT_EQ(count("ffffffff0f aaaa", true, true, 1), "more ele");
}

// Goal: unknown tagged fields are skipped; doubled, falling and overlong ones are refused. Method:
// each by hand.
TEST(Reader, Tags) {
  auto skip = [](const std::string& hex) {
    base::Bytes bytes = from_hex(hex);
    Reader in(bytes);
    in.skip_tags();
    return in.ok() ? std::to_string(in.remaining()) : in.error();
  };
  EXPECT_EQ(skip("00 aa"), "1");
  EXPECT_EQ(skip("02 00 01 bb 05 02 cccc aa"), "1");
  EXPECT_EQ(skip("02 05 00 05 00"), "tagged fields: a tag twice or out of order at byte 4 of 5");
  EXPECT_EQ(skip("02 05 00 04 00"), "tagged fields: a tag twice or out of order at byte 4 of 5");
  EXPECT_EQ(skip("01 00 03 aaaa"),
            "tagged fields: a field longer than the bytes left at byte 3 of 5");
  EXPECT_EQ(skip("7f 00 00"),
            "tagged fields: more fields than the bytes left can hold at byte 1 of 3");

  // A known field whose contents are shorter or longer than its size.
  base::Bytes bytes = from_hex("01 00 03 000102 07");
  Reader too_long(bytes);
  too_long.read_tag_count();
  Reader::Tag tag = too_long.read_tag(-1);
  too_long.read_number<std::int16_t>("X");
  too_long.end_tag(tag, true);
  EXPECT_FALSE(too_long.ok());
  Reader too_short(bytes);
  too_short.read_tag_count();
  tag = too_short.read_tag(-1);
  too_short.read_number<std::int32_t>("X");
  too_short.end_tag(tag, true);
  EXPECT_FALSE(too_short.ok()) << "contents must not run into what follows";
}

// Goal: numbers keep their value and sign. Method: extremes of each width through both.
TEST(Writer, Numbers) {
  Writer out;
  out.write_number(true);
  out.write_number(std::int8_t{-2});
  out.write_number(std::numeric_limits<std::int16_t>::min());
  out.write_number(std::uint16_t{65'535});
  out.write_number(std::int32_t{-3});
  out.write_number(std::numeric_limits<std::int64_t>::min());
  out.write_number(-0.5);
  out.write_number(ErrorCode::kUnknownServerError);
  EXPECT_EQ(to_hex(out.bytes()),
            "01"
            "fe"
            "8000"
            "ffff"
            "fffffffd"
            "8000000000000000"
            "bfe0000000000000"
            "ffff");
  Reader in(out.bytes());
  EXPECT_TRUE(in.read_number<bool>("a"));
  EXPECT_EQ(in.read_number<std::int8_t>("b"), -2);
  EXPECT_EQ(in.read_number<std::int16_t>("c"), std::numeric_limits<std::int16_t>::min());
  EXPECT_EQ(in.read_number<std::uint16_t>("d"), 65'535);
  EXPECT_EQ(in.read_number<std::int32_t>("e"), -3);
  EXPECT_EQ(in.read_number<std::int64_t>("f"), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(in.read_number<double>("g"), -0.5);
  EXPECT_EQ(in.read_number<ErrorCode>("h"), ErrorCode::kUnknownServerError);
  EXPECT_TRUE(in.ok() && in.remaining() == 0);
}

// Goal: null where there is no null becomes empty. Method: strings, bytes, records, both forms.
TEST(Writer, NullWithoutNullIsEmpty) {
  auto written = [](auto write) {
    Writer out;
    write(out);
    return to_hex(out.bytes());
  };
  auto string = [&](bool flexible, bool nullable) {
    return written(
        [&](Writer& out) { out.write_nullable_string("s", std::nullopt, flexible, nullable); });
  };
  EXPECT_EQ(string(false, true), "ffff");
  EXPECT_EQ(string(false, false), "0000");
  EXPECT_EQ(string(true, true), "00");
  EXPECT_EQ(string(true, false), "01");
  auto records = [&](bool flexible, bool nullable) {
    return written([&](Writer& out) { out.write_records("r", Records{}, flexible, nullable); });
  };
  EXPECT_EQ(records(false, true), "ffffffff");
  EXPECT_EQ(records(false, false), "00000000");
  EXPECT_EQ(records(true, true), "00");
  EXPECT_EQ(records(true, false), "01");
}

// Goal: a string too long for the protocol fails instead of wrapping its length. Method: 32,767
// bytes pass, one more sticks as an error until clear().
TEST(Writer, OverlongStringFails) {
  Writer out;
  out.write_string("T.Name", std::string(32'767, 'x'), false);
  EXPECT_TRUE(out.ok());
  out.write_string("T.Name", std::string(32'768, 'x'), false);
  EXPECT_FALSE(out.ok());
  EXPECT_EQ(out.error(), "T.Name: string bytes of 32768, at most 32767 can be sent");
  out.clear();
  EXPECT_TRUE(out.ok());
  EXPECT_EQ(out.size(), 0u);
}

// Goal: the buffer can be taken and the writer used again; splices keep their places. Method: two
// splices, take(), a second message.
TEST(Writer, TakeAndSplices) {
  Writer out;
  out.write_records("a", Records::external(10, 1), false, true);
  out.write_number(std::int8_t{7});
  out.write_records("b", Records::external(0, 2), true, true);
  ASSERT_EQ(out.splices().size(), 2u);
  EXPECT_EQ(out.splices()[0], (Splice{.position = 4, .index = 1, .size = 10}));
  EXPECT_EQ(out.splices()[1], (Splice{.position = 6, .index = 2, .size = 0}));
  EXPECT_EQ(out.total_size(), 16u);
  EXPECT_EQ(to_hex(out.take()),
            "0000000a"
            "07"
            "01");
  EXPECT_EQ(out.size(), 0u);
  EXPECT_TRUE(out.splices().empty());
  out.write_number(std::int8_t{1});
  EXPECT_EQ(to_hex(out.take()), "01");
}

// Goal: a tagged field's size is right whether it takes one byte or more. Method: contents around
// 127 and 16,383 bytes are written and skipped again.
TEST(Writer, TagSizes) {
  for (std::size_t size : {0u, 1u, 127u, 128u, 16'383u, 16'384u, 70'000u}) {
    Writer out;
    out.write_unsigned_varint(1);
    std::size_t contents = out.begin_tag(200);
    out.write_raw(base::Bytes(size, std::byte{0xab}));
    out.end_tag(contents);
    out.write_number(std::int8_t{5});
    Reader in(out.bytes());
    EXPECT_EQ(in.read_tag_count(), 1u);
    Reader::Tag tag = in.read_tag(-1);
    EXPECT_EQ(tag.number, 200u);
    EXPECT_EQ(in.remaining(), size);
    base::BytesView inside = in.read_raw("x", size);
    EXPECT_TRUE(std::ranges::all_of(inside, [](std::byte b) { return b == std::byte{0xab}; }));
    in.end_tag(tag, true);
    EXPECT_EQ(in.read_number<std::int8_t>("y"), 5);
    EXPECT_TRUE(in.ok() && in.remaining() == 0) << size;
  }
}

// Goal: the tables of names say what Kafka's clients expect. Method: samples at the edges, and
// numbers outside.
TEST(Names, ErrorsAndApis) {
  EXPECT_EQ(name(ErrorCode::kUnknownServerError), "UNKNOWN_SERVER_ERROR");
  EXPECT_EQ(name(ErrorCode::kNone), "NONE");
  EXPECT_EQ(name(ErrorCode::kControllerIdNotRegistered), "CONTROLLER_ID_NOT_REGISTERED");
  EXPECT_EQ(name(static_cast<ErrorCode>(137)), "UNKNOWN_ERROR_CODE");
  EXPECT_EQ(name(static_cast<ErrorCode>(-2)), "UNKNOWN_ERROR_CODE");
  EXPECT_TRUE(retriable(ErrorCode::kNotLeaderOrFollower));
  EXPECT_FALSE(retriable(ErrorCode::kTopicAlreadyExists));
  EXPECT_FALSE(retriable(static_cast<ErrorCode>(500)));
  EXPECT_EQ((Error{.code = ErrorCode::kNonEmptyGroup, .message = ""}).text(),
            default_message(ErrorCode::kNonEmptyGroup));
  EXPECT_EQ((Error{.code = ErrorCode::kNonEmptyGroup, .message = "g1"}).text(), "g1");
  EXPECT_EQ(name(ApiKey::kProduce), "Produce");
  EXPECT_EQ(name(ApiKey::kUnregisterController), "UnregisterController");
  EXPECT_EQ(name(static_cast<ApiKey>(5)), "Unknown");
}

}  // namespace
}  // namespace wire
