#include "common/config/cleaner_config.h"

#include <gtest/gtest.h>

namespace config {
namespace {

// Goal: what is set for the cleaner arrives, the cluster's dynamic value before the file's, and
// what nothing says is Kafka's default. Method: both layers.
TEST(CleanerConfig, Resolves) {
  const GivenValues given{{"log.cleaner.enable", {"false", "--set"}},
                          {"log.cleaner.threads", {"3", "--set"}}};
  const Overrides cluster{{"log.cleaner.threads", "2"},
                          {"log.cleaner.io.max.bytes.per.second", "1e6"}};
  const CleanerConfig config = CleanerConfig::resolve({.cluster = &cluster, .given = &given});
  EXPECT_FALSE(config.enable);
  EXPECT_EQ(config.threads, 2);
  EXPECT_EQ(config.io_bytes_per_second_max, 1e6);
  EXPECT_EQ(config.dedupe_buffer_bytes, 134'217'728);
  EXPECT_EQ(config.buffer_load_factor, 0.9);
  EXPECT_EQ(config.backoff_ms, 15'000);
  EXPECT_GT(CleanerConfig::resolve({}).io_bytes_per_second_max, 1e300);
}

}  // namespace
}  // namespace config
