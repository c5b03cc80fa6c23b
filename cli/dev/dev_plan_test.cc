#include "cli/dev/dev_plan.h"

#include <gtest/gtest.h>

#include "common/config/yaml_config.h"

namespace cli {
namespace {

// Gives what is preferred but for the ports listed as taken, else 20000, 20001, ...
class Ports {
 public:
  std::uint16_t operator()(std::uint16_t preferred) {
    return preferred != 0 && preferred != taken ? preferred : next++;
  }
  std::uint16_t taken = 0;
  std::uint16_t next = 20'000;
};

DevMembers plan(const DevShape& shape, const DevMembers& before = {}, Ports ports = {}) {
  auto members = plan_members(shape, before, "/d", ports);
  EXPECT_TRUE(members.has_value()) << members.error();
  return members.value_or(DevMembers{});
}

// Goal: three and three, broker 1 where it was asked for, the others beside it. Method: plan anew.
TEST(DevPlan, PlacesThreeOfEach) {
  const auto members = plan({.brokers = 3, .controllers = 3, .port = 5000, .http_port = 6000});
  ASSERT_EQ(members.size(), 6);
  EXPECT_EQ(members[0].title(), "broker 1");
  EXPECT_EQ(members[0].kafka, 5000);
  EXPECT_EQ(members[0].http, 6000);
  EXPECT_EQ(members[2].kafka, 5002);
  EXPECT_NE(members[2].internal, 0);
  EXPECT_EQ(members[2].grpc, 0);
  EXPECT_EQ(members[5].title(), "controller 3");
  EXPECT_NE(members[5].grpc, 0);
  EXPECT_EQ(members[5].kafka, 0);
  EXPECT_EQ(members[5].log, "/d/controller-3/controller.log");
}

// Goal: nobody keeps a port that the system gives to outgoing connections, unless told to. Method:
// a first port up there.
TEST(DevPlan, KeepsOffEphemeralPorts) {
  const auto members = plan({.brokers = 2, .port = 40'000, .http_port = 32'767});
  EXPECT_EQ(members[0].kafka, 40'000);
  EXPECT_EQ(members[0].http, 32'767);
  EXPECT_LT(members[1].kafka, 32'768);
  EXPECT_LT(members[1].http, 32'767);
}

// Goal: a number that is not given has a sensible default. Method: one of the two.
TEST(DevPlan, CompletesTheShape) {
  EXPECT_EQ(plan({.brokers = 3}).size(), 6);
  EXPECT_EQ(plan({.brokers = 1}).size(), 2);
  EXPECT_EQ(plan({.controllers = 1}).size(), 4);
}

// Goal: ids and ports are kept, and who is not wanted this time is not forgotten. Method: plan
// again with other numbers and other ports free.
TEST(DevPlan, KeepsWhatWasThere) {
  auto before = plan({.brokers = 3, .controllers = 3, .port = 0, .http_port = 0});
  before[1].process = ProcessId{.pid = 5};
  const auto again = plan({.brokers = 4}, before, {.taken = 0, .next = 25'000});
  ASSERT_EQ(again.size(), 7);
  EXPECT_EQ(again[1].kafka, before[1].kafka);
  EXPECT_FALSE(again[1].process.has_value());
  EXPECT_GE(again[3].internal, 25'000);
  EXPECT_EQ(again[4].grpc, before[3].grpc);
  EXPECT_EQ(plan({.brokers = 1}, again).size(), 7);
  EXPECT_EQ(brokers_wanted({.controllers = 3}, again), 4);
}

// Goal: what cannot be is said. Method: wrong numbers, another quorum, a port that somebody has.
TEST(DevPlan, RefusesWhatCannotBe) {
  const auto error = [](const DevShape& shape, const DevMembers& before = {}, Ports ports = {}) {
    auto members = plan_members(shape, before, "/d", ports);
    return members ? "" : members.error();
  };
  EXPECT_EQ(error({.brokers = 0}), "--brokers 0: 1 to 16 fit on one machine");
  EXPECT_EQ(error({.controllers = 2}), "--controllers 2: a quorum has 1, 3 or 5");
  const auto before = plan({.brokers = 3, .controllers = 3});
  EXPECT_EQ(error({.controllers = 1}, before), "--controllers 1: the cluster in /d has 3");
  EXPECT_EQ(error({.brokers = 3, .port = 7000}, before, {.taken = 7000}), "port 7000 is taken");
  EXPECT_EQ(error({.brokers = 3, .port = 7000}, {}, {.taken = 7000}), "port 7000 is taken");
}

// Goal: a broker's file can be read and makes it that broker, whatever the user gave. Method: read
// the text back as the program does.
TEST(DevPlan, ConfiguresBrokers) {
  const auto members = plan({.brokers = 2, .controllers = 3, .port = 5000});
  const config::GivenValues given = {{"node.id", {"9", "--set"}},
                                     {"num.partitions", {"6", "--set"}}};
  config::LoadInput input;
  input.file_name = "moldau.yaml";
  input.file_text = config_text(members[1], members, given, "/d \"x\"");
  auto broker = config::load(input);
  ASSERT_TRUE(broker.has_value()) << broker.error();
  EXPECT_EQ(broker->at("node.id").value, "2");
  EXPECT_EQ(broker->at("num.partitions").value, "6");
  EXPECT_TRUE(broker->at("listeners")
                  .value.starts_with("PLAINTEXT://127.0.0.1:5001,INTERNAL://127.0.0.1:"));
  EXPECT_EQ(broker->at("inter.broker.listener.name").value, "INTERNAL");
  EXPECT_EQ(broker->at("moldau.data.dir").value, "/d \"x\"/broker-2/data");
  EXPECT_TRUE(broker->at("controller.quorum.voters").value.starts_with("1@127.0.0.1:"));
}

// Goal: a controller gets what it needs and nothing of the brokers' addresses. Method: look at the
// text.
TEST(DevPlan, ConfiguresControllers) {
  const auto members = plan({.brokers = 2, .controllers = 3, .port = 5000});
  const config::GivenValues given = {{"listeners", {"PLAINTEXT://:1", "--set"}},
                                     {"num.partitions", {"6", "--set"}}};
  const std::string text = config_text(members[4], members, given, "/d");
  const auto has = [&](const std::string& line) { return text.contains("\n" + line + "\n"); };
  EXPECT_TRUE(has("node.id: \"3\"")) << text;
  EXPECT_TRUE(has("moldau.grpc.listen: \"127.0.0.1:" + std::to_string(members[4].grpc) + "\""));
  EXPECT_TRUE(has("log.dirs: \"/d/controller-3/data\""));
  EXPECT_TRUE(has("num.partitions: \"6\""));
  EXPECT_FALSE(text.contains("listeners")) << text;
}

}  // namespace
}  // namespace cli
