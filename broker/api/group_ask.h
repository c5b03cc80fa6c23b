// What the handlers of the group APIs share: who asks, and waiting for several answers.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "broker/api/handler.h"
#include "broker/node/coordinator.h"

namespace broker::api {

inline GroupCaller group_caller(const Context& context) {
  return {.version = context.version,
          .client_id = std::string(context.client_id),
          .client_host = "/" + context.peer.host,
          .back = &context.reactor.executor};
}

// A response that is put together from several answers and sent with the last. Shared by those who
// wait; lives on the connection's reactor. The maker holds it open with one count of its own:
//   auto all = std::make_shared<GroupGather<R>>(std::move(reply)); ... all->wait_for_one(); ...
//   all->one_done();
template <class Response>
class GroupGather {
 public:
  explicit GroupGather(Reply<Response> reply) : reply_(std::move(reply)) {}

  Response response;

  void wait_for_one() { ++missing_; }
  void one_done() {
    if (--missing_ == 0) reply_(response);
  }

 private:
  Reply<Response> reply_;
  std::size_t missing_ = 1;
};

}  // namespace broker::api
