#include "operator/node/test_kube.h"

#include <algorithm>
#include <utility>

namespace kube {
namespace {

constexpr base::Duration kPulse = std::chrono::milliseconds(8);

std::unexpected<ApiError> refused(int status, std::string reason, std::string message) {
  return std::unexpected(ApiError{status, std::move(reason), std::move(message)});
}

// Takes what `was` has and `is` has not out of `from`: what its owner owns no more.
void prune(const Json& was, const Json& is, Json& from) {
  if (!was.is_object() || !from.is_object()) return;
  for (const auto& [key, value] : was.items()) {
    if (!is.is_object() || !is.contains(key)) {
      from.erase(key);
    } else if (value.is_object() && from.contains(key)) {
      prune(value, is[key], from[key]);
    }
  }
}

void merge(const Json& want, Json& into) {
  if (!want.is_object()) {
    into = want;
    return;
  }
  if (!into.is_object()) into = Json::object();
  for (const auto& [key, value] : want.items()) {
    if (value.is_object() && into.contains(key)) {
      merge(value, into[key]);
    } else {
      into[key] = value;
    }
  }
}

Json without(Json object, std::initializer_list<const char*> keys) {
  for (const char* key : keys) object.erase(key);
  return object;
}

bool selected(const Json& object, const std::string& selector) {
  if (selector.empty()) return true;
  const std::size_t equals = selector.find('=');
  if (equals != std::string::npos) {
    return meta_label(object, selector.substr(0, equals)) == selector.substr(equals + 1);
  }
  return !meta_label(object, selector).empty();
}

bool is_write(Verb verb) { return verb != Verb::kGet && verb != Verb::kList; }

const char* word_of(Verb verb) {
  switch (verb) {
    case Verb::kGet:
      return "get";
    case Verb::kList:
      return "list";
    case Verb::kCreate:
      return "create";
    case Verb::kApply:
      return "apply";
    case Verb::kMergePatch:
      return "patch";
    case Verb::kReplace:
      return "replace";
    case Verb::kDelete:
      return "delete";
  }
  return "";
}

}  // namespace

// ---- server

ApiResult<Json> TestServer::serve(const ApiCall& call) {
  ++calls;
  if (is_write(call.verb)) {
    ++writes;
    log.push_back(std::string(word_of(call.verb)) + " " + std::string(call.kind->name) +
                  (call.subresource.empty() ? "" : "/" + call.subresource) + " " + call.name);
    if (refuse) {
      if (auto error = refuse(call)) return std::unexpected(std::move(*error));
    }
  }
  switch (call.verb) {
    case Verb::kGet: {
      const Json* found = find(*call.kind, call.ns, call.name);
      if (!found) return refused(404, "NotFound", call.name);
      return *found;
    }
    case Verb::kList:
      return list(call);
    case Verb::kCreate:
      return post(call);
    case Verb::kApply:
      return apply(call);
    case Verb::kMergePatch:
      return patch(call);
    case Verb::kReplace:
      return replace(call);
    case Verb::kDelete:
      return erase(call);
  }
  return refused(500, "", "");
}

ApiResult<Json> TestServer::list(const ApiCall& call) {
  Json items = Json::array();
  std::size_t skip = call.continue_token.empty() ? 0 : std::stoul(call.continue_token);
  std::size_t at = 0;
  std::string more;
  for (const auto& [name, held] : objects(*call.kind)) {
    if (!call.ns.empty() && call.kind->namespaced && name.first != call.ns) continue;
    if (!selected(held.object, call.label_selector) || at++ < skip) continue;
    if (call.limit > 0 && items.size() == static_cast<std::size_t>(call.limit)) {
      more = std::to_string(skip + items.size());
      break;
    }
    items.push_back(without(held.object, {"apiVersion", "kind"}));
  }
  return Json{{"kind", "List"},
              {"metadata", {{"resourceVersion", std::to_string(version_)}, {"continue", more}}},
              {"items", std::move(items)}};
}

Json TestServer::make(const Kind& kind, const std::string& ns, Json object) {
  Json& head = object["metadata"];
  if (kind.namespaced) head["namespace"] = ns;
  if (!head.contains("name")) {
    head["name"] = head.value("generateName", "") + std::to_string(last_uid_ + 1);
  }
  head["uid"] = "uid-" + std::to_string(++last_uid_);
  head["creationTimestamp"] = "2026-01-01T00:00:00Z";
  head["generation"] = 1;
  object["apiVersion"] = kind.api_version();
  object["kind"] = kind.name;
  return object;
}

void TestServer::happen(const Kind& kind, WatchEvent::Type type, Json& object) {
  object["metadata"]["resourceVersion"] = std::to_string(++version_);
  history_.push_back({version_, &kind, type, object});
}

Json TestServer::store(const Kind& kind, const Name& name, Json next) {
  Held& held = objects(kind)[name];
  const bool fresh = held.object.is_null();
  if (!fresh && next == held.object) return next;
  if (!fresh && object_at(next, {"spec"}) != object_at(held.object, {"spec"})) {
    next["metadata"]["generation"] = number_at(held.object, {"metadata", "generation"}) + 1;
  }
  happen(kind, fresh ? WatchEvent::Type::kAdded : WatchEvent::Type::kModified, next);
  held.object = next;
  // The last finalizer of what is to be deleted.
  if (is_being_deleted(next) && list_at(next, {"metadata", "finalizers"}).empty() &&
      kind.name != kPods.name) {
    remove(kind, name.first, name.second);
  }
  return next;
}

ApiResult<Json> TestServer::post(const ApiCall& call) {
  if (call.kind->name == kEvents.name) {
    events.push_back(call.body);
    return call.body;
  }
  const Name name{call.ns, meta_name(call.body)};
  if (objects(*call.kind).contains(name)) return refused(409, "AlreadyExists", name.second);
  Json object = make(*call.kind, call.ns, call.body);
  const Name given{call.ns, meta_name(object)};
  return store(*call.kind, given, std::move(object));
}

ApiResult<Json> TestServer::apply(const ApiCall& call) {
  const Name name{call.ns, call.name};
  const bool status = call.subresource == "status";
  auto& all = objects(*call.kind);
  const auto at = all.find(name);
  if (at == all.end() && status) return refused(404, "NotFound", call.name);
  const std::string uid = meta_uid(call.body);
  if (!uid.empty() && (at == all.end() || uid != meta_uid(at->second.object))) {
    return refused(409, "Conflict", "uid");
  }
  Json want = without(call.body, {"apiVersion", "kind"});
  if (want.contains("metadata")) want["metadata"].erase("uid");
  Json next = at != all.end() ? at->second.object : make(*call.kind, call.ns, Json::object());
  next["metadata"]["name"] = call.name;
  Json before;
  if (at != all.end()) before = status ? at->second.applied_status : at->second.applied;
  if (status) want = Json{{"status", want.value("status", Json::object())}};
  prune(before, want, next);
  merge(want, next);
  Json out = store(*call.kind, name, std::move(next));
  if (const auto now = all.find(name); now != all.end()) {
    (status ? now->second.applied_status : now->second.applied) = std::move(want);
  }
  return out;
}

ApiResult<Json> TestServer::patch(const ApiCall& call) {
  const Json* found = find(*call.kind, call.ns, call.name);
  if (!found) return refused(404, "NotFound", call.name);
  const std::string version = meta_version(call.body);
  if (!version.empty() && version != meta_version(*found)) {
    return refused(409, "Conflict", "the object has been modified");
  }
  if (!meta_uid(call.body).empty() && meta_uid(call.body) != meta_uid(*found)) {
    return refused(409, "Conflict", "uid");
  }
  Json next = *found;
  next.merge_patch(call.body);
  return store(*call.kind, {call.ns, call.name}, std::move(next));
}

ApiResult<Json> TestServer::replace(const ApiCall& call) {
  const Json* found = find(*call.kind, call.ns, call.name);
  if (!found) return refused(404, "NotFound", call.name);
  if (meta_version(call.body) != meta_version(*found)) {
    return refused(409, "Conflict", "the object has been modified");
  }
  return store(*call.kind, {call.ns, call.name}, call.body);
}

ApiResult<Json> TestServer::erase(const ApiCall& call) {
  const Json* found = find(*call.kind, call.ns, call.name);
  if (!found) return refused(404, "NotFound", call.name);
  const bool wrong =
      (!call.uid.empty() && call.uid != meta_uid(*found)) ||
      (!call.resource_version.empty() && call.resource_version != meta_version(*found));
  if (wrong) return refused(409, "Conflict", "precondition");
  // A kubelet ends a Pod; finalizers hold the rest.
  if (call.kind->name == kPods.name || !list_at(*found, {"metadata", "finalizers"}).empty()) {
    Json next = *found;
    next["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z";
    return store(*call.kind, {call.ns, call.name}, std::move(next));
  }
  remove(*call.kind, call.ns, call.name);
  return Json{{"kind", "Status"}, {"status", "Success"}};
}

Json TestServer::create(const Kind& kind, Json object) {
  const std::string ns = meta_namespace(object);
  Json made = make(kind, ns, std::move(object));
  const Name name{ns, meta_name(made)};
  return store(kind, name, std::move(made));
}

void TestServer::change(const Kind& kind, const std::string& ns, const std::string& name,
                        const std::function<void(Json&)>& edit) {
  const Json* found = find(kind, ns, name);
  if (!found) return;
  Json next = *found;
  edit(next);
  store(kind, {ns, name}, std::move(next));
}

void TestServer::remove(const Kind& kind, const std::string& ns, const std::string& name) {
  auto node = objects(kind).extract({ns, name});
  if (!node.empty()) happen(kind, WatchEvent::Type::kDeleted, node.mapped().object);
}

const Json* TestServer::find(const Kind& kind, const std::string& ns,
                             const std::string& name) const {
  const auto all = objects_.find(std::string(kind.plural));
  if (all == objects_.end()) return nullptr;
  const auto at = all->second.find({ns, name});
  return at == all->second.end() ? nullptr : &at->second.object;
}

std::vector<Json> TestServer::all(const Kind& kind) const {
  std::vector<Json> out;
  const auto all = objects_.find(std::string(kind.plural));
  if (all == objects_.end()) return out;
  for (const auto& [name, held] : all->second) out.push_back(held.object);
  return out;
}

std::optional<std::vector<TestServer::Happened>> TestServer::since(std::uint64_t since) const {
  if (since < oldest_) return std::nullopt;
  const auto from = std::ranges::upper_bound(history_, since, {}, &Happened::version);
  return std::vector<Happened>(from, history_.end());
}

// ---- one operator's way there

class TestApi::Follower {
 public:
  Follower(WatchRequest asked, WatchHandler told, std::uint64_t from)
      : request(std::move(asked)), handler(std::move(told)), version(from) {}
  const WatchRequest request;
  const WatchHandler handler;
  std::uint64_t version;
  bool ended = false;
};

namespace {
class Held final : public Watch {
 public:
  explicit Held(std::shared_ptr<TestApi::Follower> follower) : follower_(std::move(follower)) {}

 private:
  const std::shared_ptr<TestApi::Follower> follower_;
};
}  // namespace

TestApi::TestApi(sim::World& world, sim::SimExecutor& executor, TestServer& server)
    : world_(world), executor_(executor), server_(server) {
  pulse_.on_fire([this] { deliver(); });
  executor_.timers().set(pulse_, executor_.now() + kPulse);
}

void TestApi::call(ApiCall call, Reply reply) {
  if (is_write(call.verb) && writes_left_) {
    if (*writes_left_ == 0) dead_ = true;
    if (*writes_left_ > 0) --*writes_left_;
  }
  ApiResult<Json> result = refused(0, "", "cannot connect");
  if (!away_ && !dead_) result = server_.serve(call);
  world_.after(latency, [this, reply = std::move(reply), result = std::move(result)]() mutable {
    executor_.post([reply = std::move(reply), result = std::move(result)]() mutable {
      reply(std::move(result));
    });
  });
}

std::unique_ptr<Watch> TestApi::watch(WatchRequest request, WatchHandler handler) {
  ++watches_opened;
  const std::uint64_t from = std::stoull(request.resource_version);
  auto follower = std::make_shared<Follower>(std::move(request), std::move(handler), from);
  followers_.push_back(follower);
  return std::make_unique<Held>(std::move(follower));
}

void TestApi::deliver() {
  executor_.timers().set(pulse_, executor_.now() + kPulse);
  for (const auto& weak : std::vector(followers_)) {
    const auto follower = weak.lock();
    if (!follower || follower->ended) continue;
    const auto end = [&](std::optional<ApiError> error) {
      follower->ended = true;
      follower->handler.on_end(std::move(error));
    };
    if (away_ || dead_) {
      end(ApiError{0, "", "cannot connect"});
      continue;
    }
    const auto news = server_.since(follower->version);
    if (!news) {
      end(ApiError{410, "Expired", "too old resource version"});
      continue;
    }
    for (const auto& each : *news) {
      follower->version = each.version;
      if (each.kind != follower->request.kind) continue;
      const std::string& ns = follower->request.ns;
      if (!ns.empty() && meta_namespace(each.object) != ns) continue;
      if (!selected(each.object, follower->request.label_selector)) continue;
      follower->handler.on_event({each.type, each.object});
    }
  }
  std::erase_if(followers_, [](const auto& each) { return each.expired(); });
}

void TestApi::cut(bool away) { away_ = away; }

void TestApi::end_watches(std::optional<ApiError> error) {
  for (const auto& weak : std::vector(followers_)) {
    const auto follower = weak.lock();
    if (!follower || std::exchange(follower->ended, true)) continue;
    follower->handler.on_end(error);
  }
}

}  // namespace kube
