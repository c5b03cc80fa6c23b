// What the API server held when it was last heard, of one kind: objects by namespace and name, and
// by the values they are indexed under (the cluster they belong to). Filled by an Informer and, so
// that one's own writes are seen at once, by whoever writes. An older version never replaces a
// newer one. Objects are held packed (CBOR), a sixth of what they take unpacked, and are unpacked
// for who asks: there are thousands, and each is looked at rarely. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "operator/node/kube.h"

namespace kube {

using JsonPtr = std::shared_ptr<const Json>;

class Store {
 public:
  // What an object shall be found under.
  using Index = std::function<std::vector<std::string>(const Json&)>;
  explicit Store(Index index) : index_(std::move(index)) {}

  // Null when there is none.
  JsonPtr find(const std::string& ns, const std::string& name) const;
  // Sorted by namespace and name.
  std::vector<JsonPtr> of(const std::string& index_value) const;
  // One after the other, unpacked for the call. Sorted by namespace and name.
  void each(const std::function<void(const Json&)>& look) const;
  std::size_t size() const { return objects_.size(); }

  // False when the store has this version already, or a newer one.
  bool put(Json object);
  // What was there; null when nothing was.
  JsonPtr erase(const std::string& ns, const std::string& name);

  using Name = std::pair<std::string, std::string>;  // namespace, name
  std::set<Name> names() const;

 private:
  struct Entry {
    std::vector<std::uint8_t> packed;
    std::string version;
    std::vector<std::string> index_values;
  };
  void unlink(const Name& name, const Entry& entry);
  static JsonPtr unpack(const Entry& entry);

  const Index index_;
  std::map<Name, Entry> objects_;
  std::map<std::string, std::set<Name>> by_index_;
};

}  // namespace kube
