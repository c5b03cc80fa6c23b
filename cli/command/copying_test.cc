#include "cli/command/copying.h"

#include <gtest/gtest.h>

namespace cli {
namespace {

// Goal: people read what is known and nothing else; programs get null for what is not.
TEST(Copying, TellsWhatIsKnown) {
  proto::CopyProgress progress;
  EXPECT_EQ(human_copying(progress), "");
  progress.set_bytes_left(12LL << 30);
  EXPECT_EQ(human_copying(progress), "12 GiB left");
  EXPECT_EQ(copying_json(progress).dump(),
            R"({"bytes_left":12884901888,"bytes_per_second":0,"seconds_left":null})");
  progress.set_bytes_per_second(80 << 20);
  progress.set_seconds_left(154);
  EXPECT_EQ(human_copying(progress), "12 GiB left, about 3 min at 80 MiB/s");
  EXPECT_EQ(copying_json(progress)["seconds_left"], 154);
}

// Goal: a reply of a controller that does not know the sizes says null.
TEST(Copying, NothingIsKnown) {
  proto::DrainBrokerReply reply;
  EXPECT_TRUE(copying_json_of(reply).is_null());
  reply.mutable_progress()->set_bytes_left(5);
  EXPECT_EQ(copying_json_of(reply)["bytes_left"], 5);
}

}  // namespace
}  // namespace cli
