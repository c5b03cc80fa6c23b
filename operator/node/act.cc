#include "operator/node/act.h"

#include <algorithm>
#include <utility>

#include "operator/node/lease.h"
#include "operator/plan/labels.h"

namespace kube {
namespace {

// The same event is told again after that long at the earliest.
constexpr base::Duration kTellAgain = std::chrono::minutes(10);
constexpr std::size_t kToldMax = 4096;
constexpr std::size_t kNoteBytesMax = 1000;  // the API server refuses more than 1 KiB

bool is_report(const Action& action) {
  return std::holds_alternative<PatchStatus>(action) || std::holds_alternative<EmitEvent>(action);
}

// What a plan goes by when it takes a Pod away: which there are, and how they are.
std::map<std::string, std::string> essence(const std::vector<const Json*>& pods) {
  std::map<std::string, std::string> out;
  for (const Json* pod : pods) {
    std::string ready = "?";
    for (const Json& each : list_at(*pod, {"status", "conditions"})) {
      if (text_at(each, {"type"}) == "Ready") ready = text_at(each, {"status"});
    }
    out[meta_name(*pod)] = meta_uid(*pod) + " " + text_at(*pod, {"status", "phase"}) + " " + ready +
                           (is_being_deleted(*pod) ? " going" : "");
  }
  return out;
}

Json reference(const Json& object) {
  return {{"apiVersion", text_at(object, {"apiVersion"})},
          {"kind", text_at(object, {"kind"})},
          {"namespace", meta_namespace(object)},
          {"name", meta_name(object)},
          {"uid", meta_uid(object)},
          {"resourceVersion", meta_version(object)}};
}

std::string cut(std::string text, std::size_t most) {
  if (text.size() <= most) return text;
  text.resize(most);
  // Not within a character.
  while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0xC0) == 0x80) text.pop_back();
  if (!text.empty() && static_cast<unsigned char>(text.back()) >= 0xC0) text.pop_back();
  return text + "...";
}

}  // namespace

io::Task<Outcome> Actor::carry_out(Plan plan, JsonPtr resource, std::shared_ptr<Control> control) {
  Outcome out;
  for (Action& action : plan.actions) {
    // What only tells how things are does so also when they are bad.
    if (out.failure && !is_report(action)) continue;
    if (!seams_.may_write()) {
      out.outdated = true;
      co_return out;
    }
    const std::string what = describe(action);
    auto result = co_await act(std::move(action), resource, control);
    if (!result) {
      seams_.diag.warn("act", "failed",
                       {{"resource", meta_namespace(*resource) + "/" + meta_name(*resource)},
                        {"action", what},
                        {"error", result.error()}});
      if (!out.failure) out.failure = Failure{what, result.error()};
      continue;
    }
    if (*result == Step::kDone) {
      ++out.changes;
      seams_.diag.info(
          "act", "done",
          {{"resource", meta_namespace(*resource) + "/" + meta_name(*resource)}, {"action", what}});
    }
    if (*result == Step::kOutdated) {
      out.outdated = true;
      co_return out;
    }
  }
  co_return out;
}

io::Task<Actor::Result> Actor::act(Action action, JsonPtr resource,
                                   std::shared_ptr<Control> control) {
  if (auto* each = std::get_if<ApplyObject>(&action)) co_return co_await apply(std::move(*each));
  if (auto* each = std::get_if<DeleteObject>(&action)) {
    co_return co_await remove(std::move(*each), resource);
  }
  if (auto* each = std::get_if<PatchStatus>(&action)) {
    co_return co_await patch_status(std::move(*each), resource);
  }
  if (auto* each = std::get_if<PatchFinalizers>(&action)) {
    co_return co_await patch_finalizers(std::move(*each), resource);
  }
  if (auto* each = std::get_if<EmitEvent>(&action)) {
    co_return co_await emit(std::move(*each), resource);
  }
  if (!control) co_return std::unexpected("no controller answers");
  ++stats_.orders;
  const auto result = co_await control->order(std::move(action));
  if (!result) co_return std::unexpected(result.error());
  co_return Step::kDone;
}

void Actor::remember(const Kind& kind, Json object) {
  if (Store* store = caches_.of(kind)) store->put(std::move(object));
}

io::Task<Actor::Result> Actor::apply(ApplyObject action) {
  const Kind* kind = kind_named(text_at(action.object, {"kind"}));
  if (!kind) co_return std::unexpected("a kind that the operator does not know");
  ApiCall request;
  request.verb = Verb::kApply;
  request.kind = kind;
  request.ns = meta_namespace(action.object);
  request.name = meta_name(action.object);
  const Store* store = caches_.of(*kind);
  const JsonPtr before = store ? store->find(request.ns, request.name) : nullptr;
  request.body = std::move(action.object);
  auto after = co_await call(seams_.api, std::move(request));
  if (!after) co_return std::unexpected(after.error().to_string());
  ++stats_.applied;
  const bool same = before && meta_version(*before) == meta_version(*after);
  remember(*kind, std::move(*after));
  co_return same ? Step::kNothing : Step::kDone;
}

// True when the API server, past the caches, has the cluster's Pods as the caches have them.
io::Task<std::expected<bool, std::string>> Actor::pods_as_seen(std::string ns,
                                                               std::string cluster) {
  ApiCall request;
  request.verb = Verb::kList;
  request.kind = &kPods;
  request.ns = ns;
  request.label_selector = std::string(label::kCluster) + "=" + cluster;
  auto listed = co_await call(seams_.api, std::move(request));
  if (!listed) co_return std::unexpected(listed.error().to_string());
  std::vector<const Json*> now;
  for (const Json& each : list_at(*listed, {"items"})) now.push_back(&each);
  const auto held = caches_.pods.of(cluster_index(ns, cluster));
  std::vector<const Json*> seen;
  for (const JsonPtr& each : held) seen.push_back(each.get());
  co_return essence(now) == essence(seen);
}

io::Task<Actor::Result> Actor::remove(DeleteObject action, JsonPtr resource) {
  const Kind* kind = kind_named(action.object.kind);
  if (!kind) co_return std::unexpected("a kind that the operator does not know");
  const std::string ns = action.object.name_space;
  if (kind->name == kPods.name || kind->name == kVolumeClaims.name) {
    const auto same = co_await pods_as_seen(ns, meta_name(*resource));
    if (!same) co_return std::unexpected(same.error());
    if (!*same) co_return Step::kOutdated;
    if (!seams_.may_write()) co_return Step::kOutdated;
  }
  ApiCall request;
  request.verb = Verb::kDelete;
  request.kind = kind;
  request.ns = ns;
  request.name = action.object.name;
  request.uid = action.uid;
  request.resource_version = action.resource_version;
  auto after = co_await call(seams_.api, std::move(request));
  Store* store = caches_.of(*kind);
  if (!after) {
    if (after.error().is_not_found()) {
      if (store) store->erase(ns, action.object.name);
      co_return Step::kNothing;
    }
    if (after.error().is_conflict()) co_return Step::kOutdated;
    co_return std::unexpected(after.error().to_string());
  }
  ++stats_.deleted;
  // The object, which goes later, or a Status when it is gone.
  if (text_at(*after, {"kind"}) == kind->name && is_being_deleted(*after)) {
    remember(*kind, std::move(*after));
  } else if (store) {
    store->erase(ns, action.object.name);
  }
  co_return Step::kDone;
}

io::Task<Actor::Result> Actor::patch_status(PatchStatus action, JsonPtr resource) {
  const Kind* kind = kind_named(text_at(*resource, {"kind"}));
  if (!kind) co_return std::unexpected("a resource of no known kind");
  ApiCall request;
  request.verb = Verb::kApply;
  request.kind = kind;
  request.ns = meta_namespace(*resource);
  request.name = meta_name(*resource);
  request.subresource = "status";
  const Store* store = caches_.of(*kind);
  const JsonPtr before = store ? store->find(request.ns, request.name) : nullptr;
  if (before && object_at(*before, {"status"}) == action.status) co_return Step::kNothing;
  // With the uid another resource of that name is never told this one's status.
  request.body = {
      {"apiVersion", kind->api_version()},
      {"kind", std::string(kind->name)},
      {"metadata",
       {{"name", request.name}, {"namespace", request.ns}, {"uid", meta_uid(*resource)}}},
      {"status", std::move(action.status)}};
  auto after = co_await call(seams_.api, std::move(request));
  if (!after) {
    if (after.error().is_not_found()) co_return Step::kNothing;
    if (after.error().is_conflict()) co_return Step::kOutdated;
    co_return std::unexpected(after.error().to_string());
  }
  ++stats_.statuses;
  const bool same = before && meta_version(*before) == meta_version(*after);
  remember(*kind, std::move(*after));
  co_return same ? Step::kNothing : Step::kDone;
}

io::Task<Actor::Result> Actor::patch_finalizers(PatchFinalizers action, JsonPtr resource) {
  const Kind* kind = kind_named(text_at(*resource, {"kind"}));
  if (!kind) co_return std::unexpected("a resource of no known kind");
  ApiCall request;
  request.verb = Verb::kMergePatch;
  request.kind = kind;
  request.ns = meta_namespace(*resource);
  request.name = meta_name(*resource);
  request.body = {{"metadata",
                   {{"finalizers", action.finalizers},
                    {"uid", meta_uid(*resource)},
                    {"resourceVersion", action.resource_version}}}};
  auto after = co_await call(seams_.api, std::move(request));
  if (!after) {
    if (after.error().is_not_found()) co_return Step::kNothing;
    if (after.error().is_conflict()) co_return Step::kOutdated;
    co_return std::unexpected(after.error().to_string());
  }
  ++stats_.finalizers;
  const bool gone = is_being_deleted(*after) && action.finalizers.empty();
  if (Store* store = caches_.of(*kind); store && gone) {
    store->erase(meta_namespace(*resource), meta_name(*resource));
  } else {
    remember(*kind, std::move(*after));
  }
  co_return Step::kDone;
}

bool Actor::told_lately(const std::string& what) {
  const base::Instant now = seams_.executor.now();
  if (told_.size() >= kToldMax) {
    std::erase_if(told_, [&](const auto& each) { return each.second + kTellAgain <= now; });
    if (told_.size() >= kToldMax) told_.clear();
  }
  const auto [at, fresh] = told_.try_emplace(what, now);
  if (fresh) return false;
  if (at->second + kTellAgain > now) return true;
  at->second = now;
  return false;
}

io::Task<Actor::Result> Actor::emit(EmitEvent action, JsonPtr resource) {
  if (told_lately(meta_uid(*resource) + " " + action.reason + " " + action.note)) {
    co_return Step::kNothing;
  }
  Json event = {{"apiVersion", kEvents.api_version()},
                {"kind", std::string(kEvents.name)},
                {"metadata",
                 {{"generateName", cut(meta_name(*resource), 200) + "-"},
                  {"namespace", meta_namespace(*resource)}}},
                {"eventTime", micro_time(seams_.clock.wall_ms())},
                {"type", action.type == EmitEvent::Type::kWarning ? "Warning" : "Normal"},
                {"reason", action.reason},
                {"action", action.action.empty() ? action.reason : action.action},
                {"note", cut(action.note, kNoteBytesMax)},
                {"reportingController", "moldau.dev/operator"},
                {"reportingInstance", cut(seams_.instance, 120)},
                {"regarding", reference(*resource)}};
  if (action.related) {
    event["related"] = {{"apiVersion", action.related->api_version},
                        {"kind", action.related->kind},
                        {"namespace", action.related->name_space},
                        {"name", action.related->name}};
  }
  ApiCall request;
  request.verb = Verb::kCreate;
  request.kind = &kEvents;
  request.ns = meta_namespace(*resource);
  request.body = std::move(event);
  const auto after = co_await call(seams_.api, std::move(request));
  if (after) {
    ++stats_.events;
  } else {
    seams_.diag.warn("act", "event not written",
                     {{"reason", action.reason}, {"error", after.error().to_string()}});
  }
  co_return Step::kNothing;
}

}  // namespace kube
