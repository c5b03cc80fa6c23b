#include "operator/node/control.h"

#include <gtest/gtest.h>

#include "operator/node/test_world.h"

namespace kube {
namespace {

using std::chrono::seconds;

class ControlTest : public testing::Test {
 protected:
  ControlTest() {
    auto& cluster = nodes.cluster("n", "demo");
    cluster.look({1, 2, 3}, {1, 2, 3}, 3);
  }
  // Runs a task to its end.
  template <class T>
  T run(io::Task<T> task) {
    std::optional<T> out;
    io::spawn(
        [](io::Task<T> inner, std::optional<T>& into) -> io::Task<void> {
          into.emplace(co_await std::move(inner));
        }(std::move(task), out),
        [] {});
    EXPECT_TRUE(world.run_until([&] { return out.has_value(); }, seconds(60)));
    return std::move(*out);
  }
  TestCluster& cluster() { return nodes.cluster("n", "demo"); }

  sim::World world{2};
  TestServer server;
  TestNodes nodes{world, server};
  sim::SimExecutor executor{world, "control"};
  Control control{executor, nodes.connect(executor, "n", "demo")};
};

// Goal: what the controllers say arrives as values.
TEST_F(ControlTest, Observes) {
  cluster().configs["retention.ms"] = "5";
  cluster().brokers[2].fenced = true;
  const auto seen = run(control.observe());
  ASSERT_TRUE(seen.has_value()) << seen.error();
  EXPECT_EQ(seen->cluster_id.size(), 22u);
  EXPECT_EQ(seen->leader_id, 1);
  EXPECT_EQ(seen->voters.size(), 3u);
  ASSERT_EQ(seen->brokers.size(), 3u);
  EXPECT_TRUE(seen->brokers[1].fenced);
  EXPECT_EQ(seen->cluster_configs.at("retention.ms"), "5");
  EXPECT_FALSE(seen->healthy);
  ASSERT_FALSE(seen->findings.empty());
  EXPECT_EQ(seen->findings[0].kind, FindingSeen::Kind::kBrokerFenced);
  EXPECT_EQ(seen->findings[0].broker, 2);
}

// Goal: without an active controller there is an error, and nothing else.
TEST_F(ControlTest, SaysThatNobodyAnswers) {
  cluster().controllers_up.clear();
  const auto seen = run(control.observe());
  ASSERT_FALSE(seen.has_value());
  EXPECT_NE(seen.error().find("no controller leads"), std::string::npos);
  EXPECT_FALSE(run(control.topic("t")).has_value());
  EXPECT_FALSE(run(control.order(CreateTopic{"t", 1, 1, {}})).has_value());
}

// Goal: questions about many topics are one call; each gets its own answer.
TEST_F(ControlTest, GathersTopics) {
  const std::uint64_t before = cluster().calls;
  int made = 0;
  int refused = 0;
  for (int i = 0; i < 50; ++i) {
    CreateTopic order{"t" + std::to_string(i), 2, i == 7 ? 9 : 3, {{"a", "b"}}};
    io::spawn([](Control& asked, Action action, int& good, int& bad) -> io::Task<void> {
      const auto result = co_await asked.order(std::move(action));
      ++(result ? good : bad);
    }(control, std::move(order), made, refused));
  }
  EXPECT_TRUE(world.run_until([&] { return made + refused == 50; }, seconds(5)));
  EXPECT_EQ(refused, 1);
  EXPECT_EQ(cluster().calls - before, 1u);
  const auto there = run(control.topic("t3"));
  ASSERT_TRUE(there.has_value() && there->has_value());
  EXPECT_EQ((*there)->partitions.size(), 2u);
  EXPECT_EQ((*there)->configs.at("a"), "b");
  const auto none = run(control.topic("t7"));
  ASSERT_TRUE(none.has_value());
  EXPECT_FALSE(none->has_value());
}

// Goal: what had been done before is no failure.
TEST_F(ControlTest, RepeatedOrdersAreFine) {
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(run(control.order(CreateTopic{"t", 1, 1, {}})).has_value());
    EXPECT_TRUE(run(control.order(AddVoter{2, "h", 9094})).has_value());
    EXPECT_TRUE(run(control.order(RemoveVoter{9})).has_value());
    EXPECT_TRUE(run(control.order(UnregisterBroker{9})).has_value());
    EXPECT_TRUE(run(control.order(DrainBroker{3})).has_value());
    EXPECT_TRUE(run(control.order(ResumeBroker{3})).has_value());
  }
  const auto id = (*run(control.topic("t")))->id;
  EXPECT_TRUE(run(control.order(DeleteTopic{"t", id})).has_value());
  EXPECT_TRUE(run(control.order(DeleteTopic{"t", id})).has_value());
  EXPECT_FALSE(run(control.order(DrainBroker{9})).has_value());
  EXPECT_FALSE(run(control.order(EmitEvent{})).has_value());
}

// Goal: questions are answered; an error of one of them is its answer.
TEST_F(ControlTest, AnswersQuestions) {
  world.run_for(seconds(1));
  auto seen = run(control.observe());
  ASSERT_TRUE(seen.has_value());
  ClusterQuestions questions;
  questions.may_restart = {1, 9};
  questions.drains = {2};
  questions.even_out = true;
  struct Nothing {};
  run([](Control& asked, ClusterQuestions all, ControlSeen& into) -> io::Task<Nothing> {
    co_await asked.answer(std::move(all), into);
    co_return Nothing{};
  }(control, questions, *seen));
  EXPECT_FALSE(seen->may_restart.at(9).yes);
  EXPECT_FALSE(seen->may_restart.at(9).reasons.empty());
  EXPECT_EQ(seen->drains.at(2).replicas_left, 0);
  EXPECT_EQ(seen->even_out_moves, 0);
}

}  // namespace
}  // namespace kube
