// Carries out a plan: its actions in order, up to the first that fails. What was written is in the
// caches at once. Nothing is written unless may_write() says so at that moment; before a Pod or a
// volume is deleted, the Pods of its cluster are read from the API server, past the caches, and
// must be as the plan saw them. One executor.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/diag.h"
#include "common/io/clock.h"
#include "common/io/executor.h"
#include "operator/node/caches.h"
#include "operator/node/control.h"
#include "operator/plan/action.h"
#include "operator/plan/observed.h"

namespace kube {

struct Outcome {
  int changes = 0;  // that had an effect
  std::optional<Failure> failure;
  // The plan was no longer right, for something changed meanwhile: no failure, plan again.
  bool outdated = false;
};

struct ActStats {
  std::uint64_t applied = 0;
  std::uint64_t deleted = 0;
  std::uint64_t statuses = 0;
  std::uint64_t finalizers = 0;
  std::uint64_t events = 0;
  std::uint64_t orders = 0;  // to controllers
};

class Actor {
 public:
  struct Seams {
    io::Executor& executor;
    Api& api;
    io::Clock& clock;
    base::Diag& diag;
    std::function<bool()> may_write;
    std::string instance;  // this process, as events name it
  };
  Actor(Seams seams, Caches& caches) : seams_(std::move(seams)), caches_(caches) {}

  // `resource` is the Cluster or Topic that the plan is for, as it was observed; `control` may be
  // null.
  io::Task<Outcome> carry_out(Plan plan, JsonPtr resource, std::shared_ptr<Control> control);
  const ActStats& stats() const { return stats_; }

 private:
  enum class Step : std::uint8_t { kDone, kNothing, kOutdated };
  using Result = std::expected<Step, std::string>;

  io::Task<Result> act(Action action, JsonPtr resource, std::shared_ptr<Control> control);
  io::Task<Result> apply(ApplyObject action);
  io::Task<Result> remove(DeleteObject action, JsonPtr resource);
  io::Task<Result> patch_status(PatchStatus action, JsonPtr resource);
  io::Task<Result> patch_finalizers(PatchFinalizers action, JsonPtr resource);
  io::Task<Result> emit(EmitEvent action, JsonPtr resource);
  io::Task<std::expected<bool, std::string>> pods_as_seen(std::string ns, std::string cluster);
  bool told_lately(const std::string& what);
  void remember(const Kind& kind, Json object);

  const Seams seams_;
  Caches& caches_;
  ActStats stats_;
  std::map<std::string, base::Instant> told_;  // events, and when
};

}  // namespace kube
