#include "operator/types/yaml.h"

#include <gtest/gtest.h>

namespace kube {
namespace {

// Every shape of value, and texts that YAML would take for something else.
TEST(Yaml, WritesWhatReadsBackTheSame) {
  const Json value = Json::parse(R"({
    "a": [1, "two", [3, "4"], {"x": true, "y": [{"z": null}]}],
    "b": {}, "c": [], "d": {"on": "yes", "e": "1e3", "f": "a: b", "g": "line\nline", "h": "plain text"}
  })");
  EXPECT_EQ(to_yaml(value), R"(a:
- 1
- two
- - 3
  - "4"
- x: true
  "y":
  - z: null
b: {}
c: []
d:
  e: "1e3"
  f: "a: b"
  g: "line\nline"
  h: plain text
  "on": "yes"
)");
}

}  // namespace
}  // namespace kube
