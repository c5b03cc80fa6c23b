#include "broker/node/recent_losses.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "common/meta/apply.h"

namespace broker {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr base::BrokerId kTwo{2};
constexpr base::BrokerId kThree{3};

class Losses : public testing::Test {
 protected:
  Losses() { change(registration()); }

  static proto::Record registration() {
    proto::Record record;
    record.mutable_broker()->set_broker_id(kTwo.value());
    return record;
  }
  proto::Record fence(bool fenced) const {
    proto::Record record;
    record.mutable_broker_change()->set_broker_id(kTwo.value());
    record.mutable_broker_change()->set_broker_epoch(image->broker(kTwo)->epoch.value());
    record.mutable_broker_change()->set_fenced(fenced);
    return record;
  }
  void change(const proto::Record& record) {
    proto::RecordBatch batch;
    *batch.add_records() = record;
    auto step = meta::apply_entry(image, image->offset() + 1, 1, batch.SerializeAsString());
    ASSERT_TRUE(step.has_value()) << step.error();
    losses.on_change(*image, *step->image, step->delta, now);
    image = step->image;
  }
  void lose(int code = ECONNRESET) { losses.failed(kTwo, {code, "says the test"}, now); }
  bool doubted() const { return losses.doubted(kTwo, now); }

  RecentLosses losses;
  meta::ImagePtr image = std::make_shared<const meta::Image>();
  base::Instant now{seconds(10)};
};

// Goal: a lost leader is in doubt for a while, however often it is lost meanwhile; once it was
// heard of again a new loss counts anew.
TEST_F(Losses, ADoubtEnds) {
  EXPECT_FALSE(doubted());
  lose();
  EXPECT_TRUE(doubted());
  EXPECT_FALSE(losses.doubted(kThree, now));
  now += milliseconds(499);
  lose(ECONNREFUSED);
  EXPECT_TRUE(doubted());
  now += milliseconds(1);
  lose(ECONNREFUSED);
  EXPECT_FALSE(doubted());
  losses.heard(kTwo);
  lose();
  EXPECT_TRUE(doubted());
}

// Goal: what a live process may cause is no loss.
TEST_F(Losses, SilenceIsNone) {
  lose(ETIMEDOUT);
  lose(EBADMSG);
  lose(ENOTCONN);
  EXPECT_FALSE(doubted());
}

// Goal: what the controller decides ends the doubt: it was fenced, or is another process.
TEST_F(Losses, TheControllerDecides) {
  lose();
  change(fence(true));
  EXPECT_FALSE(doubted());
  change(fence(false));
  lose();
  change(registration());
  EXPECT_FALSE(doubted());
}

// Goal: who is fenced is taken leave of for a while, unless it comes back; who was fenced before we
// heard of it is not.
TEST_F(Losses, AFarewellEnds) {
  const auto lately = [&] { return losses.fenced_lately(kTwo, now); };
  EXPECT_FALSE(lately());
  change(fence(true));
  EXPECT_TRUE(lately());
  EXPECT_FALSE(losses.fenced_lately(kThree, now));
  now += RecentLosses::kFarewell - milliseconds(1);
  EXPECT_TRUE(lately());
  now += milliseconds(1);
  EXPECT_FALSE(lately());
  change(fence(false));
  change(fence(true));
  EXPECT_TRUE(lately());
  change(fence(false));
  EXPECT_FALSE(lately());
  auto fenced_from_the_first = registration();
  fenced_from_the_first.mutable_broker()->set_fenced(true);
  image = std::make_shared<const meta::Image>();
  change(fenced_from_the_first);
  EXPECT_FALSE(lately());
}

}  // namespace
}  // namespace broker
