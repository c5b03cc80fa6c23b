#include "operator/types/crd.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <set>

#include "operator/types/conditions.h"

namespace kube {
namespace {

constexpr std::size_t kBytesMax = 150'000;  // of last-applied-configuration: 262,144

// Every node of a structural schema has a type, or says that it has none.
void expect_structural(const Json& schema, const std::string& path) {
  const bool free = flag_at(schema, {"x-kubernetes-preserve-unknown-fields"}) ||
                    flag_at(schema, {"x-kubernetes-int-or-string"});
  EXPECT_TRUE(free || schema.contains("type")) << path;
  for (const auto& [name, field] : object_at(schema, {"properties"}).items()) {
    expect_structural(field, path + "." + name);
  }
  for (const char* below : {"items", "additionalProperties"}) {
    if (schema.contains(below)) expect_structural(schema[below], path + "[]");
  }
}

TEST(Crd, IsStructuralAndSmallEnoughForApply) {
  for (const Json& crd : {cluster_crd(), topic_crd()}) {
    EXPECT_LT(crd.dump().size(), kBytesMax);
    const Json& version = list_at(crd, {"spec", "versions"})[0];
    expect_structural(object_at(version, {"schema", "openAPIV3Schema"}), "");
  }
}

// A person who asks `kubectl explain` gets an answer.
TEST(Crd, DescribesEveryFieldOfTheSpec) {
  for (const Json& crd : {cluster_crd(), topic_crd()}) {
    const Json& version = list_at(crd, {"spec", "versions"})[0];
    const Json& spec = object_at(version, {"schema", "openAPIV3Schema", "properties", "spec"});
    for (const auto& [name, field] : object_at(spec, {"properties"}).items()) {
      EXPECT_TRUE(field.contains("description")) << name;
    }
  }
}

TEST(Conditions, AreAllThereFromTheBeginning) {
  std::set<std::string> types;
  for (const Json& each : first_conditions()) types.insert(text_at(each, {"type"}));
  EXPECT_EQ(types, (std::set<std::string>{"Degraded", "Progressing", "Ready", "Stable",
                                          "UpgradeBlocked"}));
}

TEST(Conditions, ReasonsAreInOrderAndExplained) {
  std::string_view before;
  for (const ReasonMeaning& each : reason_meanings()) {
    EXPECT_LT(before, each.reason);
    EXPECT_FALSE(each.meaning.empty());
    before = each.reason;
  }
}

TEST(Conditions, ReasonsAreInTheDocumentation) {
  std::ifstream in("../../docs/operator.md");
  const std::string text(std::istreambuf_iterator<char>(in), {});
  for (const ReasonMeaning& each : reason_meanings()) {
    std::string row = "\n|";
    for (const std::string_view cell : {each.reason, each.kinds, each.meaning, each.what_to_do}) {
      row += " " + std::string(cell) + " |";
    }
    EXPECT_TRUE(text.contains(row + "\n")) << row;
  }
}

// The files that people apply are those that this operator understands. REWRITE=1 writes them.
TEST(Crd, FilesAreCurrent) {
  for (const CrdFile& file : crd_files()) {
    const std::string path = "../../manifests/crds/" + file.name;
    if (std::getenv("REWRITE") != nullptr) {
      std::ofstream(path) << file.text;
      std::ofstream("../../charts/moldau/files/crds/" + file.name) << file.text;
    }
    std::ifstream in(path);
    const std::string there(std::istreambuf_iterator<char>(in), {});
    EXPECT_TRUE(there == file.text) << path << ": run operator_types_test with REWRITE=1";
  }
}

}  // namespace
}  // namespace kube
