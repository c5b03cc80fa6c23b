#include "broker/node/producer_ids.h"

namespace broker {

using wire::ErrorCode;

void ProducerIds::next(io::Executor& back, Done done) {
  home_.post([this, &back, done = std::move(done)]() mutable {
    Waiter waiter{&back, std::move(done)};
    if (waiters_.size() >= kWaitersMax) {
      return answer(std::move(waiter), std::unexpected(ErrorCode::kCoordinatorLoadInProgress));
    }
    waiters_.push_back(std::move(waiter));
    serve();
  });
}

void ProducerIds::answer(Waiter waiter, std::expected<base::ProducerId, ErrorCode> result) {
  waiter.back->post([done = std::move(waiter.done), result]() mutable { done(result); });
}

void ProducerIds::serve() {
  while (!waiters_.empty() && next_ < end_) {
    answer(std::move(waiters_.front()), base::ProducerId(next_++));
    waiters_.pop_front();
  }
  if (!waiters_.empty() && !asking_) ask();
}

void ProducerIds::ask() {
  asking_ = true;
  proto::AllocateProducerIdsRequest request;
  request.set_broker_id(broker_id_.value());
  request.set_broker_epoch(registrar_.epoch().value());
  controller_.allocate_producer_ids(
      request, std::chrono::seconds(5), home_,
      [this](std::expected<proto::AllocateProducerIdsReply, CallError> reply) {
        asking_ = false;
        if (reply && reply->error().code() == 0 && reply->count() > 0) {
          next_ = reply->first();
          end_ = reply->first() + reply->count();
          return serve();
        }
        for (Waiter& waiter : waiters_) {
          answer(std::move(waiter), std::unexpected(ErrorCode::kCoordinatorLoadInProgress));
        }
        waiters_.clear();
      });
}

}  // namespace broker
