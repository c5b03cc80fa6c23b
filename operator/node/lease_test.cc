#include "operator/node/lease.h"

#include <gtest/gtest.h>

#include "operator/node/test_kube.h"
#include "tests/sim/sim_clock.h"

namespace kube {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

struct Candidate {
  Candidate(sim::World& world, TestServer& server, const std::string& name)
      : executor(world, name),
        api(world, executor, server),
        clock(world),
        lease(
            executor, api, clock, diag, world.random(name),
            {.ns = "n", .name = "moldau-operator", .identity = name}, [this] { leads = true; },
            [this] { lost = true; }) {}
  base::SilentDiag diag;
  sim::SimExecutor executor;
  TestApi api;
  sim::SimClock clock;
  bool leads = false;
  bool lost = false;
  Lease lease;
};

class LeaseTest : public testing::Test {
 protected:
  bool until(const std::function<bool()>& done, base::Duration limit) {
    return world.run_until(done, limit);
  }
  std::string holder() const {
    const Json* lease = server.find(kLeases, "n", "moldau-operator");
    return lease ? text_at(*lease, {"spec", "holderIdentity"}) : "";
  }
  sim::World world{4};
  TestServer server;
  Candidate a{world, server, "a"};
  Candidate b{world, server, "b"};
};

// Goal: one of two leads, keeps it, and renews; the record is as the API has it.
TEST_F(LeaseTest, OneLeads) {
  a.lease.start();
  b.lease.start();
  ASSERT_TRUE(until([&] { return a.leads || b.leads; }, seconds(5)));
  world.run_for(minutes(3));
  EXPECT_NE(a.leads, b.leads);
  EXPECT_NE(a.lease.leading(), b.lease.leading());
  EXPECT_EQ(holder(), a.leads ? "a" : "b");
  const Json& spec = (*server.find(kLeases, "n", "moldau-operator"))["spec"];
  EXPECT_EQ(spec["leaseDurationSeconds"], 15);
  EXPECT_EQ(text_at(spec, {"renewTime"}).size(), std::string("2026-01-31T12:00:00.123456Z").size());
  EXPECT_EQ(spec["leaseTransitions"], 0);
}

// Goal: who is cut off knows that it has lost before anybody else leads.
TEST_F(LeaseTest, CutOffIsLostBeforeTheNextLeads) {
  a.lease.start();
  ASSERT_TRUE(until([&] { return a.leads; }, seconds(5)));
  b.lease.start();
  world.run_for(seconds(10));
  EXPECT_FALSE(b.leads);
  a.api.cut(true);
  ASSERT_TRUE(until([&] { return b.leads || a.lost; }, seconds(30)));
  EXPECT_FALSE(b.leads);
  EXPECT_FALSE(a.lease.leading());
  ASSERT_TRUE(until([&] { return b.leads; }, seconds(30)));
  EXPECT_EQ(holder(), "b");
  EXPECT_EQ((*server.find(kLeases, "n", "moldau-operator"))["spec"]["leaseTransitions"], 1);
}

// Goal: clocks that differ by an hour change nothing.
TEST_F(LeaseTest, BelievesNoOtherClock) {
  b.clock.wall_offset = 3'600'000;
  a.lease.start();
  ASSERT_TRUE(until([&] { return a.leads; }, seconds(5)));
  b.lease.start();
  world.run_for(minutes(5));
  EXPECT_FALSE(b.leads);
  a.api.cut(true);
  EXPECT_TRUE(until([&] { return b.leads; }, seconds(40)));
}

// Goal: what is given up is free at once.
TEST_F(LeaseTest, Releases) {
  a.lease.start();
  ASSERT_TRUE(until([&] { return a.leads; }, seconds(5)));
  b.lease.start();
  world.run_for(seconds(3));
  bool done = false;
  a.lease.release([&] { done = true; });
  EXPECT_FALSE(a.lease.leading());
  ASSERT_TRUE(until([&] { return b.leads; }, seconds(4)));
  EXPECT_TRUE(done);
  EXPECT_FALSE(a.lost);
}

// Goal: a process that comes back under the same name goes on at once.
TEST_F(LeaseTest, TakesOverItsOwn) {
  a.lease.start();
  ASSERT_TRUE(until([&] { return a.leads; }, seconds(5)));
  a.api.cut(true);
  Candidate again(world, server, "a");
  again.lease.start();
  EXPECT_TRUE(until([&] { return again.leads; }, seconds(1)));
}

// Goal: a Lease that somebody else overwrote is lost.
TEST_F(LeaseTest, YieldsToWhoeverTookIt) {
  a.lease.start();
  ASSERT_TRUE(until([&] { return a.leads; }, seconds(5)));
  server.change(kLeases, "n", "moldau-operator",
                [](Json& lease) { lease["spec"]["holderIdentity"] = "c"; });
  EXPECT_TRUE(until([&] { return a.lost; }, seconds(10)));
  EXPECT_FALSE(a.lease.leading());
}

TEST(MicroTime, IsWhatTheApiWants) {
  EXPECT_EQ(micro_time(0), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(micro_time(1'769'862'896'789), "2026-01-31T12:34:56.789000Z");
}

}  // namespace
}  // namespace kube
