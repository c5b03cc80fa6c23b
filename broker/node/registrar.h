// Keeps this broker known to the controller: registers its process, sends heartbeats, registers
// again when the controller has lost the registration, and asks for leave before an orderly end.
// Lives on the home executor; epoch() and the like may be read from any thread.
//
//   start -> registering --epoch--> alive (fenced until a heartbeat shows that the registration
//            was applied) --STALE_BROKER_EPOCH--> registering
//   shut_down -> heartbeats that want it, until the controller allows it or nobody answers
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
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
#include "common/meta/image.h"

namespace broker {

class Registrar {
 public:
  // Who this broker says it is.
  struct Identity {
    base::BrokerId id;
    base::Uuid cluster_id;   // zero: takes the cluster's
    base::Uuid incarnation;  // new with each start of the process
    std::vector<meta::Listener> listeners;
    std::string rack;
    // Under which the last process of this broker ended cleanly; -1 after any other end.
    base::BrokerEpoch previous_epoch{-1};
    std::vector<base::Uuid> directories;   // ids of its log directories
    bool some_directories_failed = false;  // there are others that cannot be read
  };
  struct Options {
    // False for a broker in its controller's own process: it is unfenced at once and for ever, and
    // sends a heartbeat only when there is news.
    bool heartbeats = true;
    base::Duration heartbeat_every = std::chrono::milliseconds(500);
    // How long the controller goes without a heartbeat before it fences this broker.
    base::Duration session_timeout = std::chrono::seconds(3);
    // Most time that an orderly end may wait for its leaderships to move.
    base::Duration shutdown_most = std::chrono::seconds(20);
  };
  struct Registered {
    base::BrokerEpoch epoch;
    base::Uuid cluster_id;
    base::Offset offset;  // of the metadata that shows the registration
  };
  // Home, after each registration: the first and every later one.
  using OnRegistered = std::function<void(const Registered&)>;
  // Home: the controller refuses this broker for good (another cluster, or its id is in use). The
  // process should end with this message.
  using OnRefused = std::function<void(const CallError&)>;

  // All outlive it.
  Registrar(io::Executor& home, ControllerClient& controller, base::Diag& diag, base::Random random,
            Options options);
  ~Registrar();
  Registrar(const Registrar&) = delete;
  Registrar& operator=(const Registrar&) = delete;

  void start(Identity identity, OnRegistered on_registered, OnRefused on_refused);
  // Says anew who this is: of the directories that were named only these can be used. on_registered
  // comes again.
  void register_again(std::vector<base::Uuid> directories);
  // Everything up to `offset` of the metadata is in effect here: partitions are open.
  void applied(base::Offset offset);
  // What is added to each heartbeat from now on; called on home. Null: nothing.
  using Describe = std::function<void(proto::HeartbeatRequest&)>;
  // What came of it; null: no answer, or a refusal.
  using Heard = std::function<void(const proto::HeartbeatReply*)>;
  void describe_with(Describe describe, Heard heard = nullptr) {
    describe_ = std::move(describe);
    heard_ = std::move(heard);
  }
  // Something happened that may make the controller doubt that this process lives.
  void heartbeat_soon();
  // describe_with() has something new for the controller.
  void tell_soon();
  // Asks the controller to move the leaderships away. `done` comes once none is left here that
  // could be elsewhere, or it cannot be had: nobody answers, or it takes too long.
  void shut_down(std::move_only_function<void()> done);
  // No call and no callback from now on.
  void stop();

  // Of the registration; -1 before it. Any thread.
  base::BrokerEpoch epoch() const {
    return base::BrokerEpoch(epoch_.load(std::memory_order_acquire));
  }
  // As the last answered heartbeat said. Any thread.
  bool fenced() const { return fenced_.load(std::memory_order_relaxed); }

 private:
  void register_broker();
  void on_register_reply(const std::expected<proto::RegisterBrokerReply, CallError>& reply);
  void heartbeat();
  void on_heartbeat_reply(const std::expected<proto::HeartbeatReply, CallError>& reply);
  void again_in(base::Duration delay);
  void settle_shutdown(const char* how);

  io::Executor& home_;
  ControllerClient& controller_;
  base::Diag& diag_;
  base::Random random_;
  const Options options_;
  Identity identity_;
  OnRegistered on_registered_;
  OnRefused on_refused_;
  Describe describe_;
  Heard heard_;
  base::Timer timer_;  // of the next registration or heartbeat
  base::Timer shutdown_limit_;
  std::shared_ptr<bool> alive_;  // false after stop(): late callbacks do nothing
  bool registered_ = false;
  bool calling_ = false;           // one call at a time
  bool again_at_once_ = false;     // when the call under way has ended
  bool identity_changed_ = false;  // since the call under way began
  base::Offset registration_offset_{-1};
  base::Offset applied_{-1};
  base::Offset told_applied_{-1};  // by the last heartbeat
  std::uint32_t failures_ = 0;     // in a row
  base::Instant registered_at_{};
  base::Instant answered_{};  // when the controller last did
  std::move_only_function<void()> on_shut_down_;
  std::atomic<std::int64_t> epoch_{-1};
  std::atomic<bool> fenced_{true};
};

}  // namespace broker
