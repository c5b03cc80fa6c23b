#include "common/config/yaml_config.h"

#include <gtest/gtest.h>

namespace config {
namespace {

std::expected<GivenValues, std::string> load_file(const std::string& text) {
  return load({.file_name = "moldau.yaml", .file_text = text});
}

std::string errors(const LoadInput& input) {
  const auto loaded = load(input);
  return loaded ? "" : loaded.error();
}
std::string errors(const std::string& text) {
  return errors(LoadInput{.file_name = "moldau.yaml", .file_text = text});
}

// Goal: dotted and nested keys, lists and quotes mean the same, and the place is remembered.
// Method: one file with all of them.
TEST(YamlConfig, ReadsKeys) {
  const auto values = load_file(
      "# a comment\n"
      "node.id: 3\n"
      "log:\n"
      "  retention.ms: 1000\n"
      "  segment: {bytes: 1048576}\n"
      "  dirs: [/a, /b]\n"
      "listeners: 'PLAINTEXT://127.0.0.1:0'\n"
      "moldau:\n"
      "  http:\n"
      "    listen: \"127.0.0.1:1\"\n"
      "delete.topic.enable: False\n");
  ASSERT_TRUE(values) << values.error();
  EXPECT_EQ(values->at("node.id").value, "3");
  EXPECT_EQ(values->at("node.id").origin, "moldau.yaml:2:1");
  EXPECT_EQ(values->at("log.retention.ms").value, "1000");
  EXPECT_EQ(values->at("log.retention.ms").origin, "moldau.yaml:4:3");
  EXPECT_EQ(values->at("log.segment.bytes").value, "1048576");
  EXPECT_EQ(values->at("log.dirs").value, "/a,/b");
  EXPECT_EQ(values->at("moldau.http.listen").value, "127.0.0.1:1");
  EXPECT_EQ(values->at("delete.topic.enable").value, "false");
  EXPECT_TRUE(BrokerConfig::from(*values));
  EXPECT_TRUE(load_file("")->empty());
  EXPECT_TRUE(load_file("# nothing\n")->empty());
  EXPECT_TRUE(load({})->empty());
}

// Goal: every mistake is told with its line and column, all of them at once. Method: a file with
// one mistake in each line.
TEST(YamlConfig, TellsMistakesWithPlaces) {
  EXPECT_EQ(errors("node.id: 1\nnode.id: 2\n"),
            "moldau.yaml:2:1: node.id was set already at moldau.yaml:1:1");
  EXPECT_EQ(errors("node:\n  id: 1\nnode.id: 2\n"),
            "moldau.yaml:3:1: node.id was set already at moldau.yaml:2:3");
  EXPECT_EQ(errors("log:\n  retenton.ms: 5\n"),
            "moldau.yaml:2:3: unknown key log.retenton.ms, did you mean log.retention.ms?");
  EXPECT_EQ(errors("node.id: x\nzookeeper.connect: a\n"),
            "moldau.yaml:1:1: Invalid value x for configuration node.id: Not a number of type INT\n"
            "moldau.yaml:2:1: unknown key zookeeper.connect");
  EXPECT_EQ(errors("node.id:\n"), "moldau.yaml:1:1: node.id has no value");
  EXPECT_EQ(errors("node.id: {}\n"), "moldau.yaml:1:1: node.id has no value");
  EXPECT_EQ(errors("node.id: [1, 2]\n"), "moldau.yaml:1:1: node.id is not a list");
  EXPECT_EQ(errors("log.dirs: [{a: b}]\n"),
            "moldau.yaml:1:12: the elements of log.dirs must be words");
  EXPECT_EQ(errors("log.dirs: ['a,b']\n"), "moldau.yaml:1:12: an element of log.dirs has a comma");
  EXPECT_EQ(errors("delete.topic.enable: yes\n"),
            "moldau.yaml:1:1: Invalid value yes for configuration delete.topic.enable: Expected "
            "value to be either true or false");
  EXPECT_EQ(errors("- a\n"), "moldau.yaml:1:1: a configuration is a map of keys to values");
  EXPECT_TRUE(errors("? [a]\n: b\n").starts_with("moldau.yaml:1:3: a key must be a word"));
  EXPECT_TRUE(errors("node.id: 1\n  bad\n: :").starts_with("moldau.yaml:"));
  EXPECT_TRUE(errors("a: &x {b: *x}\n").starts_with("moldau.yaml:"));
}

// Goal: nesting cannot run away. Method: forty levels.
TEST(YamlConfig, DepthIsBounded) {
  std::string text;
  for (int i = 0; i < 40; ++i) text += "{a: ";
  text += "1" + std::string(40, '}');
  EXPECT_NE(errors(text).find("nested too deeply"), std::string::npos);
}

// Goal: command line beats environment beats file, and the origin tells. Method: one key in all.
TEST(YamlConfig, Precedence) {
  LoadInput input{.file_name = "f", .file_text = "num.partitions: 2\n"};
  EXPECT_EQ(load(input)->at("num.partitions").value, "2");
  input.environment = {{"PATH", "/bin"}, {"MOLDAU_NUM__PARTITIONS", "3"}};
  EXPECT_EQ(load(input)->at("num.partitions").value, "3");
  EXPECT_EQ(load(input)->at("num.partitions").origin, "MOLDAU_NUM__PARTITIONS");
  input.sets = {"num.partitions=4", "num.partitions=5"};
  EXPECT_EQ(load(input)->at("num.partitions").value, "5");
  EXPECT_EQ(load(input)->at("num.partitions").origin, "--set num.partitions");
}

// Goal: --set has a form and known keys; values may hold '='. Method: good and bad ones.
TEST(YamlConfig, Sets) {
  EXPECT_EQ(load({.sets = {"broker.rack=a=b"}})->at("broker.rack").value, "a=b");
  EXPECT_EQ(errors({.sets = {"node.id"}}), "--set node.id: it must have the form key=value");
  EXPECT_EQ(errors({.sets = {"=1"}}), "--set =1: it must have the form key=value");
  EXPECT_EQ(errors({.sets = {"node.ids=1"}}),
            "--set node.ids: unknown key node.ids, did you mean node.id?");
}

// Goal: variables map to keys and back; misspelt ones are refused, those that Kubernetes makes for
// a service named moldau are passed over. Method: each kind.
TEST(YamlConfig, Environment) {
  EXPECT_EQ(environment_name("log.retention.ms"), "MOLDAU_LOG__RETENTION__MS");
  EXPECT_EQ(environment_name("moldau.http.listen"), "MOLDAU__HTTP__LISTEN");
  EXPECT_EQ(environment_name("listeners"), "MOLDAU_LISTENERS");
  for (const Def& def : defs(Resource::kBroker)) {
    if (!def.default_value || def.default_value->empty()) continue;
    const auto loaded =
        load({.environment = {{environment_name(def.name), std::string(*def.default_value)}}});
    ASSERT_TRUE(loaded) << loaded.error();
    EXPECT_TRUE(loaded->contains(def.name)) << def.name;
  }
  EXPECT_EQ(errors({.environment = {{"MOLDAU_LOG__RETENTION__MSS", "1"}}}),
            "MOLDAU_LOG__RETENTION__MSS: unknown key log.retention.mss, did you mean "
            "log.retention.ms?");
  EXPECT_EQ(errors({.environment = {{"MOLDAU_LISTENER", "x"}}}),
            "MOLDAU_LISTENER: unknown key listener, did you mean listeners?");
  EXPECT_EQ(errors({.environment = {{"MOLDAU_SERVICE_HOST", "10.0.0.1"},
                                    {"MOLDAU_PORT", "tcp://10.0.0.1:9092"},
                                    {"MOLDAU_PORT_9092_TCP_ADDR", "10.0.0.1"},
                                    {"HOME", "/root"}}}),
            "");
}

}  // namespace
}  // namespace config
