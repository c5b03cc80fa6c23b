// The log directories of the random cluster's brokers: two for each, of which one fails, is
// replaced or cannot be read now and then. Each replica is in one of them, whether the controller
// knows or not.
#include "common/meta/apply.h"
#include "controller/cluster/partition_change.h"
#include "controller/cluster/random_cluster.h"

namespace controller::cluster {

// Replicas that are new are made, others are gone.
void RandomCluster::settle_replicas() {
  for (const auto& [name, topic] : image_->topics()) {
    std::int32_t index = -1;
    for (const meta::Partition& partition : topic->partitions) {
      const Key key{name, ++index};
      for (const auto& [id, directories] : directories_) {
        if (!contains(partition.replicas, base::BrokerId(id))) {
          homes_.erase({key, id});
        } else if (!homes_.contains({key, id})) {
          homes_[{key, id}] = directories[random_.below(directories.size())];
        }
      }
    }
  }
}

void RandomCluster::put_directories(std::int32_t id, Kept kept,
                                    proto::RegisterBrokerRequest& request) {
  settle_replicas();
  auto& directories = directories_[id];
  if (kept == Kept::kNothing) directories = {{1, ++incarnations_}, {1, ++incarnations_}};
  if (kept == Kept::kOneDirectory) directories[random_.below(2)] = {1, ++incarnations_};
  failed_[id].clear();
  const bool unreadable = kept == Kept::kAll && random_.chance(1, 4);
  if (unreadable) failed_[id].insert(directories[1]);
  request.set_some_directories_failed(unreadable);
  for (const base::Uuid& each : directories) {
    if (!failed_[id].contains(each)) meta::to_proto(each, request.add_directory_ids());
  }
  for (auto& [replica, home] : homes_) {
    const bool there = std::ranges::find(directories, home) != directories.end();
    if (replica.second != id || there) continue;
    ghosts_[replica.first].whole.erase(base::BrokerId(id));
    home = directories[random_.below(2)];  // made anew
    // Not where it cannot be made.
    if (failed_[id].contains(home)) home = directories[0];
  }
}

// A directory fails, is full or has space again; or the broker says where its replicas are.
void RandomCluster::tell_directories(const RandomEvent& event) {
  const std::int32_t id = event.a % 4 + 1;
  const meta::Broker& broker = *image_->broker(base::BrokerId(id));
  proto::HeartbeatRequest request;
  request.set_broker_id(id);
  request.set_broker_epoch(broker.epoch.value());
  request.set_metadata_offset(processes_[id].view->offset().value());
  const auto& directories = directories_[id];
  if (event.b % 4 == 0) failed_[id].insert(directories[event.c % 2]);
  for (const base::Uuid& each : failed_[id]) {
    meta::to_proto(each, request.add_failed_directory_ids());
  }
  if (event.b % 4 == 1) meta::to_proto(directories[event.c % 2], request.add_full_directory_ids());
  for (const auto& [replica, home] : homes_) {
    if (replica.second != id || event.b % 2 == 0) continue;
    auto* placement = request.add_placements();
    meta::to_proto(image_->topic(replica.first.first)->id, placement->mutable_topic_id());
    placement->set_partition(replica.first.second);
    meta::to_proto(home, placement->mutable_directory_id());
  }
  apply(heartbeat(request, *image_, settings_).records);
}

void RandomCluster::check_storage(const Key& key, const meta::Partition* before,
                                  const meta::Partition& now) {
  const auto wrong = [&](const std::string& what) {
    violate(key.first + "-" + std::to_string(key.second) + ": " + what);
  };
  const auto storage = [&](base::BrokerId id) {
    return meta::storage_of(*image_->broker(id), now.directories);
  };
  if (now.leader != meta::kNoBroker && storage(now.leader) == meta::Storage::kFailed) {
    wrong("the leader's log directory has failed");
  }
  for (base::BrokerId id : now.isr) {
    const bool joins = before && !contains(before->isr, id) && now.leader != meta::kNoBroker;
    if (joins && id != now.leader && storage(id) != meta::Storage::kGood) {
      wrong("one joined the ISR whose log directory cannot be written");
    }
  }
}

}  // namespace controller::cluster
