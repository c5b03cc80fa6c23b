// Ids for idempotent producers, taken from blocks that the controller hands out: no id is ever
// given twice, not even across restarts. Any thread may ask; the work is done on the home executor.
#pragma once

#include <deque>

#include "broker/node/controller_client.h"
#include "broker/node/registrar.h"
#include "common/base/ids.h"
#include "common/io/executor.h"

namespace broker {

class ProducerIds {
 public:
  using Done = std::move_only_function<void(std::expected<base::ProducerId, wire::ErrorCode>)>;

  ProducerIds(base::BrokerId broker_id, io::Executor& home, ControllerClient& controller,
              Registrar& registrar)
      : broker_id_(broker_id), home_(home), controller_(controller), registrar_(registrar) {}

  // `done` runs on `back`. COORDINATOR_LOAD_IN_PROGRESS (clients retry) when the controller does
  // not answer, or too many wait already.
  void next(io::Executor& back, Done done);

 private:
  struct Waiter {
    io::Executor* back;
    Done done;
  };
  static constexpr std::size_t kWaitersMax = 10'000;

  void serve();
  void ask();
  static void answer(Waiter waiter, std::expected<base::ProducerId, wire::ErrorCode> result);

  const base::BrokerId broker_id_;
  io::Executor& home_;
  ControllerClient& controller_;
  Registrar& registrar_;
  std::deque<Waiter> waiters_;
  std::int64_t next_ = 0;
  std::int64_t end_ = 0;
  bool asking_ = false;
};

}  // namespace broker
