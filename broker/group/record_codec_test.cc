#include "broker/group/record_codec.h"

#include <gtest/gtest.h>

#include "broker/group/partition_of.h"
#include "broker/group/test_bench.h"

namespace broker::group::testing {
namespace {

std::string hex(base::BytesView bytes) {
  std::string out;
  for (std::byte b : bytes) {
    constexpr char kDigits[] = "0123456789abcdef";
    out += kDigits[std::to_integer<int>(b) >> 4];
    out += kDigits[std::to_integer<int>(b) & 15];
  }
  return out;
}

base::Bytes unhex(std::string_view text) {
  base::Bytes out;
  auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  for (std::size_t i = 0; i < text.size(); i += 2) {
    out.push_back(static_cast<std::byte>(digit(text[i]) << 4 | digit(text[i + 1])));
  }
  return out;
}

// Goal: offsets are written as Kafka's tools read them. Method: bytes worked out from the schema:
// key 1 with version 3, with version 4 and its topic id as tag 0, and with version 1's expiry.
TEST(RecordCodec, OffsetBytesAreKafkas) {
  CommittedOffset value{.offset = 42, .leader_epoch = 3, .metadata = "m", .commit_ms = 1'000};
  Record record = encode_offset("g", {"t", 5}, value);
  EXPECT_EQ(hex(record.key),
            "0001"
            "000167"
            "000174"
            "00000005");
  EXPECT_EQ(hex(*record.value),
            "0003"
            "000000000000002a"
            "00000003"
            "00016d"
            "00000000000003e8");
  value.topic_id = {1, 2};
  record = encode_offset("g", {"t", 5}, value);
  EXPECT_EQ(hex(*record.value),
            "0004"
            "000000000000002a"
            "00000003"
            "026d"
            "00000000000003e8"
            "01"
            "00"
            "10"
            "0000000000000001"
            "0000000000000002");
  value.expire_ms = 2'000;
  record = encode_offset("g", {"t", 5}, value);
  EXPECT_EQ(hex(*record.value),
            "0001"
            "000000000000002a"
            "00016d"
            "00000000000003e8"
            "00000000000007d0");
  EXPECT_FALSE(encode_offset_tombstone("g", {"t", 5}).value.has_value());
}

// Goal: groups are written in version 3 and survive the way back.
TEST(RecordCodec, GroupsRoundTrip) {
  Group group{.id = "g"};
  group.generation = 7;
  group.state_since_ms = 123;
  Member member;
  member.id = "m";
  member.instance_id = "i";
  member.client_id = "c";
  member.client_host = "/h";
  member.session_timeout = 10s;
  member.rebalance_timeout = 20s;
  member.protocols = {{.name = "range", .metadata = bytes("sub")}};
  member.assignment = bytes("own");
  group.add_member(member, "consumer");
  group.protocol = "range";
  const Record record = encode_group(group);
  EXPECT_EQ(hex(record.key),
            "0002"
            "000167");
  EXPECT_EQ(hex(*record.value).substr(0, 4), "0003");
  const auto decoded = decode_record(record.key, *record.value);
  const auto& back = std::get<GroupRecord>(decoded);
  EXPECT_EQ(back.group_id, "g");
  ASSERT_TRUE(back.value.has_value());
  EXPECT_EQ(back.value->state, GroupState::kStable);
  EXPECT_EQ(back.value->generation, 7);
  EXPECT_EQ(back.value->leader, "m");
  EXPECT_EQ(back.value->state_since_ms, 123);
  EXPECT_EQ(encode_group(*back.value).value, record.value);
}

// Goal: what older and newer brokers wrote: legacy keys and version 0 values are read, newer kinds
// and versions are skipped, the rest is called malformed. Method: hand-made bytes.
TEST(RecordCodec, ReadsOldAndSkipsNew) {
  const base::Bytes legacy = unhex(
      "0000"
      "000167"
      "000174"
      "00000005");
  const base::Bytes v0 = unhex(
      "0000"
      "0000000000000007"
      "0000"
      "00000000000003e8");
  const auto record = decode_record(legacy, v0);
  EXPECT_EQ(std::get<OffsetRecord>(record).value->offset, 7);
  EXPECT_EQ(std::get<OffsetRecord>(record).value->leader_epoch, -1);
  EXPECT_TRUE(std::holds_alternative<UnknownRecord>(decode_record(unhex("0011"
                                                                        "000167"),
                                                                  v0)));
  EXPECT_TRUE(std::holds_alternative<UnknownRecord>(decode_record(legacy, unhex("0063"))));
  EXPECT_TRUE(std::holds_alternative<MalformedRecord>(decode_record(unhex("00"), v0)));
  EXPECT_TRUE(std::holds_alternative<MalformedRecord>(decode_record(unhex("0001"), v0)));
  EXPECT_TRUE(std::holds_alternative<MalformedRecord>(decode_record(legacy, unhex("0003"))));
  EXPECT_TRUE(std::holds_alternative<MalformedRecord>(decode_record(unhex("0002ffff"), {})));
}

// Goal: a group record that names a member twice is not loaded. Method: forge it.
TEST(RecordCodec, RefusesContradictions) {
  const std::string member =
      "00016d"
      "0000"
      "0000"
      "00000000"
      "00000000"
      "00000000"
      "00000000";
  const std::string head =
      "0001"
      "000163"
      "00000001"
      "000172"
      "00016d"
      "00000002";
  const auto record = decode_record(unhex("0002"
                                          "000167"),
                                    unhex(head + member + member));
  EXPECT_TRUE(std::holds_alternative<MalformedRecord>(record));
}

// Goal: the partition is Java's. Method: hash codes known from Java, also beyond the BMP, and the
// one hash whose absolute value has no int.
TEST(PartitionOf, HashesAsJavaDoes) {
  EXPECT_EQ(java_hash(""), 0);
  EXPECT_EQ(java_hash("a"), 97);
  EXPECT_EQ(java_hash("hello"), 99162322);
  EXPECT_EQ(java_hash("polygenelubricants"), -2147483647 - 1);
  EXPECT_EQ(java_hash("\u00e9"), 233);
  EXPECT_EQ(java_hash("\U0001F600"), 0xd83d * 31 + 0xde00);
  EXPECT_EQ(partition_of("polygenelubricants", 50), 0);
  EXPECT_EQ(partition_of("hello", 50), 22);
  EXPECT_EQ(utf16_length("a\u00e9\U0001F600"), 4u);
  EXPECT_EQ(utf8_prefix("a\u00e9b", 2), "a");
  EXPECT_EQ(utf8_prefix("a\u00e9b", 3), "a\u00e9");
}

}  // namespace
}  // namespace broker::group::testing
