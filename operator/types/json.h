// JSON as Kubernetes speaks it, and reading it without surprises: nothing here throws, whatever a
// document holds where it was not expected. Pure.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace kube {

// Members in order of their names, so that equal values have equal texts.
using Json = nlohmann::json;

using Path = std::initializer_list<std::string_view>;

// What stands at `path`, member by member; null when there is no such thing. Views `from`.
const Json* find(const Json& from, Path path);
// The same as text, number or truth; `otherwise` when it is absent or of another type.
std::string text_at(const Json& from, Path path, std::string_view otherwise = "");
std::int64_t number_at(const Json& from, Path path, std::int64_t otherwise = 0);
bool flag_at(const Json& from, Path path, bool otherwise = false);
// The same as a list or an object; an empty one when it is absent or of another type.
const Json& list_at(const Json& from, Path path);
const Json& object_at(const Json& from, Path path);

// Sets what stands at `path`, making the objects on the way.
void put(Json& into, Path path, Json value);

// True when every member of `want` is in `have` with such a value: what the API server added on
// its own does not matter. Lists must be as long, and fit item by item.
bool is_within(const Json& want, const Json& have);

}  // namespace kube
