#include "controller/cluster/directory_report.h"

#include <algorithm>
#include <set>

#include "common/meta/apply.h"
#include "controller/cluster/placements.h"

namespace controller::cluster {
namespace {

bool contains(const std::vector<base::Uuid>& ids, const base::Uuid& id) {
  return std::ranges::find(ids, id) != ids.end();
}

// Those that the broker has registered, sorted.
std::vector<base::Uuid> known(const auto& told, const std::vector<base::Uuid>& also,
                              const meta::Broker& broker) {
  std::set<base::Uuid> out(also.begin(), also.end());
  for (const proto::Uuid& each : told) {
    const base::Uuid id = meta::from_proto(each);
    if (contains(broker.directories, id)) out.insert(id);
  }
  return {out.begin(), out.end()};
}

void put(const std::vector<base::Uuid>& ids, proto::Uuids* out) {
  for (const base::Uuid& id : ids) meta::to_proto(id, out->add_ids());
}

}  // namespace

DirectoryReport::DirectoryReport(const proto::HeartbeatRequest& request, const meta::Broker& broker,
                                 const meta::Image& image)
    : broker_(broker) {
  take_lists(request);
  take_placements(request, image);
}

void DirectoryReport::take_lists(const proto::HeartbeatRequest& request) {
  auto failed = known(request.failed_directory_ids(), broker_.failed_directories, broker_);
  auto full = known(request.full_directory_ids(), {}, broker_);
  changes_broker_ = failed != broker_.failed_directories || full != broker_.full_directories;
  broker_.failed_directories = std::move(failed);
  broker_.full_directories = std::move(full);
}

bool DirectoryReport::is_good(const base::Uuid& directory) const {
  return !contains(broker_.failed_directories, directory) &&
         !contains(broker_.full_directories, directory);
}

void DirectoryReport::take_placements(const proto::HeartbeatRequest& request,
                                      const meta::Image& image) {
  for (const auto& each : request.placements()) {
    if (placements_.size() >= kPlacementsMax) return;
    const base::Uuid id = meta::from_proto(each.topic_id());
    const base::Uuid directory = meta::from_proto(each.directory_id());
    const meta::Topic* topic = image.topic(id);
    if (!topic || !contains(broker_.directories, directory) || each.partition() < 0 ||
        static_cast<std::size_t>(each.partition()) >= topic->partitions.size()) {
      continue;
    }
    const meta::Partition& partition =
        topic->partitions[static_cast<std::size_t>(each.partition())];
    const base::Uuid* told = meta::directory_of(broker_.id, partition.directories);
    const bool holds =
        std::ranges::find(partition.replicas, broker_.id) != partition.replicas.end();
    if (!holds || (told && *told == directory)) continue;
    placements_[{id, each.partition()}] = directory;
    misplaced_ = misplaced_ || !is_good(directory) || (told && !is_good(*told));
  }
}

meta::ReplicaDirectories DirectoryReport::directories_of(base::Uuid topic, std::int32_t index,
                                                         const meta::Partition& partition) const {
  meta::ReplicaDirectories out = partition.directories;
  const auto placed = placements_.find({topic, index});
  if (placed == placements_.end()) return out;
  std::erase_if(out, [&](const meta::ReplicaDirectory& each) { return each.broker == broker_.id; });
  out.push_back({broker_.id, placed->second});
  return out;
}

void DirectoryReport::put_lists(proto::BrokerChangeRecord& change) const {
  put(broker_.failed_directories, change.mutable_failed_directories());
  put(broker_.full_directories, change.mutable_full_directories());
}

void DirectoryReport::put_placements(std::vector<proto::Record>& out) const {
  Placements placements;
  for (const auto& [at, directory] : placements_) placements.add(directory, at.first, at.second);
  placements.write(broker_.id, out);
}

}  // namespace controller::cluster
