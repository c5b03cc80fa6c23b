// The broker's side of the metadata log: follows the committed log and keeps the current image.
// Lives on one executor (start, stop and the callback); image() may be called from any thread.
// After a break it subscribes again from the offset it has: within milliseconds at first, then with
// backoff.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/base/diag.h"
#include "common/base/ids.h"
#include "common/base/random.h"
#include "common/base/timer_wheel.h"
#include "common/io/executor.h"
#include "common/io/rpc.h"
#include "common/meta/delta.h"
#include "common/meta/image.h"

namespace broker {

class MetadataFollower {
 public:
  // On the executor, for every new image, in order, after image() already answers the new one.
  // `before` is never null: the first is the empty image.
  using OnChange = std::function<void(const meta::ImagePtr& before, const meta::ImagePtr& after,
                                      const meta::Delta& delta)>;
  // On the executor: the stream broke; it is being taken up again.
  using OnBroken = std::function<void()>;

  MetadataFollower(io::Executor& executor, io::RpcClient& rpc, base::Diag& diag,
                   base::Random random);
  ~MetadataFollower();
  MetadataFollower(const MetadataFollower&) = delete;
  MetadataFollower& operator=(const MetadataFollower&) = delete;

  // `id` is this broker's, which the controller knows by now. `on_broken` may be null.
  void start(base::BrokerId id, OnChange on_change, OnBroken on_broken);
  void stop();

  // Never null. Any thread.
  meta::ImagePtr image() const { return image_.load(std::memory_order_acquire); }
  // Runs `work` on `back` once this broker has applied the entry at `offset` (and OnChange has
  // returned); at once when it already has, or when offset is -1. After stop() it runs soon. Any
  // thread.
  void when_reached(base::Offset offset, io::Executor& back, io::Executor::Work work);

 private:
  void subscribe();
  void on_message(const std::string& bytes);
  void retry_later(const std::string& why);
  void advance(meta::ImagePtr next, const meta::Delta& delta);

  io::Executor& executor_;
  io::RpcClient& rpc_;
  base::Diag& diag_;
  base::Random random_;
  base::BrokerId id_;
  OnChange on_change_;
  OnBroken on_broken_;
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
};

}  // namespace broker
