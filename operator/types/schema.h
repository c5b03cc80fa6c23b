// Schemas of custom resources: OpenAPI v3 as a CRD holds it, made by a few functions, and the same
// schema used to check a value and to fill in what it leaves out. Pure.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "operator/types/json.h"

namespace kube {

// What is wrong with a value: the field by its path ("spec.listeners[1].port"), and why.
struct Problem {
  std::string field;
  std::string message;
  friend bool operator==(const Problem&, const Problem&) = default;
};
// One line: "spec.brokers.replicas: must be at least 1, not 0; ..."
std::string describe(const std::vector<Problem>& problems);

namespace schema {

using Fields = std::initializer_list<std::pair<std::string_view, Json>>;
using Names = std::initializer_list<std::string_view>;

// `about` becomes the description; `more` (an object) is merged in: {{"minimum", 1}}.
Json text(std::string_view about, const Json& more = Json::object());
Json integer(std::string_view about, const Json& more = Json::object());
Json boolean(std::string_view about, const Json& more = Json::object());
Json choice(std::string_view about, Names values, std::string_view otherwise);
Json object(std::string_view about, Fields fields, Names required = {},
            const Json& more = Json::object());
Json list(std::string_view about, Json item, const Json& more = Json::object());
// A list whose items are told apart by one field.
Json keyed_list(std::string_view about, std::string_view key, Json item,
                const Json& more = Json::object());
Json map(std::string_view about, Json value, const Json& more = Json::object());
// An amount as Kubernetes writes it: "500m", "2Gi", 4.
Json quantity(std::string_view about);
// Another's schema, which is not repeated here: anything of that type is let through.
Json foreign_object(std::string_view about);
Json foreign_list(std::string_view about);
// A number, a text or a truth.
Json scalar(std::string_view about);

// Adds a CEL rule to a schema.
Json with_rule(Json schema, std::string_view rule, std::string_view message);

}  // namespace schema

// All that is wrong with `value`, in order of fields. CEL rules are not evaluated.
std::vector<Problem> check(const Json& schema, const Json& value, const std::string& path);

// `value` with the schema's defaults where it says nothing.
Json with_defaults(const Json& schema, Json value);

}  // namespace kube
