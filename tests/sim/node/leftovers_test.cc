// Folders in the log directories that are no partitions: what moves, deletes and doubts of the
// process before have left, or those of Apache Kafka.
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "tests/sim/node/scripted_life.h"

namespace sim {
namespace {

const std::vector<TopicSpec> kTopics = {{.name = "kept", .partitions = 1, .configs = {}}};
constexpr const char* kHash = ".0123456789abcdef0123456789abcdef";

class LeftoversRun : public ScriptedLife {
 public:
  explicit LeftoversRun(World& world) : ScriptedLife(world, {}, kTopics) {
    node_.log_dirs = {"/data/one", "/data/two"};
  }

  void run() {
    if (!begin() || !produce(3)) return;
    const std::string home = holds("/data/one") ? "/data/one" : "/data/two";
    const std::string other = home == "/data/one" ? "/data/two" : "/data/one";
    const auto id = node_.disk.read_file(home + "/kept-0/partition.metadata");
    node_.crash(false);
    ASSERT_TRUE(id);
    const std::string old_id = "version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ\n";
    // Of this very partition: its move goes on. Else it may be the only copy that there is.
    make(other + "/kept-0" + kHash + "-future", *id);
    make(home + "/kept-0" + kHash + "-future", old_id);
    make(home + "/kept-0.0123-future", "");  // some of it was removed
    make(other + "/gone-3" + kHash + "-future", old_id);
    make(other + "/empty-3" + kHash + "-future", "");
    ASSERT_TRUE(node_.disk.remove(other + "/empty-3" + kHash + "-future/" + kSegment));
    make(other + "/gone-4" + kHash + "-delete", old_id);
    make(other + "/gone-5" + kHash + "-stray", old_id);
    for (int i = 0; i < 2; ++i) {  // and a second start changes nothing more
      node_.start();
      until("it does not serve", [&] { return node_.serving(); });
      until("the move does not go on", [&] { return holds(other) && !holds(home); });
      world_.run_for(std::chrono::seconds(2));
      EXPECT_FALSE(there(other + "/kept-0" + kHash + "-future"));
      EXPECT_FALSE(there(home + "/kept-0" + kHash + "-future"));
      EXPECT_FALSE(there(home + "/kept-0.0123-future"));
      EXPECT_FALSE(there(home + "/kept-0.0123-stray"));
      EXPECT_FALSE(there(other + "/gone-3" + kHash + "-future"));
      EXPECT_TRUE(there(home + "/kept-0" + kHash + "-stray/" + kSegment));
      EXPECT_TRUE(there(other + "/gone-3" + kHash + "-stray/" + kSegment));
      EXPECT_FALSE(there(other + "/empty-3" + kHash + "-future"));
      EXPECT_FALSE(there(other + "/empty-3" + kHash + "-stray"));
      EXPECT_FALSE(there(other + "/gone-4" + kHash + "-delete"));
      EXPECT_TRUE(there(other + "/gone-5" + kHash + "-stray/" + kSegment));
      node_.crash(false);
    }
    read_everything(false);
  }

 private:
  static constexpr const char* kSegment = "00000000000000000000.log";
  bool there(const std::string& path) { return node_.disk.exists(path); }
  bool holds(const std::string& directory) { return there(directory + "/kept-0"); }
  void make(const std::string& path, const std::string& metadata) {
    ASSERT_TRUE(node_.disk.make_directories(path));
    ASSERT_TRUE(node_.disk.replace_file(path + "/partition.metadata", metadata));
    ASSERT_TRUE(node_.disk.replace_file(path + "/" + kSegment, "some records"));
  }
};

// Goal: deletes are ended and moves go on; whatever else may be the only copy of something is kept
// under a name that says so, and nobody reads it. Method: one folder of each kind in the
// directories of a node that has ended, which is then started twice.
TEST(Leftovers, AreEndedGoOnOrAreKept) {
  World world(3);
  auto run = std::make_unique<LeftoversRun>(world);
  run->run();
  EXPECT_FALSE(world.failed()) << world.why();
}

}  // namespace
}  // namespace sim
