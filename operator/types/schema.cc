#include "operator/types/schema.h"

namespace kube {

std::string describe(const std::vector<Problem>& problems) {
  std::string text;
  for (const Problem& each : problems) {
    if (!text.empty()) text += "; ";
    text += each.field + ": " + each.message;
  }
  return text;
}

namespace schema {
namespace {

Json of_type(std::string_view type, std::string_view about, const Json& more) {
  Json out = {{"type", type}};
  if (!about.empty()) out["description"] = about;
  out.update(more);
  return out;
}

Json texts(Names names) {
  Json out = Json::array();
  for (const std::string_view each : names) out.push_back(each);
  return out;
}

constexpr std::string_view kQuantity =
    R"(^([0-9]+(\.[0-9]*)?|\.[0-9]+)(([KMGTPE]i)|[numkMGTPE]|[eE][+-]?[0-9]+)?$)";

}  // namespace

Json text(std::string_view about, const Json& more) { return of_type("string", about, more); }

Json integer(std::string_view about, const Json& more) {
  Json out = of_type("integer", about, more);
  out.emplace("format", "int32");
  return out;
}

Json boolean(std::string_view about, const Json& more) { return of_type("boolean", about, more); }

Json choice(std::string_view about, Names values, std::string_view otherwise) {
  return text(about, {{"enum", texts(values)}, {"default", otherwise}});
}

Json object(std::string_view about, Fields fields, Names required, const Json& more) {
  Json out = of_type("object", about, more);
  for (const auto& [name, field] : fields) out["properties"][std::string(name)] = field;
  if (required.size() > 0) out["required"] = texts(required);
  return out;
}

Json list(std::string_view about, Json item, const Json& more) {
  Json out = of_type("array", about, more);
  out["items"] = std::move(item);
  return out;
}

Json keyed_list(std::string_view about, std::string_view key, Json item, const Json& more) {
  Json out = list(about, std::move(item), more);
  out["x-kubernetes-list-type"] = "map";
  out["x-kubernetes-list-map-keys"] = Json::array({key});
  return out;
}

Json map(std::string_view about, Json value, const Json& more) {
  Json out = of_type("object", about, more);
  out["additionalProperties"] = std::move(value);
  return out;
}

Json quantity(std::string_view about) {
  Json out = {{"x-kubernetes-int-or-string", true},
              {"anyOf", Json::array({{{"type", "integer"}}, {{"type", "string"}}})},
              {"pattern", kQuantity}};
  if (!about.empty()) out["description"] = about;
  return out;
}

Json foreign_object(std::string_view about) {
  return of_type("object", about, {{"x-kubernetes-preserve-unknown-fields", true}});
}

Json foreign_list(std::string_view about) {
  return list(about, foreign_object(""), {{"x-kubernetes-list-type", "atomic"}});
}

Json scalar(std::string_view about) {
  Json out = {{"x-kubernetes-preserve-unknown-fields", true}};
  if (!about.empty()) out["description"] = about;
  return out;
}

Json with_rule(Json schema, std::string_view rule, std::string_view message) {
  schema["x-kubernetes-validations"].push_back({{"rule", rule}, {"message", message}});
  return schema;
}

}  // namespace schema
}  // namespace kube
