#include "common/meta/image.h"

#include <algorithm>

namespace meta {
namespace {

const Configs& or_none(const std::shared_ptr<const Configs>* found) {
  static const Configs none;
  return found ? **found : none;
}

}  // namespace

const Partition* Image::partition(std::string_view name, std::int32_t index) const {
  const Topic* found = topic(name);
  if (!found || index < 0 || static_cast<std::size_t>(index) >= found->partitions.size()) {
    return nullptr;
  }
  return &found->partitions[static_cast<std::size_t>(index)];
}

const Broker* Image::broker(base::BrokerId id) const {
  const BrokerPtr* found = brokers_.find(id);
  return found ? found->get() : nullptr;
}

bool Image::is_offline(base::BrokerId id, const Partition& partition) const {
  const Broker* found = broker(id);
  return found == nullptr || found->fenced ||
         storage_of(*found, partition.directories) == Storage::kFailed;
}

const Configs& Image::cluster_configs() const { return or_none(broker_configs_.find("")); }

const Configs& Image::broker_configs(base::BrokerId id) const {
  return or_none(broker_configs_.find(std::to_string(id.value())));
}

const Configs& Image::group_configs(std::string_view group) const {
  return or_none(group_configs_.find(group));
}

std::int16_t Image::feature(std::string_view name) const {
  auto found = features_->find(name);
  return found == features_->end() ? std::int16_t{0} : found->second;
}

std::string collision_key(std::string_view name) {
  if (name.find_first_of("._") == std::string_view::npos) return {};
  std::string key(name);
  std::ranges::replace(key, '.', '_');
  return key;
}

const std::string* Image::colliding_topic(std::string_view name) const {
  const std::string key = collision_key(name);
  return key.empty() ? nullptr : collisions_.find(key);
}

const base::Uuid* directory_of(base::BrokerId broker, const ReplicaDirectories& directories) {
  const auto found = std::ranges::find(directories, broker, &ReplicaDirectory::broker);
  return found == directories.end() ? nullptr : &found->directory;
}

Storage storage_of(const Broker& broker, const ReplicaDirectories& directories) {
  if (broker.failed_directories.empty() && broker.full_directories.empty()) return Storage::kGood;
  const auto contains = [](const std::vector<base::Uuid>& ids, const base::Uuid& id) {
    return std::ranges::find(ids, id) != ids.end();
  };
  if (const base::Uuid* id = directory_of(broker.id, directories)) {
    if (contains(broker.failed_directories, *id)) return Storage::kFailed;
    return contains(broker.full_directories, *id) ? Storage::kFull : Storage::kGood;
  }
  bool all_failed = true;
  for (const base::Uuid& id : broker.directories) {
    const bool failed = contains(broker.failed_directories, id);
    all_failed = all_failed && failed;
    if (!failed && !contains(broker.full_directories, id)) return Storage::kGood;
  }
  return all_failed ? Storage::kFailed : Storage::kFull;
}

bool is_internal_topic(std::string_view name) {
  return name == "__consumer_offsets" || name == "__transaction_state" ||
         name == "__share_group_state";
}

}  // namespace meta
