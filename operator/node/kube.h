// Seam: the Kubernetes API, as far as an operator needs it. Objects are Json as the API server
// gives them, without metadata.managedFields. Every reply and event comes on the executor that the
// Api was made with, and all calls are made there. Real: operator/shell/kube_http; in tests:
// operator/node/test_kube.h.
//
// A call is answered exactly once. What the server throttles (429 with Retry-After) and what it
// refuses for an outdated token is repeated below; everything else is the caller's to repeat.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/time.h"
#include "common/io/task.h"
#include "operator/types/json.h"

namespace kube {

// A resource of the API.
struct Kind {
  std::string_view group;  // "" for the core
  std::string_view version;
  std::string_view plural;
  std::string_view name;  // "Pod"
  bool namespaced = true;

  std::string api_version() const {
    return group.empty() ? std::string(version) : std::string(group) + "/" + std::string(version);
  }
};

inline constexpr Kind kClusters{"moldau.dev", "v1", "clusters", "Cluster"};
inline constexpr Kind kTopics{"moldau.dev", "v1", "topics", "Topic"};
inline constexpr Kind kPods{"", "v1", "pods", "Pod"};
inline constexpr Kind kVolumeClaims{"", "v1", "persistentvolumeclaims", "PersistentVolumeClaim"};
inline constexpr Kind kServices{"", "v1", "services", "Service"};
inline constexpr Kind kConfigMaps{"", "v1", "configmaps", "ConfigMap"};
inline constexpr Kind kDisruptionBudgets{"policy", "v1", "poddisruptionbudgets",
                                         "PodDisruptionBudget"};
inline constexpr Kind kLeases{"coordination.k8s.io", "v1", "leases", "Lease"};
inline constexpr Kind kEvents{"events.k8s.io", "v1", "events", "Event"};
inline constexpr Kind kStorageClasses{"storage.k8s.io", "v1", "storageclasses", "StorageClass",
                                      false};
inline constexpr Kind kNodes{"", "v1", "nodes", "Node", false};

// Null when the operator does not deal with such a kind.
const Kind* kind_named(std::string_view name);

// Why a call failed, as the server's Status says it.
struct ApiError {
  int status = 0;      // HTTP's; 0: no answer came, and whether it was executed is unknown
  std::string reason;  // "NotFound", "Conflict", "Expired", ...; may be empty
  std::string message;

  bool is_not_found() const { return status == 404; }
  bool is_conflict() const { return status == 409; }
  // The resource version is too old to go on from: list again.
  bool is_gone() const { return status == 410; }
  // A later attempt may succeed without anybody changing anything.
  bool is_transient() const { return status == 0 || status == 429 || status >= 500; }
  std::string to_string() const;
};

template <class T>
using ApiResult = std::expected<T, ApiError>;

enum class Verb : std::uint8_t {
  kGet,
  kList,
  kCreate,
  kApply,       // server-side apply, forced, as kFieldManager (operator/plan/action.h)
  kMergePatch,  // with metadata.resourceVersion in the body it is refused (409) when that is old
  kReplace,     // needs metadata.resourceVersion in the body
  kDelete,
};

struct ApiCall {
  Verb verb = Verb::kGet;
  const Kind* kind = nullptr;
  std::string ns;           // empty in a list: all namespaces
  std::string name;         // empty for a list or a create
  std::string subresource;  // "status" or empty
  Json body;
  // Of a list.
  std::string label_selector;
  int limit = 0;
  std::string continue_token;
  // Of a delete: refused (409) unless they are the object's. Empty: not asked.
  std::string uid;
  std::string resource_version;
};

struct WatchEvent {
  enum class Type : std::uint8_t { kAdded, kModified, kDeleted, kBookmark };
  Type type;
  Json object;
};

struct WatchRequest {
  const Kind* kind = nullptr;
  std::string ns;  // empty: all
  std::string label_selector;
  std::string resource_version;
};

struct WatchHandler {
  std::function<void(WatchEvent)> on_event;
  // Once; nothing follows. No error: the time was up, go on from the last resource version.
  std::function<void(std::optional<ApiError>)> on_end;
};

// Events come until it is destroyed, which also ends the connection.
class Watch {
 public:
  virtual ~Watch() = default;
};

class Api {
 public:
  using Reply = std::move_only_function<void(ApiResult<Json>)>;
  virtual ~Api() = default;
  virtual void call(ApiCall call, Reply reply) = 0;
  virtual std::unique_ptr<Watch> watch(WatchRequest request, WatchHandler handler) = 0;
};

// The same, to await.
io::Task<ApiResult<Json>> call(Api& api, ApiCall call);
io::Task<ApiResult<Json>> get(Api& api, const Kind& kind, std::string ns, std::string name);

// Fields that every object has; empty when it has none.
std::string meta_name(const Json& object);
std::string meta_namespace(const Json& object);
std::string meta_uid(const Json& object);
std::string meta_version(const Json& object);
std::string meta_label(const Json& object, std::string_view label);
bool is_being_deleted(const Json& object);
// `left` is older than `right`, as far as both are numbers; otherwise they only differ or not.
bool is_older_version(const std::string& left, const std::string& right);

}  // namespace kube
