// An API server in memory, for tests: objects with resource versions and uids, server-side apply
// (one manager: what it applied before and does no more goes), merge patch, preconditions,
// finalizers, watches over a history that can be compacted. What it was asked is counted. Each
// operator has a TestApi of its own that can be cut off or killed.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "operator/node/kube.h"
#include "tests/sim/sim_executor.h"
#include "tests/sim/world.h"

namespace kube {

class TestServer {
 public:
  ApiResult<Json> serve(const ApiCall& call);

  // As somebody else, past all counting. `create` fills in what the server does.
  Json create(const Kind& kind, Json object);
  void change(const Kind& kind, const std::string& ns, const std::string& name,
              const std::function<void(Json&)>& edit);
  void remove(const Kind& kind, const std::string& ns, const std::string& name);  // at once
  const Json* find(const Kind& kind, const std::string& ns, const std::string& name) const;
  std::vector<Json> all(const Kind& kind) const;
  // Events before now cannot be had any more.
  void compact() { oldest_ = version_; }

  std::uint64_t version() const { return version_; }
  std::uint64_t writes = 0;  // through serve(), that changed something or not
  std::uint64_t calls = 0;
  std::vector<Json> events;      // of events.k8s.io
  std::vector<std::string> log;  // "apply Pod demo-broker-0"
  // Called before a write is carried out; an answer refuses it.
  std::function<std::optional<ApiError>(const ApiCall&)> refuse;

  struct Happened {
    std::uint64_t version;
    const Kind* kind;
    WatchEvent::Type type;
    Json object;
  };
  // What happened after `since`; nothing when that is compacted.
  std::optional<std::vector<Happened>> since(std::uint64_t since) const;

 private:
  using Name = std::pair<std::string, std::string>;
  struct Held {
    Json object;
    Json applied;         // by server-side apply, without status
    Json applied_status;  // through the subresource
  };
  using Objects = std::map<Name, Held>;
  Objects& objects(const Kind& kind) { return objects_[std::string(kind.plural)]; }

  ApiResult<Json> list(const ApiCall& call);
  ApiResult<Json> post(const ApiCall& call);
  ApiResult<Json> apply(const ApiCall& call);
  ApiResult<Json> patch(const ApiCall& call);
  ApiResult<Json> replace(const ApiCall& call);
  ApiResult<Json> erase(const ApiCall& call);
  Json make(const Kind& kind, const std::string& ns, Json object);
  // The object as it shall be from now on; a new version unless nothing changed.
  Json store(const Kind& kind, const Name& name, Json next);
  void happen(const Kind& kind, WatchEvent::Type type, Json& object);

  std::map<std::string, Objects> objects_;
  std::uint64_t version_ = 100;
  std::uint64_t oldest_ = 0;
  std::uint64_t last_uid_ = 0;
  std::vector<Happened> history_;
};

// One operator's way to the server. Answers take a while; watches deliver in order.
class TestApi final : public Api {
 public:
  TestApi(sim::World& world, sim::SimExecutor& executor, TestServer& server);

  void call(ApiCall call, Reply reply) override;
  std::unique_ptr<Watch> watch(WatchRequest request, WatchHandler handler) override;

  // The server cannot be reached: calls get no answer, watches end.
  void cut(bool away);
  // The process dies before its `after`th write from now: from then on nothing reaches the server.
  void kill_before_write(std::uint64_t after) { writes_left_ = after; }
  bool dead() const { return dead_; }
  // Nobody follows it any more.
  void rest() { pulse_.cancel(); }
  // Ends all watches, as a proxy does, with `error` if given.
  void end_watches(std::optional<ApiError> error);

  base::Duration latency = std::chrono::milliseconds(2);
  std::uint64_t watches_opened = 0;

  class Follower;

 private:
  void deliver();

  sim::World& world_;
  sim::SimExecutor& executor_;
  TestServer& server_;
  std::vector<std::weak_ptr<Follower>> followers_;
  base::Timer pulse_;
  bool away_ = false;
  bool dead_ = false;
  std::optional<std::uint64_t> writes_left_;
};

}  // namespace kube
