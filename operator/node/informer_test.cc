#include "operator/node/informer.h"

#include <gtest/gtest.h>

#include "operator/node/test_kube.h"

namespace kube {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

class InformerTest : public testing::Test {
 protected:
  InformerTest() { informer = make(""); }
  std::unique_ptr<Informer> make(const std::string& ns) {
    return std::make_unique<Informer>(executor, api, diag, base::Random(5),
                                      Informer::Scope{&kConfigMaps, ns, "", 3}, store,
                                      [this](const Json& object, bool gone) {
                                        told.push_back((gone ? "-" : "+") + meta_name(object));
                                      });
  }
  void add(const std::string& name, const std::string& ns = "n") {
    server.create(kConfigMaps, {{"metadata", {{"name", name}, {"namespace", ns}}}});
  }
  void touch(const std::string& name) {
    server.change(kConfigMaps, "n", name,
                  [&](Json& object) { object["data"]["x"] = std::to_string(server.version()); });
  }
  // The store is as the server.
  bool same() const {
    std::vector<Json> have;
    store.each([&](const Json& each) { have.push_back(each); });
    return have == server.all(kConfigMaps);
  }
  bool settle(base::Duration limit = minutes(2)) {
    return world.run_until([&] { return informer->synced() && same(); }, limit);
  }

  sim::World world{3};
  sim::SimExecutor executor{world, "informer"};
  TestServer server;
  TestApi api{world, executor, server};
  base::SilentDiag diag;
  Store store{[](const Json&) { return std::vector<std::string>{"all"}; }};
  std::vector<std::string> told;
  std::unique_ptr<Informer> informer;
};

// Goal: what is there comes by pages, what happens later by the watch.
TEST_F(InformerTest, ListsAndWatches) {
  for (const char* name : {"a", "b", "c", "d", "e", "f", "g"}) add(name);
  informer->start();
  ASSERT_TRUE(settle());
  EXPECT_EQ(told.size(), 7u);
  EXPECT_EQ(store.of("all").size(), 7u);
  EXPECT_EQ(text_at(*store.find("n", "a"), {"kind"}), "ConfigMap");
  add("h");
  touch("a");
  server.remove(kConfigMaps, "n", "b");
  ASSERT_TRUE(settle());
  EXPECT_EQ(informer->lists(), 1u);
  EXPECT_EQ(std::vector(told.begin() + 7, told.end()),
            (std::vector<std::string>{"+h", "+a", "-b"}));
}

// Goal: a history that is gone is made up for: what vanished is told as deleted, what is the same
// is not told.
TEST_F(InformerTest, ListsAgainWhenTooOld) {
  for (const char* name : {"a", "b", "c"}) add(name);
  informer->start();
  ASSERT_TRUE(settle());
  told.clear();
  api.cut(true);
  world.run_for(seconds(1));
  server.remove(kConfigMaps, "n", "a");
  touch("b");
  add("d");
  server.compact();
  api.cut(false);
  ASSERT_TRUE(settle());
  std::ranges::sort(told);
  EXPECT_EQ(told, (std::vector<std::string>{"+b", "+d", "-a"}));
  EXPECT_EQ(informer->lists(), 2u);
}

// Goal: a server that is away makes nothing vanish, and is not asked without pause.
TEST_F(InformerTest, KeepsWhatItHasWhileCutOff) {
  add("a");
  informer->start();
  ASSERT_TRUE(settle());
  api.cut(true);
  world.run_for(minutes(5));
  EXPECT_EQ(store.size(), 1u);
  EXPECT_NE(informer->trouble(), "");
  EXPECT_LT(api.watches_opened + informer->lists(), 60u);
  touch("a");
  api.cut(false);
  ASSERT_TRUE(settle(seconds(30)));
  world.run_for(seconds(20));
  touch("a");
  ASSERT_TRUE(settle(seconds(30)));
  EXPECT_EQ(informer->trouble(), "");
}

// Goal: a kind that is not known for a while (404) makes nothing vanish.
TEST_F(InformerTest, NotFoundIsNoDeletion) {
  add("a");
  informer->start();
  ASSERT_TRUE(settle());
  for (int i = 0; i < 10; ++i) {
    api.end_watches(ApiError{404, "NotFound", "the server could not find the requested resource"});
    world.run_for(seconds(1));
  }
  EXPECT_EQ(store.size(), 1u);
}

// Goal: one's own write that is newer than what the watch tells stays.
TEST_F(InformerTest, OlderNewsChangeNothing) {
  add("a");
  informer->start();
  ASSERT_TRUE(settle());
  touch("a");
  Json mine = *server.find(kConfigMaps, "n", "a");
  mine["data"]["x"] = "mine";
  mine["metadata"]["resourceVersion"] = std::to_string(server.version() + 50);
  store.put(mine);
  world.run_for(seconds(1));
  EXPECT_EQ(text_at(*store.find("n", "a"), {"data", "x"}), "mine");
}

// Goal: informers of two namespaces share a store and do not undo each other.
TEST_F(InformerTest, SharesStoreByNamespace) {
  informer = make("n");
  auto other = make("m");
  add("a", "n");
  add("b", "m");
  informer->start();
  other->start();
  ASSERT_TRUE(settle());
  server.compact();
  api.end_watches(ApiError{410, "Expired", ""});
  world.run_for(seconds(1));
  EXPECT_TRUE(same());
  EXPECT_EQ(told, (std::vector<std::string>{"+a", "+b"}));
}

// Goal: an informer may end at any time.
TEST_F(InformerTest, EndsWhileListing) {
  add("a");
  informer->start();
  informer.reset();
  world.run_for(seconds(1));
  EXPECT_TRUE(told.empty());
}

// Goal: whatever happens to the watches, the store ends up as the server. Method: random changes,
// cuts and compactions.
TEST_F(InformerTest, EndsUpAsTheServer) {
  base::Random random(9);
  informer->start();
  for (int i = 0; i < 400; ++i) {
    const std::string name = "c" + std::to_string(random.below(20));
    if (!server.find(kConfigMaps, "n", name)) {
      add(name);
    } else if (random.chance(1, 3)) {
      server.remove(kConfigMaps, "n", name);
    } else {
      touch(name);
    }
    if (random.chance(1, 20)) server.compact();
    if (random.chance(1, 15)) api.cut(random.chance(1, 2));
    if (random.chance(1, 15)) api.end_watches(std::nullopt);
    world.run_for(milliseconds(random.between(1, 300)));
  }
  api.cut(false);
  EXPECT_TRUE(settle());
}

}  // namespace
}  // namespace kube
