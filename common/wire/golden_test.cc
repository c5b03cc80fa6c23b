// Frames written down by hand from the protocol's description, byte by byte, for what is easily
// got wrong: headers, compact forms, tagged fields, null, records.
#include <gtest/gtest.h>

#include <string>

#include "common/wire/coordinator_record.h"
#include "common/wire/frame.h"
#include "common/wire/msg/api_versions_request.h"
#include "common/wire/msg/api_versions_response.h"
#include "common/wire/msg/fetch_request.h"
#include "common/wire/msg/fetch_response.h"
#include "common/wire/msg/metadata_request.h"
#include "common/wire/msg/metadata_response.h"
#include "common/wire/msg/offset_commit_key.h"
#include "common/wire/msg/offset_commit_value.h"
#include "common/wire/msg/produce_request.h"
#include "common/wire/msg/produce_response.h"
#include "common/wire/test_hex.h"

namespace wire {
namespace {

template <class T>
std::string encoded(const T& message, std::int16_t version) {
  Writer out;
  message.encode(out, version);
  EXPECT_TRUE(out.ok()) << out.error();
  return to_hex(out.bytes());
}

// Both directions: `hex` decodes to `message` in full, and `message` encodes to `hex`.
template <class T>
void expect_golden(const T& message, std::int16_t version, const std::string& hex) {
  base::Bytes bytes = from_hex(hex);
  EXPECT_EQ(encoded(message, version), to_hex(bytes));
  Reader in(bytes);
  T decoded;
  ASSERT_TRUE(decoded.decode(in, version)) << in.error();
  EXPECT_EQ(in.remaining(), 0u);
  EXPECT_EQ(decoded, message);
}

// Goal: ApiVersions in its oldest and in its flexible form. Method: request and response of
// versions 0 and 3; finalized features stand in tags 0, 1 and 2.
TEST(Golden, ApiVersions) {
  expect_golden(ApiVersionsRequest{}, 0, "");
  ApiVersionsRequest request;
  request.client_software_name = "kcat";
  request.client_software_version = "1.7";
  expect_golden(request, 3, "05 6b636174  04 312e37  00");

  ApiVersionsResponse response;
  response.error_code = ErrorCode::kUnsupportedVersion;
  response.api_keys = {{.api_key = 18, .min_version = 0, .max_version = 4}};
  expect_golden(response, 0, "0023  00000001  0012 0000 0004");
  response.throttle_time_ms = 1;
  expect_golden(response, 1, "0023  00000001  0012 0000 0004  00000001");
  response.supported_features = {{.name = "f", .min_version = 1, .max_version = 2}};
  response.finalized_features_epoch = 5;
  response.finalized_features = {{.name = "f", .max_version_level = 2, .min_version_level = 1}};
  expect_golden(response, 3,
                "0023  02 0012 0000 0004 00  00000001  03"
                "  00 08 02 02 66 0001 0002 00"
                "  01 08 0000000000000005"
                "  02 08 02 02 66 0002 0001 00");
}

// Goal: null and empty arrays differ, names become nullable and ids appear where they should.
// Method: versions 0, 1, 9 and 12 of the request; version 12 of a response with a null name.
TEST(Golden, Metadata) {
  MetadataRequest all;
  all.topics.reset();
  expect_golden(all, 1, "ffffffff");
  EXPECT_EQ(encoded(all, 0), "00000000") << "version 0 has no null: empty means all";
  expect_golden(MetadataRequest{}, 1, "00000000");

  MetadataRequest one;
  one.topics = {{.name = "a"}};
  expect_golden(one, 0, "00000001 0001 61");
  one.include_topic_authorized_operations = true;
  expect_golden(one, 9, "02 02 61 00  01 00 01  00");
  base::Uuid id{.high = 0x0102030405060708, .low = 0x090a0b0c0d0e0f10};
  one.topics = {{.topic_id = id, .name = std::nullopt}};
  expect_golden(one, 12, "02 0102030405060708090a0b0c0d0e0f10 00 00  01 01  00");

  MetadataResponse response;
  response.cluster_id = "c";
  response.controller_id = 1;
  response.topics = {{.error_code = ErrorCode::kUnknownTopicId, .name = {}, .topic_id = id}};
  expect_golden(response, 12,
                "00000000  01  02 63  00000001"
                "  02 0064 00 0102030405060708090a0b0c0d0e0f10 00 01 80000000 00  00");
}

// Goal: records are a view of the frame with a length of four bytes, then a varint. Method:
// versions 3 and 9; the view points into the input.
TEST(Golden, ProduceRequest) {
  base::Bytes batch = from_hex("aabbcc");
  ProduceRequest request;
  request.acks = -1;
  request.timeout_ms = 30'000;
  request.topic_data = {
      {.name = "t", .partition_data = {{.index = 2, .records = Records::of(batch)}}}};
  expect_golden(request, 3,
                "ffff ffff 00007530  00000001 0001 74  00000001 00000002 00000003 aabbcc");
  expect_golden(request, 9, "00 ffff 00007530  02 02 74  02 00000002 04 aabbcc 00 00 00");
  expect_golden(request, 0, "ffff 00007530  00000001 0001 74  00000001 00000002 00000003 aabbcc");

  base::Bytes frame = from_hex("00 ffff 00007530  02 02 74  02 00000002 04 aabbcc 00 00 00");
  Reader in(frame);
  ProduceRequest decoded;
  ASSERT_TRUE(decoded.decode(in, 9));
  const Records& records = decoded.topic_data[0].partition_data[0].records;
  EXPECT_EQ(records.bytes.data(), frame.data() + 16);
  EXPECT_FALSE(records.is_null);
}

// Goal: what older produce responses lack is left out, and a current leader travels in tag 0 only
// if it is set. Method: versions 0, 2, 9 and 10.
TEST(Golden, ProduceResponse) {
  ProduceResponse response;
  response.responses = {{.name = "t", .partition_responses = {{.index = 0, .base_offset = 7}}}};
  expect_golden(response, 0, "00000001 0001 74 00000001 00000000 0000 0000000000000007");
  expect_golden(response, 2,
                "00000001 0001 74 00000001 00000000 0000 0000000000000007 ffffffffffffffff"
                "  00000000");
  expect_golden(response, 9,
                "02 02 74 02 00000000 0000 0000000000000007 ffffffffffffffff ffffffffffffffff"
                "  01 00 00  00  00000000 00");
  response.responses[0].partition_responses[0].current_leader = {.leader_id = 3, .leader_epoch = 4};
  expect_golden(response, 10,
                "02 02 74 02 00000000 0000 0000000000000007 ffffffffffffffff ffffffffffffffff"
                "  01 00 01 00 09 00000003 00000004 00  00  00000000 00");
}

// Goal: replica state and directory travel in tags, with the numbers that each version knows.
// Method: versions 4, 12 and 17 of the request.
TEST(Golden, FetchRequest) {
  FetchRequest request;
  request.max_wait_ms = 500;
  request.min_bytes = 1;
  request.topics = {{.topic = "t", .partitions = {{.partition = 1, .fetch_offset = 9}}}};
  request.topics[0].partitions[0].partition_max_bytes = 10;
  expect_golden(request, 4,
                "ffffffff 000001f4 00000001 7fffffff 00"
                "  00000001 0001 74 00000001 00000001 0000000000000009 0000000a");
  expect_golden(request, 12,
                "ffffffff 000001f4 00000001 7fffffff 00 00000000 ffffffff"
                "  02 02 74 02 00000001 ffffffff 0000000000000009 ffffffff ffffffffffffffff"
                "  0000000a 00 00  01  01  00");
  request.topics[0].topic.clear();
  request.topics[0].topic_id = {.high = 1, .low = 2};
  request.replica_state = {.replica_id = 5, .replica_epoch = 6};
  request.topics[0].partitions[0].replica_directory_id = {.high = 3, .low = 4};
  expect_golden(request, 17,
                "000001f4 00000001 7fffffff 00 00000000 ffffffff"
                "  02 00000000000000010000000000000002"
                "  02 00000001 ffffffff 0000000000000009 ffffffff ffffffffffffffff 0000000a"
                "  01 00 10 00000000000000030000000000000004 00  01  01"
                "  01 01 0d 00000005 0000000000000006 00");
}

// Goal: a tag that the version does not have yet is skipped as unknown, though a later version
// knows it. Method: version 12 with the replica state (tag 1 since 15) and, in a partition, the
// directory (tag 0 since 17).
TEST(Golden, TagOfALaterVersionIsSkipped) {
  base::Bytes bytes = from_hex(
      "ffffffff 000001f4 00000001 7fffffff 00 00000000 ffffffff"
      "  02 02 74 02 00000001 ffffffff 0000000000000009 ffffffff ffffffffffffffff 0000000a"
      "  01 00 10 00000000000000030000000000000004 00  01  01"
      "  01 01 0d 00000005 0000000000000006 00");
  Reader in(bytes);
  FetchRequest request;
  ASSERT_TRUE(request.decode(in, 12)) << in.error();
  EXPECT_EQ(in.remaining(), 0u);
  EXPECT_EQ(request.replica_state, FetchRequest::ReplicaState{});
  EXPECT_TRUE(request.topics[0].partitions[0].replica_directory_id.is_zero());
}

// Goal: a response of the newest form, with aborted transactions null and a diverging epoch in its
// tag, and the place of records that are sent from a file. Method: version 12 by hand; then the
// same with a splice instead of bytes, which must leave a gap of exactly those bytes.
TEST(Golden, FetchResponse) {
  base::Bytes batch = from_hex("aabbcc");
  FetchResponse response;
  FetchResponse::PartitionData partition;
  partition.high_watermark = 8;
  partition.diverging_epoch = {.epoch = 1, .end_offset = 2};
  partition.aborted_transactions.reset();
  partition.records = Records::of(batch);
  response.responses = {{.topic = "t", .partitions = {partition}}};
  const std::string head =
      "00000000 0000 00000000  02 02 74 02 00000000 0000 0000000000000008 ffffffffffffffff"
      "  ffffffffffffffff 00 ffffffff 04";
  const std::string tail = "01 00 0d 00000001 0000000000000002 00  00  00";
  expect_golden(response, 12, head + "aabbcc" + tail);

  response.responses[0].partitions[0].records = Records::external(3, 40);
  Writer out;
  response.encode(out, 12);
  EXPECT_EQ(to_hex(out.bytes()), to_hex(from_hex(head + tail)));
  ASSERT_EQ(out.splices().size(), 1u);
  EXPECT_EQ(out.splices()[0], (Splice{.position = from_hex(head).size(), .index = 40, .size = 3}));
  EXPECT_EQ(out.total_size(), out.size() + 3);
}

// Goal: committed offsets as Kafka keeps them, before and after the topic id of version 4. Method:
// key and value with their leading type and version.
TEST(Golden, OffsetCommitRecord) {
  OffsetCommitKey key{.group = "g", .topic = "t", .partition = 3};
  EXPECT_EQ(to_hex(encode_coordinator_key(key).value()),
            "0001000167000174"
            "00000003");
  OffsetCommitValue value{.offset = 5, .leader_epoch = 2, .metadata = "m", .commit_timestamp = 6};
  std::string v3 = "0003 0000000000000005 00000002 0001 6d 0000000000000006";
  EXPECT_EQ(to_hex(encode_coordinator_value(value, 3).value()), to_hex(from_hex(v3)));
  value.topic_id = {.high = 1, .low = 2};
  std::string v4 =
      "0004 0000000000000005 00000002 02 6d 0000000000000006"
      "  01 00 10 00000000000000010000000000000002";
  EXPECT_EQ(to_hex(encode_coordinator_value(value, 4).value()), to_hex(from_hex(v4)));

  OffsetCommitValue decoded;
  EXPECT_EQ(decode_coordinator_value(from_hex(v4), decoded), 4);
  EXPECT_EQ(decoded, value);
  EXPECT_EQ(decode_coordinator_value(from_hex(v3), decoded), 3);
  EXPECT_TRUE(decoded.topic_id.is_zero()) << "nothing is left from the decoding before";
  EXPECT_EQ(decode_coordinator_value(from_hex("0005 00"), decoded), std::nullopt);
  EXPECT_EQ(decode_coordinator_value(from_hex("00"), decoded), std::nullopt);
  EXPECT_EQ(decode_coordinator_value(from_hex(v3 + "00"), decoded), std::nullopt);
  OffsetCommitKey decoded_key;
  EXPECT_TRUE(decode_coordinator_key(from_hex("0001 000167 000174 00000003"), decoded_key));
  EXPECT_EQ(decoded_key, key);
  EXPECT_FALSE(decode_coordinator_key(from_hex("0002 000167 000174 00000003"), decoded_key));
  EXPECT_EQ(coordinator_prefix(from_hex("0001 000167")), 1);
  EXPECT_EQ(coordinator_prefix(from_hex("00")), std::nullopt);
  key.group = std::string(40'000, 'g');
  EXPECT_EQ(encode_coordinator_key(key), std::nullopt);
}

}  // namespace
}  // namespace wire
