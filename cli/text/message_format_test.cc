#include "cli/text/message_format.h"

#include <gtest/gtest.h>

namespace cli {
namespace {

Message sample() {
  return {.topic = "orders",
          .partition = 3,
          .offset = 42,
          .timestamp = 1'767'225'600'250,
          .leader_epoch = 5,
          .key = "k1",
          .value = "hello",
          .headers = {{"a", "1"}, {"b", std::nullopt}}};
}

std::string printed(std::string_view format, const Message& message) {
  auto parsed = MessageFormat::parse(format);
  EXPECT_TRUE(parsed) << parsed.error();
  std::string out;
  if (parsed) parsed->append(message, out);
  return out;
}

// Goal: each letter prints its field. Method: all of them over one record.
TEST(MessageFormat, LettersPrintTheirFields) {
  EXPECT_EQ(printed("%t %p %o %k %K %v %V %T %d %h %e 100%%", sample()),
            "orders 3 42 k1 2 hello 5 1767225600250 2026-01-01T00:00:00.250Z a=1,b 5 100%\n");
  EXPECT_EQ(printed("%s %S", sample()), "hello 5\n");
}

// Goal: null is told from empty by its size. Method: a record without key and value.
TEST(MessageFormat, NullHasSizeMinusOne) {
  Message message = sample();
  message.key.reset();
  message.value = "";
  EXPECT_EQ(printed("[%k]%K[%v]%V", message), "[]-1[]0\n");
}

// Goal: a newline is added exactly when the format does not see to line ends itself. Method: with
// escapes, a literal newline, \c, and without.
TEST(MessageFormat, NewlineIsAddedUnlessTheFormatHasOne) {
  EXPECT_EQ(printed("%v", sample()), "hello\n");
  EXPECT_EQ(printed("%v\\n", sample()), "hello\n");
  EXPECT_EQ(printed("%v\n", sample()), "hello\n");
  EXPECT_EQ(printed("%v;\\c", sample()), "hello;");
  EXPECT_EQ(printed("%v\\0\\c", sample()), std::string("hello\0", 6));
  EXPECT_EQ(printed("%k\\t%v\\x21\\\\", sample()), "k1\thello!\\\n");
}

// Goal: mistakes are refused with their place. Method: one of each kind.
TEST(MessageFormat, MistakesSayWhatIsWrong) {
  EXPECT_EQ(MessageFormat::parse("%q").error(), "unknown field '%q' in the format");
  EXPECT_EQ(MessageFormat::parse("abc%").error(), "unknown field '%' in the format");
  EXPECT_EQ(MessageFormat::parse("\\q").error(), "unknown escape '\\q' in the format");
  EXPECT_EQ(MessageFormat::parse("a\\").error(), "the format ends in a single backslash");
  EXPECT_EQ(MessageFormat::parse("\\x1").error(), "\\x needs two hexadecimal digits");
}

// Goal: the JSON form is stable. Method: the whole line of one record.
TEST(MessageFormat, JsonLine) {
  std::string out;
  append_json_line(sample(), out);
  EXPECT_EQ(out, R"({"topic":"orders","partition":3,"offset":42,"timestamp":1767225600250,)"
                 R"("timestamp_type":"CreateTime","key":"k1","value":"hello",)"
                 R"("headers":[{"key":"a","value":"1"},{"key":"b","value":null}]})"
                 "\n");
}

}  // namespace
}  // namespace cli
