// Which brokers are alive, as far as the leading controller can tell: their heartbeats, and their
// subscriptions to the metadata. All of it is in memory of the one that leads; who gains the
// leadership gives every broker a fresh session. One executor.
//
//   heartbeat ........ the session lives for another session_timeout
//   stream broken .... suspect: unless a heartbeat or a new stream comes within `suspect_timeout`,
//                      the session ends at once (a killed process is noticed in milliseconds)
//   end of session ... `expired` is called; the owner decides (cluster::fence_broker)
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "common/base/time.h"
#include "common/base/timer_wheel.h"
#include "common/io/executor.h"
#include "common/meta/image.h"

namespace controller {

class Liveness {
 public:
  struct Config {
    base::Duration session_timeout = std::chrono::seconds(3);
    base::Duration suspect_timeout = std::chrono::milliseconds(50);
  };
  enum class End : std::uint8_t {
    kBroken,  // its subscription broke: its process has ended, or a connection of it
    kSilent,  // no heartbeat came
  };
  // Called on the executor, not from within another call.
  using Expired = std::function<void(base::BrokerId, End how)>;

  Liveness(io::Executor& executor, Config config, Expired expired);
  Liveness(const Liveness&) = delete;
  Liveness& operator=(const Liveness&) = delete;

  // This node leads from now on: every broker that sends heartbeats and is not fenced has a
  // session.
  void lead(const meta::Image& image);
  // It does not lead any more: nothing expires.
  void follow();
  bool leading() const { return leading_; }

  // A heartbeat of the current process was accepted.
  void heard(base::BrokerId broker, std::int64_t applied_offset);
  // A new process registered: it has a session, with everything to be heard yet.
  void registered(base::BrokerId broker);
  // Its shutdown began with the entry at `offset`.
  void shutting_down(base::BrokerId broker, std::int64_t offset);
  void forget(base::BrokerId broker);
  // Streams are counted: a new one may open before the old one is known to be broken. They are
  // known also while this node does not lead. `leaving`: it said that it would go, so there is
  // nothing to wait for.
  void stream_up(base::BrokerId broker);
  void stream_down(base::BrokerId broker, bool leaving);

  // This side ended all of them.
  void streams_closed() { streams_.clear(); }

  // It was heard within the session timeout, and follows the metadata.
  bool alive(base::BrokerId broker) const;
  // By its last heartbeat; -1 when none came since this node leads.
  std::int64_t applied(base::BrokerId broker) const;
  // -1: unknown.
  std::int64_t shutdown_offset(base::BrokerId broker) const;
  std::optional<base::Instant> last_heard(base::BrokerId broker) const;

 private:
  struct Session {
    base::Instant deadline;
    std::optional<base::Instant> suspect;  // when it ends, unless something comes
    std::optional<base::Instant> heard;
    std::int64_t applied = -1;
    std::int64_t shutdown_offset = -1;
  };
  void arm();
  void fire();
  Session& open(base::BrokerId broker);

  io::Executor& executor_;
  Config config_;
  Expired expired_;
  bool leading_ = false;
  std::map<base::BrokerId, Session> sessions_;
  std::map<base::BrokerId, int> streams_;
  base::Timer timer_;
};

}  // namespace controller
