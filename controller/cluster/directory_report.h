// What a heartbeat says of a broker's log directories: which have failed, which are full, which one
// holds a replica; compared with what the metadata knows. Pure; lives for one decision.
//
// A directory that has failed stays so until another process of the broker registers: heartbeats
// may overtake each other. One that is full may have space again.
#pragma once

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "common/meta/image.h"
#include "proto/controller.pb.h"
#include "proto/records.pb.h"

namespace controller::cluster {

// Placements of one heartbeat that are looked at; the rest is told again.
inline constexpr int kPlacementsMax = 2000;

class DirectoryReport {
 public:
  DirectoryReport(const proto::HeartbeatRequest& request, const meta::Broker& broker,
                  const meta::Image& image);

  // The broker as it is from now on.
  const meta::Broker& broker() const { return broker_; }
  bool changes_broker() const { return changes_broker_; }
  // Some replica can be written that could not be, or the other way round.
  bool changes_storage() const { return changes_broker_ || misplaced_; }
  // Where the replicas of a partition are from now on.
  meta::ReplicaDirectories directories_of(base::Uuid topic, std::int32_t index,
                                          const meta::Partition& partition) const;
  void put_lists(proto::BrokerChangeRecord& change) const;
  void put_placements(std::vector<proto::Record>& out) const;

 private:
  bool is_good(const base::Uuid& directory) const;
  void take_lists(const proto::HeartbeatRequest& request);
  void take_placements(const proto::HeartbeatRequest& request, const meta::Image& image);

  meta::Broker broker_;
  bool changes_broker_ = false;
  bool misplaced_ = false;  // a replica is, or was taken to be, where it cannot be written
  std::map<std::pair<base::Uuid, std::int32_t>, base::Uuid> placements_;
};

}  // namespace controller::cluster
