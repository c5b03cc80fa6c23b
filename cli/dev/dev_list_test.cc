#include "cli/dev/dev_list.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace cli {
namespace {

DevMembers some() {
  return {{.id = 1,
           .role = DevRole::kBroker,
           .process = ProcessId{.pid = 41, .started = 7'000'000'000},
           .kafka = 9092,
           .internal = 20'001,
           .http = 9644,
           .log = "/d/broker-1/broker.log"},
          {.id = 1,
           .role = DevRole::kController,
           .http = 9660,
           .grpc = 20'002,
           .log = "/d/controller-1/controller.log"}};
}

// Goal: what programs read there is as promised. Method: look at the document.
TEST(DevList, IsAListOfNodesForPrograms) {
  const auto json = nlohmann::json::parse(format_members(some()));
  ASSERT_EQ(json.size(), 2);
  EXPECT_EQ(json[0]["id"], 1);
  EXPECT_EQ(json[0]["role"], "broker");
  EXPECT_EQ(json[0]["pid"], 41);
  EXPECT_EQ(json[0]["kafka"], "127.0.0.1:9092");
  EXPECT_EQ(json[0]["internal"], "127.0.0.1:20001");
  EXPECT_EQ(json[0]["http"], "127.0.0.1:9644");
  EXPECT_TRUE(json[0]["grpc"].is_null());
  EXPECT_EQ(json[0]["log"], "/d/broker-1/broker.log");
  EXPECT_TRUE(json[1]["pid"].is_null());
  EXPECT_TRUE(json[1]["kafka"].is_null());
  EXPECT_EQ(json[1]["grpc"], "127.0.0.1:20002");
}

// Goal: nothing is lost between two starts. Method: format, parse, format.
TEST(DevList, ComesBackAsItWas) {
  const auto back = parse_members(format_members(some()));
  ASSERT_TRUE(back.has_value()) << back.error();
  EXPECT_EQ(format_members(*back), format_members(some()));
  EXPECT_EQ(back->front().process, some().front().process);
}

// Goal: a file that somebody changed is refused, not misread. Method: several kinds of wrong.
TEST(DevList, RefusesWhatItDidNotWrite) {
  for (const char* text : {"", "{}", "[1]", R"([{"id": 1}])"}) {
    EXPECT_FALSE(parse_members(text).has_value()) << text;
  }
  std::string foreign = format_members(some());
  foreign.replace(foreign.find("127.0.0.1:9092"), 9, "10.0.0.12");
  EXPECT_FALSE(parse_members(foreign).has_value());
  std::string role = format_members(some());
  role.replace(role.find("\"broker\""), 8, "\"keeper\"");
  EXPECT_FALSE(parse_members(role).has_value());
}

}  // namespace
}  // namespace cli
