#include "broker/node/metadata_follower.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"
#include "common/meta/apply.h"
#include "proto/controller.pb.h"

namespace broker {
namespace {

constexpr base::Duration kRetryFirst = std::chrono::milliseconds(5);
// While controllers elect a leader, each of them ends the stream: ask often enough to be there
// soon.
constexpr base::Duration kRetryMost = std::chrono::milliseconds(250);

}  // namespace

MetadataFollower::MetadataFollower(io::Executor& executor, io::RpcClient& rpc, base::Diag& diag,
                                   base::Random random)
    : executor_(executor),
      rpc_(rpc),
      diag_(diag),
      random_(random),
      alive_(std::make_shared<bool>(false)),
      image_(std::make_shared<const meta::Image>()) {}

MetadataFollower::~MetadataFollower() { *alive_ = false; }

void MetadataFollower::start(base::BrokerId id, OnChange on_change, OnBroken on_broken) {
  CHECK(!*alive_);
  *alive_ = true;
  id_ = id;
  on_change_ = std::move(on_change);
  on_broken_ = std::move(on_broken);
  subscribe();
}

void MetadataFollower::stop() {
  *alive_ = false;
  retry_.cancel();
  stream_ = nullptr;
  for (auto& [offset, waiter] : std::exchange(waiters_, {})) {
    waiter.back->post(std::move(waiter.work));
  }
}

void MetadataFollower::subscribe() {
  proto::MetadataRequest request;
  request.set_broker_id(id_.value());
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
    subscribe();
  });
  executor_.timers().set(retry_, executor_.now() + delay);
  if (on_broken_) on_broken_();
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
