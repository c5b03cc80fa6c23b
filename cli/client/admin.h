// Calls of service Admin (proto/controller.proto) for people: any broker passes them on to the
// active controller (docs/decisions/0010-admin-over-kafka.md). When no broker answers and the
// controllers' own addresses are known, they are asked over gRPC. Blocking; one thread.
#pragma once

#include <fmt/format.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cli/client/cluster.h"
#include "proto/controller.pb.h"

namespace cli {

class ControllerLink;

class Admin {
 public:
  // `controllers` may be empty. `cluster` outlives this.
  Admin(Cluster& cluster, std::vector<Address> controllers);
  ~Admin();

  // Asks until the answer is not one that may be another soon; throws Failure, which begins with
  // `subject` when the cluster refused.
  template <class Reply, class Request>
  Reply call(const std::string& method, const Request& request, const std::string& subject) {
    const std::string bytes = request.SerializeAsString();
    return cluster_.retry(cluster_.deadline(), [&](Deadline until) {
      return attempt<Reply>(method, bytes, subject, until);
    });
  }

  // Once, and without throwing.
  template <class Reply, class Request>
  Try<Reply> try_call(const std::string& method, const Request& request, const std::string& subject,
                      std::chrono::milliseconds patience) {
    return attempt<Reply>(method, request.SerializeAsString(), subject, Deadline::in(patience));
  }

 private:
  template <class Reply>
  Try<Reply> attempt(const std::string& method, const std::string& bytes,
                     const std::string& subject, Deadline until) {
    auto answer = exchange(method, bytes, until);
    if (!answer) return std::unexpected(answer.error());
    Reply reply;
    if (!reply.ParseFromString(*answer)) {
      return std::unexpected(
          Trouble{fmt::format("{}: the answer cannot be read", method), {}, false});
    }
    if (reply.error().code() == 0) return reply;
    return std::unexpected(refusal(subject, static_cast<wire::ErrorCode>(reply.error().code()),
                                   reply.error().message()));
  }
  Try<std::string> exchange(const std::string& method, const std::string& bytes, Deadline until);
  Try<std::string> ask_broker(const std::string& method, const std::string& bytes, Deadline until);

  Cluster& cluster_;
  std::vector<Address> controllers_;
  int broken_ = 0;  // connections that a request ended, one after the other
  std::unique_ptr<ControllerLink> link_;
};

}  // namespace cli
