// Which replicas of one broker are in which of its log directories, gathered into as few records as
// can be. A value.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "common/base/ids.h"
#include "common/base/uuid.h"
#include "common/meta/apply.h"
#include "proto/records.pb.h"

namespace controller::cluster {

class Placements {
 public:
  // A zero directory: it is not known any more.
  void add(base::Uuid directory, base::Uuid topic, std::int32_t partition) {
    directories_[directory][topic].push_back(partition);
  }
  // One record for each directory.
  void write(base::BrokerId broker, std::vector<proto::Record>& out) const {
    for (const auto& [directory, topics] : directories_) {
      auto* record = out.emplace_back().mutable_replica_directories();
      record->set_broker_id(broker.value());
      meta::to_proto(directory, record->mutable_directory_id());
      for (const auto& [id, partitions] : topics) {
        auto* topic = record->add_topics();
        meta::to_proto(id, topic->mutable_topic_id());
        for (const std::int32_t index : partitions) topic->add_partitions(index);
      }
    }
  }

 private:
  std::map<base::Uuid, std::map<base::Uuid, std::vector<std::int32_t>>> directories_;
};

}  // namespace controller::cluster
