// The brokers as one thing: finds whom to ask, keeps connections, tries again with backoff until
// the operation's time is up. Blocking; one thread. Gives up by throwing Failure.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/client/address.h"
#include "cli/client/connection.h"
#include "cli/client/deadline.h"
#include "cli/client/trouble.h"
#include "cli/failure.h"
#include "common/base/random.h"
#include "common/base/uuid.h"
#include "common/wire/msg/metadata_response.h"

namespace cli {

// Thrown by waits when catch_interrupts() is in force and a signal came.
struct Interrupted {};

// Whom a request is for.
struct Target {
  enum class Kind { kAny, kBroker, kController, kCoordinator, kTransaction };
  Kind kind = Kind::kAny;
  std::int32_t broker = -1;
  std::string name;  // of the group, or the transactional id

  static Target any() { return {}; }
  static Target broker_id(std::int32_t id) { return {Kind::kBroker, id, {}}; }
  static Target controller() { return {Kind::kController, -1, {}}; }
  static Target coordinator(std::string group) {
    return {Kind::kCoordinator, -1, std::move(group)};
  }
  // The coordinator of a transactional id.
  static Target transaction(std::string id) { return {Kind::kTransaction, -1, std::move(id)}; }
};

struct PartitionInfo {
  std::int32_t leader = -1;
  std::int32_t leader_epoch = -1;
};
struct TopicInfo {
  std::string name;
  base::Uuid id;                          // zero when the broker is too old to have ids
  std::vector<PartitionInfo> partitions;  // by number
};

class Cluster {
 public:
  struct Options {
    std::vector<Address> bootstrap;
    std::chrono::milliseconds timeout{30'000};  // of one operation, its repetitions included
  };
  explicit Cluster(Options options);

  Deadline deadline() const { return Deadline::in(options_.timeout); }
  std::int32_t timeout_ms() const { return static_cast<std::int32_t>(options_.timeout.count()); }

  // Asks until the answer passes `check` (nothing = good). A trouble that is not retriable, or the
  // last one before the deadline, is thrown as Failure.
  template <class Response, class Request>
  Response call(const Target& target, const Request& request,
                const std::function<std::optional<Trouble>(const Response&)>& check = nullptr,
                Versions versions = {}) {
    return retry(deadline(), [&](Deadline until) -> Try<Response> {
      auto connection = connect(target, until);
      if (!connection) return std::unexpected(connection.error());
      auto reply = exchange<Response>(**connection, request, until, versions);
      if (!reply) return std::unexpected(reply.error());
      auto trouble = check ? check(reply->body) : std::nullopt;
      if (!trouble) return std::move(reply->body);
      forget_after(target, *trouble);
      return std::unexpected(std::move(*trouble));
    });
  }

  // One request and its answer, once.
  template <class Response, class Request>
  static Try<Reply<Response>> exchange(Connection& connection, const Request& request,
                                       Deadline deadline, Versions versions = {}) {
    if (auto sent = connection.send(request, deadline, versions); !sent) {
      return std::unexpected(sent.error());
    }
    return connection.receive<Response>(deadline);
  }

  // Repeats `attempt` (Deadline → Try<T>) with backoff; see call().
  template <class Attempt>
  auto retry(Deadline until, Attempt attempt) {
    Patience patience(*this, until);
    while (true) {
      auto result = attempt(until);
      if (result) return std::move(*result);
      patience.after(result.error());
    }
  }

  // A live connection, opened if need be. Stays the cluster's; valid until the next call here.
  // `lane` tells connections to the same broker apart, so that a long poll holds nobody up.
  Try<Connection*> connect(const Target& target, Deadline deadline, int lane = 0);

  // What the cluster says of topics (nothing = all) and brokers.
  wire::MetadataResponse metadata(const std::optional<std::vector<std::string>>& topics,
                                  bool create_missing = false);
  // The named topic with a leader for at least one partition. `create_missing` lets the broker make
  // it, if it does that.
  TopicInfo topic(const std::string& name, bool create_missing = false);
  // The same, once.
  Try<TopicInfo> try_topic(const std::string& name, bool create_missing, Deadline deadline);

  // The group's coordinator, once a request went there.
  std::optional<std::int32_t> known_coordinator(const std::string& group) const {
    auto found = coordinators_.find({Target::Kind::kCoordinator, group});
    return found == coordinators_.end() ? std::nullopt : std::optional(found->second);
  }

  // Drops what the trouble shows to be stale: the controller, a coordinator.
  void forget_after(const Target& target, const Trouble& trouble);

 private:
  // Decides after each failed attempt: returns after a pause, or throws.
  class Patience {
   public:
    Patience(Cluster& cluster, Deadline until) : cluster_(cluster), until_(until) {}
    void after(const Trouble& trouble);

   private:
    Cluster& cluster_;
    Deadline until_;
    std::chrono::milliseconds pause_{50};
  };

  Try<wire::MetadataResponse> try_metadata(const std::optional<std::vector<std::string>>& topics,
                                           bool create_missing, Deadline deadline);
  Try<Connection*> any(Deadline deadline);
  Try<Connection*> broker(std::int32_t id, Deadline deadline, int lane);
  Try<Connection*> controller(Deadline deadline, int lane);
  Try<Connection*> coordinator(const Target& target, Deadline deadline, int lane);
  Try<std::int32_t> find_coordinator(const Target& target, Deadline deadline);
  Try<Address> address_of(std::int32_t id, Deadline deadline);

  Options options_;
  base::Random random_;
  bool ever_connected_ = false;
  std::unique_ptr<Connection> bootstrap_;
  std::map<std::pair<int, std::int32_t>, std::unique_ptr<Connection>> connections_;
  std::map<std::int32_t, Address> brokers_;
  std::optional<std::int32_t> controller_;
  std::map<std::pair<Target::Kind, std::string>, std::int32_t> coordinators_;
};

}  // namespace cli
