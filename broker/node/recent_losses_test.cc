#include "broker/node/recent_losses.h"

#include <gtest/gtest.h>

#include "common/meta/apply.h"

namespace broker {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr base::BrokerId kTwo{2};
constexpr base::BrokerId kThree{3};
const base::Uuid kTopic{1, 2};

class Losses : public testing::Test {
 protected:
  Losses() {
    proto::Record topic;
    topic.mutable_topic()->set_name("t");
    meta::to_proto(kTopic, topic.mutable_topic()->mutable_topic_id());
    change({registration(kTwo), registration(kThree), topic, partition(0, kTwo),
            partition(1, kThree)});
  }

  static proto::Record registration(base::BrokerId id) {
    proto::Record record;
    record.mutable_broker()->set_broker_id(id.value());
    return record;
  }
  static proto::Record partition(std::int32_t index, base::BrokerId leader) {
    proto::Record record;
    auto* made = record.mutable_partition();
    meta::to_proto(kTopic, made->mutable_topic_id());
    made->set_partition(index);
    made->set_leader(leader.value());
    for (const auto id : {kTwo, kThree}) {
      made->add_replicas(id.value());
      made->add_isr(id.value());
    }
    return record;
  }
  proto::Record fence(bool fenced) const {
    proto::Record record;
    record.mutable_broker_change()->set_broker_id(kTwo.value());
    record.mutable_broker_change()->set_broker_epoch(image->broker(kTwo)->epoch.value());
    record.mutable_broker_change()->set_fenced(fenced);
    return record;
  }
  void change(const std::vector<proto::Record>& records) {
    proto::RecordBatch batch;
    for (const auto& each : records) *batch.add_records() = each;
    auto step = meta::apply_entry(image, image->offset() + 1, 1, batch.SerializeAsString());
    ASSERT_TRUE(step.has_value()) << step.error();
    losses.on_change(image, *step->image, step->delta, now);
    image = step->image;
  }
  bool moved(base::Offset told, std::size_t index = 0) const {
    return losses.moved_since(told, kTopic, index, now);
  }

  RecentLosses losses;
  meta::ImagePtr image = std::make_shared<const meta::Image>();
  base::Instant now{seconds(10)};
};

// Goal: a lost leader is in doubt for a while, however often it is lost meanwhile; once it was
// heard of again a new loss counts anew.
TEST_F(Losses, ADoubtEnds) {
  EXPECT_FALSE(losses.any());
  losses.lost(kTwo, now);
  EXPECT_TRUE(losses.any());
  EXPECT_TRUE(losses.doubted(kTwo, now));
  EXPECT_FALSE(losses.doubted(kThree, now));
  now += milliseconds(499);
  losses.lost(kTwo, now);
  EXPECT_TRUE(losses.doubted(kTwo, now));
  now += milliseconds(1);
  losses.lost(kTwo, now);
  EXPECT_FALSE(losses.doubted(kTwo, now));
  losses.heard(kTwo);
  EXPECT_FALSE(losses.any());
  losses.lost(kTwo, now);
  EXPECT_TRUE(losses.doubted(kTwo, now));
}

// Goal: what the controller decides ends the doubt: it was fenced, or is another process.
TEST_F(Losses, TheControllerDecides) {
  losses.lost(kTwo, now);
  change({fence(true)});
  EXPECT_FALSE(losses.doubted(kTwo, now));
  change({fence(false)});
  losses.lost(kTwo, now);
  change({registration(kTwo)});
  EXPECT_FALSE(losses.doubted(kTwo, now));
}

// Goal: what a fenced leader led has moved for who was told before, for a while, and nothing else.
TEST_F(Losses, WhatItLedHasMoved) {
  const base::Offset told = image->offset();
  EXPECT_FALSE(moved(told));
  change({fence(true)});
  EXPECT_TRUE(losses.any());
  EXPECT_TRUE(moved(told));
  EXPECT_FALSE(moved(image->offset())) << "it is told of what came";
  EXPECT_FALSE(moved(told, 1)) << "another broker led it";
  EXPECT_FALSE(moved(told, 2)) << "there is none";
  now += RecentLosses::kMoved;
  EXPECT_FALSE(moved(told));
  change({fence(false)});
  EXPECT_FALSE(losses.any()) << "what is old is dropped";
}

}  // namespace
}  // namespace broker
