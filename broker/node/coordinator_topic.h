// Makes __consumer_offsets or __transaction_state when somebody first needs a coordinator. Lives on
// the home executor; many may ask at once, the controller is asked once.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "broker/node/node.h"
#include "common/io/executor.h"
#include "common/wire/error_code.h"
#include "proto/controller.pb.h"

namespace broker {

class CoordinatorTopic {
 public:
  using Done = std::move_only_function<void(const wire::Error&)>;

  struct Shape {
    std::string name;
    std::int32_t partitions = 0;
    std::int16_t replication_factor = 0;  // at most: as many as there are brokers
    std::int32_t segment_bytes = 0;
    std::int32_t min_isr = 0;  // at most: as many as there are replicas. 0: the brokers' default
  };
  CoordinatorTopic(Node& node, Shape shape);
  ~CoordinatorTopic();

  // Any thread. `done` on `back`, once the topic is there and its partitions are open, or with why
  // it is not: COORDINATOR_NOT_AVAILABLE, which clients retry.
  void ensure(io::Executor& back, Done done);
  // Home. Who waits is told.
  void stop();

 private:
  struct Waiter {
    io::Executor* back;
    Done done;
  };
  static constexpr std::size_t kWaitersMax = 10'000;

  void enter(Waiter waiter);
  void create();
  void finish(const wire::Error& error);
  static void tell(Waiter waiter, const wire::Error& error);
  io::Executor& home() const;

  proto::CreateTopicsRequest creation() const;

  Node& node_;
  const Shape shape_;
  std::deque<Waiter> waiters_;
  bool creating_ = false;
  bool stopped_ = false;
  std::shared_ptr<bool> alive_;
};

}  // namespace broker
