#include "operator/node/informer.h"

#include <algorithm>
#include <utility>

namespace kube {
namespace {

constexpr base::Duration kPauseMin = std::chrono::milliseconds(200);
constexpr base::Duration kPauseMax = std::chrono::seconds(15);
constexpr base::Duration kGoodAfter = std::chrono::seconds(8);  // longer than connecting may take
// A watch that cannot be had again and again: perhaps the version is what the server dislikes.
constexpr int kFailuresBeforeList = 5;

}  // namespace

Informer::Informer(io::Executor& executor, Api& api, base::Diag& diag, base::Random random,
                   Scope scope, Store& store, Changed changed)
    : executor_(executor),
      api_(api),
      diag_(diag),
      random_(random),
      scope_(std::move(scope)),
      store_(store),
      changed_(std::move(changed)),
      self_(std::make_shared<Informer*>(this)) {}

Informer::~Informer() { *self_ = nullptr; }

void Informer::start() { list(); }

void Informer::list() {
  watch_.reset();
  seen_.clear();
  continue_.clear();
  ++lists_;
  ++life_;
  page_came(life_, Json());
}

// Asks for the next page; the first time `page` is null and says nothing.
void Informer::page_came(std::uint64_t life, ApiResult<Json> page) {
  if (life != life_) return;
  if (!page) return later(&Informer::list, page.error());
  if (page->is_object()) {
    const Json& head = page->contains("metadata") ? (*page)["metadata"] : Json::object();
    const std::string version = head.value("resourceVersion", "");
    const std::string more = head.value("continue", "");
    if (const auto items = page->find("items"); items != page->end() && items->is_array()) {
      for (Json& each : *items) {
        // The items of a list do not say what they are.
        each["apiVersion"] = scope_.kind->api_version();
        each["kind"] = scope_.kind->name;
        seen_.emplace(meta_namespace(each), meta_name(each));
        const Json copy = each;
        if (store_.put(std::move(each))) changed_(copy, false);
      }
    }
    if (more.empty()) return listed(version);
    continue_ = more;
  }
  ApiCall call;
  call.verb = Verb::kList;
  call.kind = scope_.kind;
  call.ns = scope_.ns;
  call.label_selector = scope_.label_selector;
  call.limit = scope_.page;
  call.continue_token = continue_;
  api_.call(std::move(call), [self = self_, life](ApiResult<Json> result) {
    if (*self) (*self)->page_came(life, std::move(result));
  });
}

void Informer::listed(const std::string& version) {
  for (const auto& name : store_.names()) {
    if (!scope_.ns.empty() && name.first != scope_.ns) continue;
    if (seen_.contains(name)) continue;
    // One's own write may be in the store already that this list is too old to show.
    const JsonPtr held = store_.find(name.first, name.second);
    if (is_older_version(version, meta_version(*held))) continue;
    store_.erase(name.first, name.second);
    changed_(*held, true);
  }
  seen_.clear();
  version_ = version;
  failures_ = 0;
  trouble_.clear();
  synced_ = true;
  watch();
}

void Informer::watch() {
  ++life_;
  const std::uint64_t life = life_;
  WatchRequest request{scope_.kind, scope_.ns, scope_.label_selector, version_};
  WatchHandler handler;
  handler.on_event = [self = self_, life](WatchEvent event) {
    if (*self && (*self)->life_ == life) (*self)->event_came(std::move(event));
  };
  handler.on_end = [self = self_, life](std::optional<ApiError> error) {
    if (*self && (*self)->life_ == life) (*self)->watch_ended(std::move(error));
  };
  watch_ = api_.watch(std::move(request), std::move(handler));
  // Nothing need happen for a long time: one that stays open is good news.
  again_.on_fire([this] {
    failures_ = 0;
    trouble_.clear();
  });
  executor_.timers().set(again_, executor_.now() + kGoodAfter);
}

void Informer::event_came(WatchEvent event) {
  failures_ = 0;
  trouble_.clear();
  if (std::string version = meta_version(event.object); !version.empty()) {
    version_ = std::move(version);
  }
  switch (event.type) {
    case WatchEvent::Type::kBookmark:
      return;
    case WatchEvent::Type::kAdded:
    case WatchEvent::Type::kModified: {
      const std::string ns = meta_namespace(event.object);
      const std::string name = meta_name(event.object);
      if (!store_.put(std::move(event.object))) return;
      if (const JsonPtr held = store_.find(ns, name)) changed_(*held, false);
      return;
    }
    case WatchEvent::Type::kDeleted: {
      const JsonPtr held = store_.find(meta_namespace(event.object), meta_name(event.object));
      // Made anew under the same name, by ourselves, before this was heard.
      if (held && meta_uid(*held) != meta_uid(event.object)) return;
      store_.erase(meta_namespace(event.object), meta_name(event.object));
      changed_(event.object, true);
      return;
    }
  }
}

void Informer::watch_ended(std::optional<ApiError> error) {
  // The watch is ended from within its own callback: let go of it on a turn of its own.
  executor_.post([watch = std::move(watch_)] {});
  ++life_;
  if (!error) return later(&Informer::watch, {});
  if (error->is_gone()) {
    diag_.info("informer", "version too old, listing again",
               {{"kind", std::string(scope_.kind->name)}, {"version", version_}});
    failures_ = 0;
    return later(&Informer::list, {});
  }
  later(failures_ >= kFailuresBeforeList ? &Informer::list : &Informer::watch, *error);
}

// At once when nothing was wrong, otherwise after a while that doubles.
void Informer::later(void (Informer::*what)(), const ApiError& why) {
  const bool wrong = why.status != 0 || !why.message.empty();
  base::Duration pause = std::chrono::milliseconds(1);
  if (wrong) {
    pause = kPauseMin;
    for (int i = 0; i < failures_ && pause < kPauseMax; ++i) pause *= 2;
    pause = std::min(pause, kPauseMax);
    pause += base::Duration(random_.between(0, pause.count() / 2));
    ++failures_;
    if (trouble_.empty()) {
      diag_.warn("informer", "cannot follow",
                 {{"kind", std::string(scope_.kind->plural)}, {"error", why.to_string()}});
    }
    trouble_ = why.to_string();
  }
  again_.on_fire([this, what] { (this->*what)(); });
  executor_.timers().set(again_, executor_.now() + pause);
}

}  // namespace kube
