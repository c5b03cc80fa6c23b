// Who of several operators acts: a coordination.k8s.io Lease, as client-go's leader election keeps
// it. No clock of another machine is believed: a lease is expired when its record has not changed
// for its duration by our own clock. Who cannot renew for renew_deadline has lost, before anybody
// else can have taken over. A lease is no fence: ask leading() before what cannot be undone.
//
//   waiting -> (free, expired) leading -> (renewals fail) lost, for good: the process ends
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/base/diag.h"
#include "common/base/random.h"
#include "common/base/timer_wheel.h"
#include "common/io/clock.h"
#include "common/io/executor.h"
#include "operator/node/kube.h"

namespace kube {

class Lease {
 public:
  struct Options {
    std::string ns;
    std::string name;
    // Ours alone. One that is found to be the holder already was an earlier process of the same
    // Pod, which is gone: it is taken over at once.
    std::string identity;
    base::Duration duration = std::chrono::seconds(15);
    base::Duration renew_deadline = std::chrono::seconds(10);
    base::Duration retry = std::chrono::seconds(2);
  };
  Lease(io::Executor& executor, Api& api, io::Clock& clock, base::Diag& diag, base::Random random,
        Options options, std::function<void()> on_leading, std::function<void()> on_lost);
  ~Lease();
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;

  void start();
  // Nobody else can hold it at this instant, provided that clocks run at about the same speed.
  bool leading() const;
  const std::string& holder() const { return holder_; }  // as last seen
  // Gives it up so that others need not wait; `done` comes in any case, once.
  void release(std::move_only_function<void()> done);

 private:
  void step();
  void step_later();
  void read(ApiResult<Json> result);
  void take(Json lease, bool create);
  void wrote(base::Instant began, ApiResult<Json> result);
  void check_deadline();
  Json spec(const Json& before) const;
  void call(ApiCall call, void (Lease::*then)(ApiResult<Json>));

  io::Executor& executor_;
  Api& api_;
  io::Clock& clock_;
  base::Diag& diag_;
  base::Random random_;
  const Options options_;
  const std::function<void()> on_leading_;
  const std::function<void()> on_lost_;

  enum class State { kWaiting, kLeading, kLost, kReleased };
  State state_ = State::kWaiting;
  std::string holder_;
  Json seen_;                // the record that was last seen to change
  base::Instant seen_at_{};  // and when
  base::Instant step_began_{};
  base::Instant renewed_{};
  Json lease_;  // as last written by us
  base::Timer retry_;
  base::Timer deadline_;
  std::shared_ptr<Lease*> self_;
};

// 2026-01-31T12:00:00.123456Z, as the API's MicroTime.
std::string micro_time(base::WallMs wall);

}  // namespace kube
