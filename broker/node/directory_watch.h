// Tells the controller how this broker's log directories are, in its heartbeats: which have failed,
// which are full, and, where there are several, which one has a replica (or had it when it
// failed) as long as the metadata does not say so. Looks every now and then whether a full one has
// space again. Home executor.
//
//   in service --write fails--> failed: until the process ends
//   in service --no space--> full --a try succeeds--> in service (tried more rarely, the sooner it
//                                                     is full again)
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <utility>

#include "broker/log/log_directories.h"
#include "broker/node/node.h"
#include "common/base/timer_wheel.h"
#include "common/base/uuid.h"
#include "common/meta/delta.h"
#include "common/meta/image.h"

namespace proto {
class HeartbeatRequest;
}

namespace broker {

class DirectoryWatch {
 public:
  // All outlive it. `tell` is called when there is something new for the controller.
  DirectoryWatch(Node& node, LogDirectories& directories, io::Executor& home,
                 std::function<void()> tell);
  ~DirectoryWatch();
  DirectoryWatch(const DirectoryWatch&) = delete;
  DirectoryWatch& operator=(const DirectoryWatch&) = delete;

  // The partition table reflects the change.
  void on_applied(const meta::Image& after, const meta::Delta& delta);
  // It is in another directory from now on.
  void on_moved(const Partition& partition);
  // Adds what there is to tell.
  void describe(proto::HeartbeatRequest& request);
  // Nothing is tried or told from now on.
  void stop();

 private:
  void listen();
  void compare(const meta::Topic& topic, const TopicPartitions& here, std::int32_t index);
  void on_full();
  void try_space();
  void rest();

  Node& node_;
  LogDirectories& directories_;
  io::Executor& home_;
  const std::function<void()> tell_;
  std::shared_ptr<bool> alive_;
  std::map<std::pair<base::Uuid, std::int32_t>, base::Uuid> untold_;  // where replicas are
  base::Timer try_timer_;
  bool trying_ = false;
  base::Duration try_every_;
  base::Instant had_space_{};  // when the last try succeeded
};

}  // namespace broker
