// A partition as the loop that copies it from its leader sees it: node::Partition in a broker, a
// player by hand in tests. What the calls do and give is described in broker/node/partition.h.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "broker/node/partition.h"

namespace broker {

class Follower {
 public:
  virtual ~Follower() = default;
  virtual std::string name() const = 0;  // for operators
  virtual FollowState follow_state() = 0;
  virtual Followed take_from_leader(const LeaderAnswer& answer) = 0;
  virtual bool await_flushed(base::Offset end, io::Executor& home,
                             std::shared_ptr<PartitionListener> listener, std::uint64_t tag) = 0;
  virtual void stop_waiting(const PartitionListener* listener) = 0;
  virtual void repair(LeaderAnswer answer, io::Executor& home,
                      std::move_only_function<void(Followed)> done) = 0;
};

std::shared_ptr<Follower> make_follower(std::shared_ptr<Partition> partition);

}  // namespace broker
