// The broker's side of the metadata log: registers the broker, follows the committed log and keeps
// the current image. Lives on one executor (start, stop and the callback); image() may be called
// from any thread. After a break it registers again where needed and resubscribes with backoff from
// the offset it has.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "broker/node/controller_client.h"
#include "common/base/diag.h"
#include "common/base/ids.h"
#include "common/base/random.h"
#include "common/base/timer_wheel.h"
#include "common/base/uuid.h"
#include "common/io/executor.h"
#include "common/io/rpc.h"
#include "common/meta/delta.h"
#include "common/meta/image.h"

namespace broker {

class MetadataFollower {
 public:
  // Who this broker says it is.
  struct Identity {
    base::BrokerId id;
    base::Uuid cluster_id;   // zero: takes the cluster's
    base::Uuid incarnation;  // new with each start of the process
    std::vector<meta::Listener> listeners;
    std::string rack;
  };
  // On the executor, for every new image, in order, after image() already answers the new one.
  // `before` is never null: the first is the empty image.
  using OnChange = std::function<void(const meta::ImagePtr& before, const meta::ImagePtr& after,
                                      const meta::Delta& delta)>;
  // On the executor, once: the first image in which this broker is registered with this incarnation
  // has been given to OnChange.
  using OnReady = std::move_only_function<void()>;
  // On the executor: the controller refuses this broker for good (another cluster, or its id is
  // in use). The process should end with this message.
  using OnRefused = std::function<void(const CallError&)>;

  MetadataFollower(io::Executor& executor, io::RpcClient& rpc, base::Diag& diag,
                   base::Random random);
  ~MetadataFollower();
  MetadataFollower(const MetadataFollower&) = delete;
  MetadataFollower& operator=(const MetadataFollower&) = delete;

  void start(Identity identity, OnChange on_change, OnReady on_ready, OnRefused on_refused);
  void stop();

  // Never null. Any thread.
  meta::ImagePtr image() const { return image_.load(std::memory_order_acquire); }
  // Runs `work` on `back` once this broker has applied the entry at `offset` (and OnChange has
  // returned); at once when it already has, or when offset is -1. After stop() it runs soon. Any
  // thread.
  void when_reached(base::Offset offset, io::Executor& back, io::Executor::Work work);
  // Of the registration; -1 before it. Any thread.
  base::BrokerEpoch broker_epoch() const {
    return base::BrokerEpoch(epoch_.load(std::memory_order_acquire));
  }

 private:
  void register_broker();
  void subscribe();
  void on_message(const std::string& bytes);
  void retry_later(const std::string& why);
  void advance(meta::ImagePtr next, const meta::Delta& delta);

  io::Executor& executor_;
  io::RpcClient& rpc_;
  base::Diag& diag_;
  base::Random random_;
  ControllerClient client_;
  Identity identity_;
  OnChange on_change_;
  OnReady on_ready_;
  OnRefused on_refused_;
  std::unique_ptr<io::RpcStream> stream_;
  base::Timer retry_;
  struct Waiter {
    io::Executor* back;
    io::Executor::Work work;
  };
  std::multimap<base::Offset, Waiter> waiters_;
  std::uint32_t failures_ = 0;   // in a row: the backoff
  std::shared_ptr<bool> alive_;  // false after stop(): late callbacks do nothing
  std::atomic<meta::ImagePtr> image_;
  std::atomic<std::int64_t> epoch_{-1};
};

}  // namespace broker
