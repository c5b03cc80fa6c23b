#include "broker/node/registrar.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"
#include "common/meta/apply.h"
#include "proto/controller.pb.h"

namespace broker {
namespace {

constexpr base::Duration kRegisterTimeout = std::chrono::seconds(2);
constexpr base::Duration kRetryFirst = std::chrono::milliseconds(5);
constexpr base::Duration kRetryMost = std::chrono::seconds(1);
constexpr base::Duration kRegistrationRest = std::chrono::milliseconds(250);
// While leaderships move away, the answer changes within milliseconds.
constexpr base::Duration kShutdownAskEvery = std::chrono::milliseconds(25);

// The controller says that trying again will not help.
bool is_final(wire::ErrorCode code) {
  return code == wire::ErrorCode::kInconsistentClusterId ||
         code == wire::ErrorCode::kInvalidRegistration;
}

bool lost_registration(wire::ErrorCode code) {
  return code == wire::ErrorCode::kStaleBrokerEpoch ||
         code == wire::ErrorCode::kBrokerIdNotRegistered;
}

}  // namespace

Registrar::Registrar(io::Executor& home, ControllerClient& controller, base::Diag& diag,
                     base::Random random, Options options)
    : home_(home),
      controller_(controller),
      diag_(diag),
      random_(random),
      options_(options),
      timer_([this] { registered_ ? heartbeat() : register_broker(); }),
      shutdown_limit_([this] { settle_shutdown("it takes too long"); }),
      alive_(std::make_shared<bool>(false)) {}

Registrar::~Registrar() { *alive_ = false; }

void Registrar::start(Identity identity, OnRegistered on_registered, OnRefused on_refused) {
  CHECK(!*alive_);
  *alive_ = true;
  identity_ = std::move(identity);
  on_registered_ = std::move(on_registered);
  on_refused_ = std::move(on_refused);
  answered_ = home_.now();
  register_broker();
}

void Registrar::stop() {
  *alive_ = false;
  timer_.cancel();
  shutdown_limit_.cancel();
}

// ---- registration

void Registrar::register_broker() {
  if (calling_) return;
  calling_ = true;
  proto::RegisterBrokerRequest request;
  request.set_broker_id(identity_.id.value());
  if (!identity_.cluster_id.is_zero()) {
    meta::to_proto(identity_.cluster_id, request.mutable_cluster_id());
  }
  meta::to_proto(identity_.incarnation, request.mutable_incarnation());
  request.set_rack(identity_.rack);
  request.set_heartbeats(options_.heartbeats);
  request.set_previous_broker_epoch(identity_.previous_epoch.value());
  for (base::Uuid id : identity_.directories) meta::to_proto(id, request.add_directory_ids());
  request.set_some_directories_failed(identity_.some_directories_failed);
  for (const auto& each : identity_.listeners) {
    auto* listener = request.add_listeners();
    listener->set_name(each.name);
    listener->set_host(each.host);
    listener->set_port(each.port);
  }
  controller_.register_broker(
      request, kRegisterTimeout, home_,
      [this, alive = alive_](std::expected<proto::RegisterBrokerReply, CallError> reply) {
        if (*alive) on_register_reply(reply);
      });
}

void Registrar::on_register_reply(
    const std::expected<proto::RegisterBrokerReply, CallError>& reply) {
  calling_ = false;
  if (std::exchange(identity_changed_, false)) return register_broker();
  if (!reply) {
    const auto& error = reply.error();
    // The id's last process may have been cut off rather than ended: its session runs out first.
    const bool in_use = error.code == wire::ErrorCode::kDuplicateBrokerRegistration &&
                        home_.now() - answered_ > 2 * options_.session_timeout;
    if (is_final(error.code) || in_use) {
      diag_.error("registrar", "the controller refuses this broker",
                  {{"broker", std::to_string(identity_.id.value())}, {"error", error.message}});
      if (on_refused_) on_refused_(error);
      return;
    }
    const std::uint32_t doublings = std::min<std::uint32_t>(failures_++, 16);
    const base::Duration delay =
        std::min<base::Duration>(kRetryFirst * (1LL << doublings), kRetryMost);
    // While a node starts together with its controllers, the first few are to be expected.
    diag_.write(failures_ > 8 ? base::Diag::Level::kWarn : base::Diag::Level::kDebug, "registrar",
                "not registered yet; trying again", {{"error", error.message}});
    return again_in(delay + base::Duration(random_.between(0, delay.count() + 1)));
  }
  failures_ = 0;
  answered_ = registered_at_ = home_.now();
  registered_ = true;
  fenced_.store(options_.heartbeats, std::memory_order_relaxed);
  registration_offset_ = base::Offset(reply->offset());
  told_applied_ = base::Offset(-1);
  epoch_.store(reply->broker_epoch(), std::memory_order_release);
  identity_.cluster_id = meta::from_proto(reply->cluster_id());
  diag_.info("registrar", "registered",
             {{"broker", std::to_string(identity_.id.value())},
              {"epoch", std::to_string(reply->broker_epoch())}});
  const auto alive = alive_;
  if (on_registered_) {
    on_registered_({.epoch = base::BrokerEpoch(reply->broker_epoch()),
                    .cluster_id = identity_.cluster_id,
                    .offset = registration_offset_});
  }
  if (!*alive) return;
  if (options_.heartbeats || again_at_once_) heartbeat();
}

void Registrar::register_again(std::vector<base::Uuid> directories) {
  if (!*alive_) return;
  identity_.directories = std::move(directories);
  identity_.some_directories_failed = true;
  registered_ = false;
  fenced_.store(true, std::memory_order_relaxed);
  timer_.cancel();
  identity_changed_ = calling_;
  register_broker();
}

// ---- heartbeats

void Registrar::applied(base::Offset offset) {
  const bool unfences =
      registered_ && applied_ < registration_offset_ && offset >= registration_offset_;
  applied_ = std::max(applied_, offset);
  if (unfences) heartbeat_soon();
}

void Registrar::heartbeat_soon() {
  if (*alive_ && registered_ && options_.heartbeats) tell_soon();
}

void Registrar::tell_soon() {
  if (!*alive_) return;
  if (calling_ || !registered_) {
    again_at_once_ = true;
  } else {
    heartbeat();
  }
}

void Registrar::heartbeat() {
  if (calling_) return;
  calling_ = true;
  again_at_once_ = false;
  timer_.cancel();
  told_applied_ = applied_;
  proto::HeartbeatRequest request;
  request.set_broker_id(identity_.id.value());
  request.set_broker_epoch(epoch().value());
  request.set_metadata_offset(applied_.value());
  request.set_want_shutdown(on_shut_down_ != nullptr);
  if (describe_) describe_(request);
  controller_.heartbeat(
      request,
      std::max<base::Duration>(options_.session_timeout / 3, std::chrono::milliseconds(50)), home_,
      [this, alive = alive_](std::expected<proto::HeartbeatReply, CallError> reply) {
        if (*alive) on_heartbeat_reply(reply);
      });
}

void Registrar::on_heartbeat_reply(const std::expected<proto::HeartbeatReply, CallError>& reply) {
  calling_ = false;
  if (std::exchange(identity_changed_, false)) return register_broker();
  if (heard_) heard_(reply ? &*reply : nullptr);
  if (!reply) {
    ++failures_;
    if (lost_registration(reply.error().code)) {
      diag_.warn("registrar",
                 "the controller has no registration of this broker; registering again",
                 {{"error", reply.error().message}});
      registered_ = false;
      fenced_.store(true, std::memory_order_relaxed);
      if (on_shut_down_) return settle_shutdown("the registration is lost");
      // One that does not last is not asked for at once again.
      if (home_.now() - registered_at_ < kRegistrationRest) return again_in(kRegistrationRest);
      return register_broker();
    }
    if (on_shut_down_ && home_.now() - answered_ > options_.session_timeout) {
      return settle_shutdown("no controller answers");
    }
    const base::Duration delay = std::min<base::Duration>(
        kRetryFirst * (1LL << std::min<std::uint32_t>(failures_, 6)), options_.heartbeat_every);
    return again_in(delay);
  }
  failures_ = 0;
  answered_ = home_.now();
  fenced_.store(reply->fenced(), std::memory_order_relaxed);
  if (on_shut_down_) {
    if (reply->may_shutdown()) return settle_shutdown("");
    return again_in(kShutdownAskEvery);
  }
  if (again_at_once_) return heartbeat();
  if (options_.heartbeats) again_in(options_.heartbeat_every);
}

void Registrar::again_in(base::Duration delay) { home_.timers().set(timer_, home_.now() + delay); }

// ---- an orderly end

void Registrar::shut_down(std::move_only_function<void()> done) {
  CHECK(on_shut_down_ == nullptr);
  if (!*alive_ || !registered_ || !options_.heartbeats) return done();
  on_shut_down_ = std::move(done);
  home_.timers().set(shutdown_limit_, home_.now() + options_.shutdown_most);
  heartbeat_soon();
}

void Registrar::settle_shutdown(const char* how) {
  if (on_shut_down_ == nullptr) return;
  shutdown_limit_.cancel();
  timer_.cancel();
  if (*how != '\0') {
    diag_.warn("registrar", "ending without the controller's leave", {{"why", how}});
  }
  std::exchange(on_shut_down_, nullptr)();
}

}  // namespace broker
