#include "broker/node/coordinator_topic.h"

#include <algorithm>
#include <string>
#include <utility>

#include "broker/node/controller_client.h"
#include "broker/node/hosting.h"

namespace broker {
namespace {

using wire::ErrorCode;

constexpr std::chrono::seconds kCreateTimeout{30};

std::int32_t usable_brokers(const meta::Image& image) {
  std::int32_t count = 0;
  for (const auto& [id, broker] : image.brokers()) {
    if (!broker->fenced) ++count;
  }
  return count;
}

void add_config(proto::CreateTopicsRequest::Topic& topic, const std::string& key,
                const std::string& value) {
  auto* config = topic.add_configs();
  config->set_key(key);
  config->set_value(value);
}

}  // namespace

CoordinatorTopic::CoordinatorTopic(Node& node, Shape shape)
    : node_(node), shape_(std::move(shape)), alive_(std::make_shared<bool>(true)) {}

proto::CreateTopicsRequest CoordinatorTopic::creation() const {
  proto::CreateTopicsRequest request;
  auto* topic = request.add_topics();
  topic->set_name(shape_.name);
  topic->set_partitions(shape_.partitions);
  // A cluster that is smaller than the wish still needs its coordinators.
  const std::int32_t replicas = std::clamp<std::int32_t>(
      shape_.replication_factor, 1, std::max(1, usable_brokers(*node_.image())));
  topic->set_replication_factor(replicas);
  add_config(*topic, "cleanup.policy", "compact");
  add_config(*topic, "compression.type", "producer");
  add_config(*topic, "segment.bytes", std::to_string(shape_.segment_bytes));
  if (shape_.min_isr > 0) {
    add_config(*topic, "min.insync.replicas", std::to_string(std::min(shape_.min_isr, replicas)));
  }
  return request;
}

CoordinatorTopic::~CoordinatorTopic() { *alive_ = false; }

io::Executor& CoordinatorTopic::home() const { return node_.reactors.front()->executor; }

void CoordinatorTopic::ensure(io::Executor& back, Done done) {
  Waiter waiter{&back, std::move(done)};
  home().post([this, alive = alive_, waiter = std::move(waiter)]() mutable {
    if (*alive) enter(std::move(waiter));
  });
}

void CoordinatorTopic::enter(Waiter waiter) {
  if (stopped_ || waiters_.size() >= kWaitersMax) {
    return tell(std::move(waiter), {.code = ErrorCode::kCoordinatorNotAvailable, .message = {}});
  }
  waiters_.push_back(std::move(waiter));
  if (!creating_) create();
}

void CoordinatorTopic::create() {
  creating_ = true;
  node_.controller->create_topics(
      creation(), kCreateTimeout, home(),
      [this, alive = alive_](std::expected<proto::CreateTopicsReply, CallError> made) {
        if (!*alive) return;
        if (!made) {
          return finish(
              {.code = ErrorCode::kCoordinatorNotAvailable, .message = made.error().message});
        }
        const auto& topic = made->topics(0);
        const auto code = static_cast<ErrorCode>(topic.error().code());
        if (code != ErrorCode::kNone && code != ErrorCode::kTopicAlreadyExists) {
          return finish(
              {.code = ErrorCode::kCoordinatorNotAvailable, .message = topic.error().message()});
        }
        node_.hosting->when_applied(base::Offset(made->offset()), home(), [this, alive] {
          if (*alive) finish({});
        });
      });
}

void CoordinatorTopic::finish(const wire::Error& error) {
  const bool was_creating = std::exchange(creating_, false);
  if (error.code != ErrorCode::kNone && was_creating && !stopped_) {
    node_.diag.warn("coordinators", "the topic of coordinators could not be made",
                    {{"topic", shape_.name}, {"error", error.message}});
  }
  for (Waiter& waiter : std::exchange(waiters_, {})) tell(std::move(waiter), error);
}

void CoordinatorTopic::tell(Waiter waiter, const wire::Error& error) {
  io::Executor& back = *waiter.back;
  back.post([done = std::move(waiter.done), error]() mutable { done(error); });
}

void CoordinatorTopic::stop() {
  stopped_ = true;
  *alive_ = false;
  const wire::Error error{.code = ErrorCode::kCoordinatorNotAvailable,
                          .message = "the broker ends"};
  for (Waiter& waiter : std::exchange(waiters_, {})) tell(std::move(waiter), error);
}

}  // namespace broker
