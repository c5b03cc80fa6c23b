#include "broker/node/recall.h"

#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "common/meta/apply.h"
#include "tests/sim/sim_executor.h"

namespace broker {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Brokers 1 to 12 on a clock that only the test moves; this one is `self`.
class RecallTest : public testing::Test {
 protected:
  RecallTest() { start(1); }

  void start(std::int32_t self) {
    recall = std::make_unique<Recall>(base::BrokerId(self), executor, [this](bool again) {
      recalled.push_back(world.now());
      again_told.push_back(again);
    });
    image = std::make_shared<const meta::Image>();
    proto::RecordBatch batch;
    for (int id = 1; id <= 12; ++id) {
      batch.add_records()->mutable_broker()->set_broker_id(id);
    }
    apply(batch);
  }
  void apply(const proto::RecordBatch& batch) {
    auto step = meta::apply_entry(image, image->offset() + 1, 1, batch.SerializeAsString());
    ASSERT_TRUE(step.has_value()) << step.error();
    image = step->image;
    recall->on_change(*image, step->delta);
  }
  static void put(proto::RecordBatch& batch, const meta::Image& image, std::int32_t id, bool fenced,
                  bool silent) {
    auto* change = batch.add_records()->mutable_broker_change();
    change->set_broker_id(id);
    change->set_broker_epoch(image.broker(base::BrokerId(id))->epoch.value());
    change->set_fenced(fenced);
    change->set_silent(silent);
  }
  void change(std::int32_t id, bool fenced, bool silent) {
    proto::RecordBatch batch;
    put(batch, *image, id, fenced, silent);
    apply(batch);
  }
  void falls_silent(std::int32_t id) { change(id, true, true); }
  void is_back(std::int32_t id) { change(id, false, false); }
  std::size_t recalls_within(base::Duration time) {
    executor.post([] {});  // the world looks at timers behind events
    world.run_for(time);
    return std::exchange(recalled, {}).size();
  }

  sim::World world{1};
  sim::SimExecutor executor{world, "broker"};
  meta::ImagePtr image;
  std::vector<base::Instant> recalled;
  std::vector<bool> again_told;
  std::unique_ptr<Recall> recall;
};

// Goal: one recall for each silence; none for a broker that ended, or for other news of one that
// is silent already.
TEST_F(RecallTest, OnceForEachSilence) {
  change(3, true, false);
  EXPECT_EQ(recalls_within(seconds(20)), 0U);
  falls_silent(2);
  EXPECT_EQ(recalls_within(Recall::kFirst - milliseconds(1)), 0U);
  EXPECT_EQ(recalls_within(milliseconds(2)), 1U);
  falls_silent(2);
  EXPECT_EQ(recalls_within(seconds(20)), 0U);
  is_back(2);
  falls_silent(2);
  EXPECT_EQ(recalls_within(seconds(20)), 1U);
}

// Goal: what this broker hears of its own silence concerns nobody.
TEST_F(RecallTest, NotForItself) {
  falls_silent(1);
  EXPECT_EQ(recalls_within(seconds(20)), 0U);
}

// Goal: many that fall silent together, or again and again, are no reason for more than one recall
// in a while, and none is forgotten.
TEST_F(RecallTest, PausesBetweenRecalls) {
  proto::RecordBatch rack;
  for (int id = 2; id <= 6; ++id) put(rack, *image, id, true, true);
  apply(rack);
  EXPECT_EQ(recalls_within(seconds(1)), 1U);
  for (int i = 0; i < 8; ++i) {
    is_back(2);
    falls_silent(2);
    EXPECT_EQ(recalls_within(seconds(1)), 0U);
  }
  EXPECT_EQ(recalls_within(seconds(2)), 1U);
  EXPECT_EQ(recalls_within(seconds(20)), 0U);
}

// Goal: few brokers have several rounds, of which only the first is for all clients. Method: all
// but three of twelve end, then one of those falls silent.
TEST_F(RecallTest, FewBrokersHaveSeveralRounds) {
  for (int id = 4; id <= 12; ++id) change(id, true, false);
  again_told.clear();
  falls_silent(2);
  EXPECT_EQ(recalls_within(Recall::kFirst + 4 * Recall::kStep + milliseconds(1)), 3U);
  EXPECT_EQ(recalls_within(seconds(20)), 0U);
  EXPECT_EQ(again_told, (std::vector{false, true, true}));
}

// Goal: brokers recall their clients one after the other, those that are gone take no turn, and in
// a large cluster nobody waits long.
TEST_F(RecallTest, OneAfterTheOther) {
  std::map<std::int32_t, base::Duration> waits;
  for (const std::int32_t self : {1, 3, 4, 11}) {
    start(self);
    const base::Instant began = world.now();
    falls_silent(2);
    executor.post([] {});
    world.run_for(seconds(5));
    ASSERT_EQ(recalled.size(), 1U);
    waits[self] = recalled.front() - began;
    recalled.clear();
  }
  EXPECT_EQ(waits[1], Recall::kFirst);
  EXPECT_EQ(waits[3] - waits[1], Recall::kStep);
  EXPECT_EQ(waits[4] - waits[3], Recall::kStep);
  EXPECT_EQ(waits[11], waits[3]);  // nine live before it, in eight steps
}

}  // namespace
}  // namespace broker
