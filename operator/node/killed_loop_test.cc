// The operator is killed before each single write to the API server, in the whole loop: informers,
// queue, plans, actions. Another process takes over with nothing but what is there.
#include <gtest/gtest.h>

#include "operator/node/test_operator.h"

namespace kube {
namespace {

// What happens to a cluster: what it was, and what is wanted then.
struct Story {
  const char* name;
  Json before;
  Json after;  // null: it is installed
  std::size_t pods;
};

const Story kStories[] = {
    {"an installation", Json::object(), nullptr, 6},
    {"a roll", Json::object(), {{"image", "localhost/moldau:next"}}, 6},
    {"a config online", Json::object(), {{"config", {{"message.max.bytes", 2000000}}}}, 6},
    {"a fourth broker", Json::object(), {{"brokers", {{"replicas", 4}}}}, 7},
    {"a drain", {{"brokers", {{"replicas", 4}}}}, {{"brokers", {{"replicas", 3}}}}, 6},
    {"a quorum that grows", {{"controllers", {{"replicas", 1}}}}, Json::object(), 6},
    {"a quorum that shrinks", Json::object(), {{"controllers", {{"replicas", 1}}}}, 4},
};

class KilledLoop : public testing::TestWithParam<Story> {
 protected:
  // Tells the story with an operator that dies before its `after`th write since the change (never,
  // if it has fewer) and another that follows. False when the first one lived to the end.
  bool tell(const Story& story, std::uint64_t after) {
    Scene scene;
    const bool installs = story.after.is_null();
    Instance* first = nullptr;
    if (!installs) {
      first = &scene.start();
      scene.apply_cluster("demo", story.before);
      scene.apply_topic("orders", {{"partitions", 6}});
      const bool there =
          scene.until([&] { return scene.ready() && scene.is(kTopics, "orders", "Ready"); });
      EXPECT_TRUE(there) << scene.why();
    } else {
      first = &scene.start();
    }
    scene.nodes.worst_away = 0;
    first->api.kill_before_write(after);
    scene.apply_cluster("demo", installs ? story.before : story.after);
    const auto done = [&] { return scene.ready() && scene.pods() == story.pods; };
    EXPECT_TRUE(scene.until([&] { return first->api.dead() || done(); })) << scene.why();
    const bool killed = first->api.dead();
    if (killed) {
      scene.end(*first);
      scene.start();
      EXPECT_TRUE(scene.until(done)) << story.name << ", killed before write " << after << "\n"
                                     << scene.why();
    }
    EXPECT_LE(scene.nodes.worst_away, 1U) << after;
    return killed;
  }
};

// Goal: whichever write it died before, all is as wanted in the end, and never were two brokers
// away.
TEST_P(KilledLoop, BeforeAnyWrite) {
  std::uint64_t writes = 0;
  while (tell(GetParam(), writes) && !HasFailure()) ++writes;
  EXPECT_GE(writes, 2U);
  RecordProperty("writes", static_cast<int>(writes));
}

INSTANTIATE_TEST_SUITE_P(Stories, KilledLoop, testing::ValuesIn(kStories), [](const auto& info) {
  std::string out = info.param.name;
  std::ranges::replace(out, ' ', '_');
  return out;
});

// Goal: one death after the other, each a few writes after the last: it gets there all the same.
TEST(KilledLoopAgain, AndAgain) {
  Scene scene;
  scene.apply_cluster();
  scene.apply_topic("orders", {{"partitions", 6}});
  int lives = 0;
  std::uint64_t after = 0;
  const auto live_through = [&](const std::function<bool()>& done) {
    for (; lives < 300; ++lives) {
      Instance& mine = scene.start();
      mine.api.kill_before_write(after);
      after = (after + 1) % 4;
      const bool good = scene.until([&] { return mine.api.dead() || done(); }) && !mine.api.dead();
      if (good) return true;
      scene.end(mine);
      scene.world.run_for(milliseconds(150));
    }
    return false;
  };
  const auto ready = [&] { return scene.ready(); };
  const bool there =
      live_through([&] { return scene.ready() && scene.is(kTopics, "orders", "Ready"); });
  ASSERT_TRUE(there) << scene.why();
  EXPECT_GT(lives, 10);
  scene.nodes.worst_away = 0;
  scene.apply_cluster("demo", {{"image", "localhost/moldau:next"}});
  ASSERT_TRUE(live_through(ready)) << scene.why();
  EXPECT_EQ(scene.nodes.worst_away, 1U);
  scene.apply_cluster("demo", {{"image", "localhost/moldau:next"}, {"brokers", {{"replicas", 4}}}});
  ASSERT_TRUE(live_through(ready)) << scene.why();
  EXPECT_EQ(scene.pods(), 7U);
}

}  // namespace
}  // namespace kube
