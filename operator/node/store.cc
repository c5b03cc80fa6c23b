#include "operator/node/store.h"

namespace kube {

JsonPtr Store::find(const std::string& ns, const std::string& name) const {
  const auto at = objects_.find({ns, name});
  return at == objects_.end() ? nullptr : unpack(at->second);
}

std::vector<JsonPtr> Store::of(const std::string& index_value) const {
  std::vector<JsonPtr> out;
  const auto at = by_index_.find(index_value);
  if (at == by_index_.end()) return out;
  for (const Name& each : at->second) out.push_back(unpack(objects_.at(each)));
  return out;
}

void Store::each(const std::function<void(const Json&)>& look) const {
  for (const auto& [name, entry] : objects_) look(*unpack(entry));
}

bool Store::put(Json object) {
  Name name{meta_namespace(object), meta_name(object)};
  std::string version = meta_version(object);
  if (const auto at = objects_.find(name); at != objects_.end()) {
    if (version == at->second.version || is_older_version(version, at->second.version)) {
      return false;
    }
    unlink(name, at->second);
  }
  auto values = index_(object);
  for (const std::string& each : values) by_index_[each].insert(name);
  std::vector<std::uint8_t> packed = Json::to_cbor(object);
  packed.shrink_to_fit();
  objects_[std::move(name)] = {std::move(packed), std::move(version), std::move(values)};
  return true;
}

JsonPtr Store::erase(const std::string& ns, const std::string& name) {
  const auto at = objects_.find({ns, name});
  if (at == objects_.end()) return nullptr;
  unlink(at->first, at->second);
  JsonPtr was = unpack(at->second);
  objects_.erase(at);
  return was;
}

JsonPtr Store::unpack(const Entry& entry) {
  return std::make_shared<const Json>(Json::from_cbor(entry.packed, true, false));
}

void Store::unlink(const Name& name, const Entry& entry) {
  for (const std::string& value : entry.index_values) {
    const auto at = by_index_.find(value);
    if (at == by_index_.end()) continue;
    at->second.erase(name);
    if (at->second.empty()) by_index_.erase(at);
  }
}

std::set<Store::Name> Store::names() const {
  std::set<Name> out;
  for (const auto& [name, entry] : objects_) out.insert(name);
  return out;
}

}  // namespace kube
