// Keeps a Store as the API server is: lists in pages, watches from there, and goes on from the last
// version it saw when a watch ends. When that version is too old (410, etcd was compacted) it lists
// again and tells of what vanished meanwhile as deleted. An API server that is away, or a kind that
// it does not know at present (404), never makes an object vanish. One executor.
//
//   list -> watch -> (time up, cut) watch -> (410) list
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>

#include "common/base/diag.h"
#include "common/base/random.h"
#include "common/base/timer_wheel.h"
#include "common/io/executor.h"
#include "operator/node/kube.h"
#include "operator/node/store.h"

namespace kube {

class Informer {
 public:
  struct Scope {
    const Kind* kind = nullptr;
    std::string ns;  // empty: all
    std::string label_selector;
    int page = 250;  // objects per page of a list
  };
  // Called after the store changed. The object is the new one, or the last one of what is gone.
  using Changed = std::function<void(const Json& object, bool gone)>;

  Informer(io::Executor& executor, Api& api, base::Diag& diag, base::Random random, Scope scope,
           Store& store, Changed changed);
  ~Informer();
  Informer(const Informer&) = delete;
  Informer& operator=(const Informer&) = delete;

  void start();
  // Has been complete once: what is not in the store was not there.
  bool synced() const { return synced_; }
  // Cut off from the API server: since when, and why.
  const std::string& trouble() const { return trouble_; }
  const Scope& scope() const { return scope_; }
  std::uint64_t lists() const { return lists_; }

 private:
  void list();
  void page_came(std::uint64_t life, ApiResult<Json> page);
  void listed(const std::string& version);
  void watch();
  void event_came(WatchEvent event);
  void watch_ended(std::optional<ApiError> error);
  void later(void (Informer::*what)(), const ApiError& why);

  io::Executor& executor_;
  Api& api_;
  base::Diag& diag_;
  base::Random random_;
  const Scope scope_;
  Store& store_;
  const Changed changed_;
  base::Timer again_;
  std::unique_ptr<Watch> watch_;
  std::uint64_t life_ = 0;      // answers and events of an earlier one are not listened to
  std::string version_;         // the last one seen
  std::set<Store::Name> seen_;  // by the list under way
  std::string continue_;
  int failures_ = 0;
  bool synced_ = false;
  std::string trouble_;
  std::uint64_t lists_ = 0;
  std::shared_ptr<Informer*> self_;  // null inside once destroyed
};

}  // namespace kube
