#include "cli/text/line_format.h"

#include <gtest/gtest.h>

#include "cli/text/message_format.h"

namespace cli {
namespace {

// Goal: a text line is the value, and a key only where the delimiter stands. Method: lines with
// and without it, and with it twice.
TEST(LineFormat, TextSplitsAtTheFirstDelimiter) {
  LineFormat format{.key_delimiter = "::"};
  EXPECT_EQ(parse_line("k::v::w", format)->key, "k");
  EXPECT_EQ(parse_line("k::v::w", format)->value, "v::w");
  EXPECT_EQ(parse_line("only value", format)->key, std::nullopt);
  EXPECT_EQ(parse_line("only value", format)->value, "only value");
  EXPECT_EQ(parse_line("k:v", LineFormat{})->value, "k:v");
}

// Goal: empty stays empty unless asked to be null. Method: the same lines both ways.
TEST(LineFormat, EmptyIsNullOnlyWhenAsked) {
  LineFormat format{.key_delimiter = ":"};
  EXPECT_EQ(parse_line("k:", format)->value, "");
  EXPECT_EQ(parse_line(":v", format)->key, "");
  format.empty_is_null = true;
  EXPECT_EQ(parse_line("k:", format)->value, std::nullopt);
  EXPECT_EQ(parse_line(":v", format)->key, std::nullopt);
}

// Goal: defaults hold where the line says nothing, and its own word wins. Method: a default key
// and partition, with lines that override them.
TEST(LineFormat, LineOverridesDefaults) {
  LineFormat format{.json = true};
  format.defaults.key = "fixed";
  format.defaults.partition = 3;
  format.defaults.headers.emplace_back("h", "1");
  auto plain = parse_line(R"({"value":"v"})", format);
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->key, "fixed");
  EXPECT_EQ(plain->partition, 3);
  auto own = parse_line(R"({"key":"k","partition":1,"headers":{"i":"2"}})", format);
  ASSERT_TRUE(own);
  EXPECT_EQ(own->key, "k");
  EXPECT_EQ(own->partition, 1);
  EXPECT_EQ(own->value, std::nullopt);
  ASSERT_EQ(own->headers.size(), 2U);
  EXPECT_EQ(own->headers[1].first, "i");
}

// Goal: what consume prints, produce reads. Method: print messages with binary, null and empty
// parts as JSON and parse the lines.
TEST(LineFormat, ReadsWhatConsumePrints) {
  Message message{.topic = "t",
                  .partition = 2,
                  .offset = 7,
                  .timestamp = 1000,
                  .key = std::string_view("\xFF\x00k", 3),
                  .value = "line\n\"quoted\" \xC3\xA9",
                  .headers = {{"a", "x"}, {"b", std::nullopt}, {"c", "\xFE"}, {"", ""}}};
  std::string line;
  append_json_line(message, line);
  ASSERT_EQ(line.find('\n'), line.size() - 1);
  auto record = parse_line(line, LineFormat{.json = true});
  ASSERT_TRUE(record) << record.error();
  EXPECT_EQ(record->key, message.key);
  EXPECT_EQ(record->value, message.value);
  EXPECT_EQ(record->partition, 2);
  EXPECT_EQ(record->timestamp, 1000);
  ASSERT_EQ(record->headers.size(), 4U);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(record->headers[i].first, message.headers[i].first);
    EXPECT_EQ(record->headers[i].second, message.headers[i].second);
  }
}

// Goal: a JSON value that is no string goes out as JSON text, null as null. Method: one of each.
TEST(LineFormat, JsonValuesThatAreNoStrings) {
  LineFormat format{.json = true};
  EXPECT_EQ(parse_line(R"({"value":{"a":[1, 2]}})", format)->value, R"({"a":[1,2]})");
  EXPECT_EQ(parse_line(R"({"key":12})", format)->key, "12");
  EXPECT_EQ(parse_line(R"({"value":null})", format)->value, std::nullopt);
}

// Goal: a wrong line is refused with its reason. Method: one line for each reason.
TEST(LineFormat, WrongLinesSayWhy) {
  LineFormat format{.json = true};
  EXPECT_EQ(parse_line("nonsense", format).error(), "not JSON");
  EXPECT_EQ(parse_line("[1]", format).error(), "not a JSON object");
  EXPECT_EQ(parse_line(R"({"vlaue":1})", format).error(), "unknown field \"vlaue\"");
  EXPECT_EQ(parse_line(R"({"partition":-1})", format).error(), "-1 is not a partition");
  EXPECT_EQ(parse_line(R"({"partition":"1"})", format).error(), "\"partition\" is not an integer");
  EXPECT_EQ(parse_line(R"({"value_base64":"!"})", format).error(),
            "\"value_base64\" is not base64");
  EXPECT_EQ(parse_line(R"({"headers":7})", format).error(),
            "\"headers\" is neither an array nor an object");
}

}  // namespace
}  // namespace cli
