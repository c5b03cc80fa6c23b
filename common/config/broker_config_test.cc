#include "common/config/broker_config.h"

#include <gtest/gtest.h>

namespace config {
namespace {

constexpr std::string_view kMap = "PLAINTEXT:PLAINTEXT,INTERNAL:PLAINTEXT,TLS:SSL";

std::expected<BrokerConfig, Error> from(
    std::initializer_list<std::pair<std::string, std::string>> values) {
  GivenValues given;
  for (const auto& [key, value] : values) given[key] = {value, "test"};
  return BrokerConfig::from(std::move(given));
}

// Goal: defaults are those of the registry. Method: some of each kind.
TEST(BrokerConfig, Defaults) {
  const BrokerConfig config = BrokerConfig::defaults();
  EXPECT_FALSE(config.node_id);
  EXPECT_FALSE(config.cluster_id);
  EXPECT_EQ(config.listeners, (std::vector<Listener>{{"PLAINTEXT", "PLAINTEXT", "", 9092}}));
  EXPECT_EQ(config.advertised_listeners, config.listeners);
  EXPECT_EQ(config.log_dirs, std::vector<std::string>{"/var/lib/moldau/logs"});
  EXPECT_EQ(config.metadata_dir, "/var/lib/moldau/metadata");
  EXPECT_EQ(config.http_listen, (HostPort{"127.0.0.1", 9644}));
  EXPECT_EQ(config.socket_request_max_bytes, 104'857'600);
  EXPECT_EQ(config.connections_max_idle_ms, 600'000);
  EXPECT_EQ(config.fetch_max_bytes, 57'671'680);
  EXPECT_TRUE(config.auto_create_topics_enable);
  EXPECT_EQ(config.num_partitions, 1);
  EXPECT_EQ(config.offsets_topic_num_partitions, 50);
  EXPECT_EQ(config.offsets_topic_replication_factor, 3);
  EXPECT_EQ(config.producer_id_expiration_ms, 86'400'000);
  EXPECT_EQ(config.group_initial_rebalance_delay_ms, 3'000);
  EXPECT_EQ(config.group_initial_quiet_ms, 500);
}

// Goal: who sets the delay of new groups gets just that delay, unless a quiet time is set too.
// Method: both keys, alone and together.
TEST(BrokerConfig, AGivenInitialDelayIsNotCutShort) {
  const auto quiet = [](std::initializer_list<std::pair<std::string, std::string>> given) {
    return from(given)->group_initial_quiet_ms;
  };
  EXPECT_EQ(quiet({{"group.initial.rebalance.delay.ms", "3000"}}), std::nullopt);
  EXPECT_EQ(quiet({{"moldau.group.initial.quiet.ms", "100"}}), 100);
  EXPECT_EQ(quiet({{"group.initial.rebalance.delay.ms", "3000"},
                   {"moldau.group.initial.quiet.ms", "100"}}),
            100);
}

// Goal: given values arrive typed, and directories follow the data directory. Method: set some.
TEST(BrokerConfig, ReadsGivenValues) {
  const auto config = from({{"node.id", "7"},
                            {"moldau.data.dir", "/data"},
                            {"log.dirs", "/a, /b"},
                            {"auto.create.topics.enable", "FALSE"},
                            {"listeners", "PLAINTEXT://127.0.0.1:0"},
                            {"advertised.listeners", "PLAINTEXT://broker-7:19092"}});
  ASSERT_TRUE(config);
  EXPECT_EQ(config->node_id, 7);
  EXPECT_EQ(config->log_dirs, (std::vector<std::string>{"/a", "/b"}));
  EXPECT_EQ(config->metadata_dir, "/data/metadata");
  EXPECT_FALSE(config->auto_create_topics_enable);
  EXPECT_EQ(config->listeners[0].host, "127.0.0.1");
  EXPECT_EQ(config->advertised_listeners[0],
            (Listener{"PLAINTEXT", "PLAINTEXT", "broker-7", 19092}));
  EXPECT_EQ(config->given.at("node.id").origin, "test");
  EXPECT_EQ(from({{"log.dir", "/c"}})->log_dirs, std::vector<std::string>{"/c"});
}

// Goal: bad values and bad combinations are refused by key. Method: one of each.
TEST(BrokerConfig, RefusesBadValues) {
  EXPECT_EQ(from({{"node.id", "-1"}}).error().key, "node.id");
  EXPECT_EQ(from({{"nod.id", "1"}}).error().kind, ErrorKind::kUnknownKey);
  EXPECT_EQ(from({{"num.io.threads", "16"}}).error().kind, ErrorKind::kNoEffect);
  EXPECT_EQ(from({{"listeners", ""}}).error().key, "listeners");
  EXPECT_EQ(from({{"listeners", "OTHER://:9092"}}).error().key, "listeners");
  EXPECT_EQ(from({{"advertised.listeners", "PLAINTEXT://0.0.0.0:9092"}}).error().key,
            "advertised.listeners");
  EXPECT_EQ(from({{"advertised.listeners", "SSL://a:1"}}).error().key, "advertised.listeners");
  EXPECT_EQ(from({{"moldau.http.listen", "nowhere"}}).error().key, "moldau.http.listen");
  EXPECT_EQ(from({{"moldau.data.dir", ""}}).error().key, "moldau.data.dir");
  EXPECT_EQ(from({{"group.min.session.timeout.ms", "2000000"}}).error().key,
            "group.min.session.timeout.ms");
}

// Goal: listeners parse with their protocols; what is not served is refused. Method: good lists and
// each mistake.
TEST(Listeners, Parse) {
  const auto two = parse_listeners("PLAINTEXT://:9092, INTERNAL://[::1]:9091", kMap);
  ASSERT_TRUE(two);
  EXPECT_EQ(*two, (std::vector<Listener>{{"PLAINTEXT", "PLAINTEXT", "", 9092},
                                         {"INTERNAL", "PLAINTEXT", "::1", 9091}}));
  EXPECT_TRUE(parse_listeners("PLAINTEXT://:0,INTERNAL://:0", kMap));
  for (const char* bad :
       {"9092", "PLAINTEXT:9092", "PLAINTEXT://host", "PLAINTEXT://host:x", "PLAINTEXT://h:65536",
        "PLAINTEXT://h:-1", "://h:1", "A B://h:1", "NOBODY://h:1", "TLS://h:1",
        "PLAINTEXT://a:1,PLAINTEXT://a:2", "PLAINTEXT://:9092,INTERNAL://:9092",
        "PLAINTEXT://::1:9092", "PLAINTEXT://[::1:9092", "PLAINTEXT://h:1/x"})
    EXPECT_FALSE(parse_listeners(bad, kMap)) << bad;
  EXPECT_FALSE(parse_listeners("PLAINTEXT://:1", "PLAINTEXT"));
  EXPECT_FALSE(parse_listeners("PLAINTEXT://:1", "PLAINTEXT:QUIC"));
  EXPECT_FALSE(parse_listeners("PLAINTEXT://:1", "PLAINTEXT:SSL,PLAINTEXT:PLAINTEXT"));
}

// Goal: layers are asked in order. Method: the same key in all of them.
TEST(BrokerLayers, Precedence) {
  const Overrides broker = {{"num.partitions", "4"}};
  const Overrides cluster = {{"num.partitions", "3"}};
  const GivenValues given = {{"num.partitions", {"2", "file"}}};
  BrokerLayers layers;
  EXPECT_EQ(layers.value("num.partitions"), "1");
  EXPECT_FALSE(layers.set_value("num.partitions"));
  layers.given = &given;
  EXPECT_EQ(layers.value("num.partitions"), "2");
  layers.cluster = &cluster;
  EXPECT_EQ(layers.value("num.partitions"), "3");
  layers.broker = &broker;
  EXPECT_EQ(layers.value("num.partitions"), "4");
  EXPECT_FALSE(layers.value("node.id"));
}

}  // namespace
}  // namespace config
