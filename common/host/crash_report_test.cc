#include "common/host/crash_report.h"

#include <gtest/gtest.h>
#include <signal.h>

#include "common/base/check.h"

namespace host {
namespace {

TEST(CrashReport, SaysTheSignalAndTheStackAndDiesOfIt) {
  EXPECT_EXIT(
      {
        report_crashes("moldau-test");
        raise(SIGSEGV);
      },
      testing::KilledBySignal(SIGSEGV), R"(moldau-test died of SIGSEGV at address 0x[0-9a-f]+; (.*
)+.*\[0x[0-9a-f]+\])");
}

TEST(CrashReport, FollowsAFailedCheck) {
  EXPECT_EXIT(
      {
        report_crashes("moldau-test");
        const bool holds = false;
        CHECK(holds);
      },
      testing::KilledBySignal(SIGABRT), R"(holds(.*
)+moldau-test died of SIGABRT; its stack)");
}

}  // namespace
}  // namespace host
