#include "broker/api/table.h"

#include <gtest/gtest.h>

#include "common/wire/message_info.h"

namespace broker::api {
namespace {

// Goal: what is advertised can be decoded and encoded, and nothing internal slips in. Method: each
// entry against the schema.
TEST(Table, AdvertisesOnlyWhatTheSchemaKnows) {
  for (const ApiEntry& api : served_apis()) {
    const wire::MessageInfo* info = wire::find_message_info(api.key);
    ASSERT_NE(info, nullptr) << api.name;
    EXPECT_EQ(info->name, api.name);
    EXPECT_GE(api.version_min, info->version_min) << api.name;
    EXPECT_LE(api.version_max, info->version_max) << api.name;
    EXPECT_EQ(find_api(api.key), &api);
  }
  EXPECT_EQ(find_api(-1), nullptr);
  EXPECT_EQ(find_api(4), nullptr) << "LeaderAndIsr went with ZooKeeper";
  EXPECT_EQ(find_api(32767), nullptr);
}

// Goal: our own admin API is served to those who know it, and Kafka's clients never see it. Method:
// look it up, and look for it in the list.
TEST(Table, ServesItsOwnAdminApiWithoutAdvertisingIt) {
  constexpr std::int16_t kMoldauAdmin = 20'000;
  ASSERT_NE(find_api(kMoldauAdmin), nullptr);
  for (const ApiEntry& api : served_apis()) EXPECT_LT(api.key, 1000) << api.name;
}

// Goal: clients that choose features by exact versions find them. Method: the versions that
// librdkafka up to 2.10 looks for.
TEST(Table, ServesTheVersionsThatOldLibrdkafkaLooksFor) {
  const std::pair<int, int> wanted[] = {{0, 0}, {0, 3},  {0, 7},  {1, 4},  {1, 10}, {10, 0},
                                        {9, 1}, {8, 2},  {11, 0}, {14, 0}, {12, 0}, {13, 0},
                                        {2, 1}, {22, 0}, {22, 2}, {18, 0}};
  for (const auto& [key, version] : wanted) {
    const ApiEntry* api = find_api(static_cast<std::int16_t>(key));
    ASSERT_NE(api, nullptr) << key;
    EXPECT_LE(api->version_min, version) << api->name;
    EXPECT_GE(api->version_max, version) << api->name;
  }
}

}  // namespace
}  // namespace broker::api
