#include "operator/types/json.h"

#include <utility>

namespace kube {

const Json* find(const Json& from, Path path) {
  const Json* at = &from;
  for (const std::string_view name : path) {
    if (!at->is_object()) return nullptr;
    const auto it = at->find(name);
    if (it == at->end()) return nullptr;
    at = &*it;
  }
  return at;
}

std::string text_at(const Json& from, Path path, std::string_view otherwise) {
  const Json* at = find(from, path);
  return at && at->is_string() ? *at->get_ptr<const std::string*>() : std::string(otherwise);
}

std::int64_t number_at(const Json& from, Path path, std::int64_t otherwise) {
  const Json* at = find(from, path);
  return at && at->is_number_integer() ? at->get<std::int64_t>() : otherwise;
}

bool flag_at(const Json& from, Path path, bool otherwise) {
  const Json* at = find(from, path);
  return at && at->is_boolean() ? at->get<bool>() : otherwise;
}

const Json& list_at(const Json& from, Path path) {
  static const Json kNone = Json::array();
  const Json* at = find(from, path);
  return at && at->is_array() ? *at : kNone;
}

const Json& object_at(const Json& from, Path path) {
  static const Json kNone = Json::object();
  const Json* at = find(from, path);
  return at && at->is_object() ? *at : kNone;
}

void put(Json& into, Path path, Json value) {
  Json* at = &into;
  for (const std::string_view name : path) {
    if (!at->is_object()) *at = Json::object();
    at = &(*at)[std::string(name)];
  }
  *at = std::move(value);
}

bool is_within(const Json& want, const Json& have) {
  if (want.is_object()) {
    if (!have.is_object()) return false;
    for (const auto& [name, value] : want.items()) {
      const auto it = have.find(name);
      if (it == have.end() || !is_within(value, *it)) return false;
    }
    return true;
  }
  if (want.is_array()) {
    if (!have.is_array() || want.size() != have.size()) return false;
    for (std::size_t i = 0; i < want.size(); ++i) {
      if (!is_within(want[i], have[i])) return false;
    }
    return true;
  }
  return want == have;
}

}  // namespace kube
