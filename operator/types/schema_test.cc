#include "operator/types/schema.h"

#include <gtest/gtest.h>

namespace kube {
namespace {

using namespace schema;

// Each kind of mistake has a message with the path of the field.
TEST(Schema, SaysWhatIsWrongAndWhere) {
  const Json item = object("",
                           {{"name", text("", {{"pattern", "^[a-z]+$"}, {"maxLength", 5}})},
                            {"size", quantity("")},
                            {"kind", choice("", {"a", "b"}, "a")}},
                           {"name"});
  const Json spec = object("", {{"count", integer("", {{"minimum", 1}, {"maximum", 9}})},
                                {"on", boolean("")},
                                {"items", keyed_list("", "name", item, {{"maxItems", 2}})},
                                {"more", map("", scalar(""))}});
  const auto said = [&](std::string_view value) {
    return describe(check(spec, Json::parse(value), "spec"));
  };
  EXPECT_EQ(said(R"({"count":3,"on":true,"items":[{"name":"x","size":"2Gi"}],"more":{"a":1}})"),
            "");
  EXPECT_EQ(said(R"({"count":0})"), "spec.count: must be at least 1, not 0");
  EXPECT_EQ(said(R"({"count":10})"), "spec.count: must be at most 9, not 10");
  EXPECT_EQ(said(R"({"count":"3"})"), "spec.count: must be a whole number, not \"3\"");
  EXPECT_EQ(said(R"({"cuont":3})"), "spec.cuont: there is no such field");
  EXPECT_EQ(said(R"({"on":1,"more":[]})"),
            "spec.more: must be an object, not []; spec.on: must be true or false, not 1");
  EXPECT_EQ(said(R"({"items":[{}]})"), "spec.items[0].name: must be given");
  EXPECT_EQ(said(R"({"items":[{"name":"x"},{"name":"x"}]})"),
            "spec.items[1].name: \"x\" is there twice");
  EXPECT_EQ(said(R"({"items":[{"name":"x","kind":"c"}]})"),
            "spec.items[0].kind: must be one of a, b, not \"c\"");
  EXPECT_EQ(said(R"({"items":[{"name":"x","size":"2 Gi"}]})"),
            "spec.items[0].size: must be an amount such as \"500m\", \"2Gi\" or 4, not \"2 Gi\"");
  EXPECT_EQ(said(R"({"items":[{"name":"toolong"}]})"),
            "spec.items[0].name: is longer than 5 characters");
  EXPECT_EQ(said(R"({"more":{"a":{}}})"),
            "spec.more.a: must be a text, a number, true or false, not {}");
}

// What is left out is filled in, at any depth; what is given stays.
TEST(Schema, FillsInDefaults) {
  const Json inner = object("", {{"a", integer("", {{"default", 1}})}, {"b", integer("")}}, {},
                            {{"default", Json::object()}});
  const Json schema = object("", {{"one", inner}, {"many", list("", inner)}});
  EXPECT_EQ(with_defaults(schema, Json::parse(R"({"many":[{},{"a":5}]})")),
            Json::parse(R"({"one":{"a":1},"many":[{"a":1},{"a":5}]})"));
}

}  // namespace
}  // namespace kube
