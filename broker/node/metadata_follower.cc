#include "broker/node/metadata_follower.h"

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

// The controller says that trying again will not help.
bool is_final(wire::ErrorCode code) {
  return code == wire::ErrorCode::kInconsistentClusterId ||
         code == wire::ErrorCode::kInvalidRegistration ||
         code == wire::ErrorCode::kDuplicateBrokerRegistration;
}

}  // namespace

MetadataFollower::MetadataFollower(io::Executor& executor, io::RpcClient& rpc, base::Diag& diag,
                                   base::Random random)
    : executor_(executor),
      rpc_(rpc),
      diag_(diag),
      random_(random),
      client_(executor, rpc),
      alive_(std::make_shared<bool>(false)),
      image_(std::make_shared<const meta::Image>()) {}

MetadataFollower::~MetadataFollower() { *alive_ = false; }

void MetadataFollower::start(Identity identity, OnChange on_change, OnReady on_ready,
                             OnRefused on_refused) {
  CHECK(!*alive_);
  *alive_ = true;
  identity_ = std::move(identity);
  on_change_ = std::move(on_change);
  on_ready_ = std::move(on_ready);
  on_refused_ = std::move(on_refused);
  register_broker();
}

void MetadataFollower::stop() {
  *alive_ = false;
  retry_.cancel();
  stream_ = nullptr;
  for (auto& [offset, waiter] : std::exchange(waiters_, {})) {
    waiter.back->post(std::move(waiter.work));
  }
}

void MetadataFollower::register_broker() {
  proto::RegisterBrokerRequest request;
  request.set_broker_id(identity_.id.value());
  if (!identity_.cluster_id.is_zero()) {
    meta::to_proto(identity_.cluster_id, request.mutable_cluster_id());
  }
  meta::to_proto(identity_.incarnation, request.mutable_incarnation());
  request.set_rack(identity_.rack);
  for (const auto& each : identity_.listeners) {
    auto* listener = request.add_listeners();
    listener->set_name(each.name);
    listener->set_host(each.host);
    listener->set_port(each.port);
  }
  client_.register_broker(
      request, kRegisterTimeout, executor_,
      [this, alive = alive_](std::expected<proto::RegisterBrokerReply, CallError> reply) {
        if (!*alive) return;
        if (reply) {
          epoch_.store(reply->broker_epoch(), std::memory_order_release);
          identity_.cluster_id = meta::from_proto(reply->cluster_id());
          subscribe();
        } else if (is_final(reply.error().code)) {
          diag_.error(
              "metadata", "the controller refuses this broker",
              {{"broker", std::to_string(identity_.id.value())}, {"error", reply.error().message}});
          if (on_refused_) on_refused_(reply.error());
        } else {
          retry_later(reply.error().message);
        }
      });
}

void MetadataFollower::subscribe() {
  proto::MetadataRequest request;
  request.set_broker_id(identity_.id.value());
  request.set_have_offset(image()->offset().value());
  io::RpcStreamHandler handler;
  handler.on_message = [this, alive = alive_](std::string bytes) {
    if (*alive) on_message(bytes);
  };
  handler.on_broken = [this, alive = alive_](io::IoError error) {
    if (*alive) retry_later(error.what);
  };
  stream_ = rpc_.subscribe("Broker/Metadata", request.SerializeAsString(), std::move(handler));
}

// The stream may be on the stack: it goes with the next turn.
void MetadataFollower::retry_later(const std::string& why) {
  const std::uint32_t doublings = std::min<std::uint32_t>(failures_++, 16);
  base::Duration delay = std::min<base::Duration>(kRetryFirst * (1LL << doublings), kRetryMost);
  delay += base::Duration(random_.between(0, delay.count()));
  // While a node starts together with its controller, the first few are to be expected.
  const auto level = failures_ > 8 ? base::Diag::Level::kWarn : base::Diag::Level::kDebug;
  diag_.write(
      level, "metadata", "no controller to follow; trying again",
      {{"error", why},
       {"delay_ms",
        std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(delay).count())}});
  retry_.on_fire([this] {
    stream_ = nullptr;
    register_broker();
  });
  executor_.timers().set(retry_, executor_.now() + delay);
}

void MetadataFollower::on_message(const std::string& bytes) {
  if (retry_.is_set()) return;  // of a stream that is being given up
  proto::MetadataMessage message;
  if (!message.ParseFromString(bytes)) return retry_later("a message that cannot be read");
  if (message.has_snapshot()) {
    auto next = meta::from_snapshot(message.snapshot());
    if (!next) return retry_later(next.error());
    const meta::ImagePtr before = image();
    if ((*next)->offset() < before->offset()) {
      diag_.error("metadata", "the controller's metadata is older than this broker's",
                  {{"ours", std::to_string(before->offset().value())},
                   {"theirs", std::to_string((*next)->offset().value())}});
    }
    const meta::Delta delta = meta::difference(*before, **next);
    advance(std::move(*next), delta);
  }
  for (const auto& entry : message.entries()) {
    if (!*alive_) return;
    const base::Offset have = image()->offset();
    const base::Offset offset(entry.offset());
    if (offset <= have) continue;
    if (have >= base::Offset(0) && offset != have + 1) return retry_later("a gap in the metadata");
    auto step = meta::apply_entry(image(), offset, entry.epoch(), entry.batch());
    if (!step) {
      diag_.error("metadata", "an entry cannot be applied", {{"error", step.error()}});
      return retry_later(step.error());
    }
    advance(std::move(step->image), step->delta);
  }
  failures_ = 0;
}

void MetadataFollower::advance(meta::ImagePtr next, const meta::Delta& delta) {
  const auto alive = alive_;
  const meta::ImagePtr before = image();
  image_.store(next, std::memory_order_release);
  if (on_change_) on_change_(before, next, delta);
  if (!*alive) return;
  while (!waiters_.empty() && waiters_.begin()->first <= next->offset()) {
    auto waiter = waiters_.extract(waiters_.begin());
    waiter.mapped().back->post(std::move(waiter.mapped().work));
  }
  const meta::Broker* self = next->broker(identity_.id);
  if (on_ready_ && self && self->incarnation == identity_.incarnation) {
    std::exchange(on_ready_, nullptr)();
  }
}

void MetadataFollower::when_reached(base::Offset offset, io::Executor& back,
                                    io::Executor::Work work) {
  if (image()->offset() >= offset) {
    // OnChange of that very entry may still be running on another thread: go behind it.
    executor_.post([&back, work = std::move(work)]() mutable { back.post(std::move(work)); });
    return;
  }
  executor_.post([this, alive = alive_, offset, &back, work = std::move(work)]() mutable {
    if (!*alive || image()->offset() >= offset) return back.post(std::move(work));
    waiters_.emplace(offset, Waiter{&back, std::move(work)});
  });
}

}  // namespace broker
