#include "operator/shell/operator_pages.h"

#include <map>
#include <utility>
#include <vector>

namespace kube {
namespace {

constexpr std::chrono::seconds kPatience{2};
// Renewals come every two seconds.
constexpr std::int64_t kSilenceSeconds = 60;

std::int64_t steady_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

struct Shown {
  host::Metrics::Labels labels;
  double value;
};

// The conditions of resources of one kind; of Topics only whether they are ready, as there may be
// thousands.
void add_conditions(const Store& store, const char* kind, bool only_ready,
                    std::vector<Shown>& out) {
  store.each([&](const Json& each) {
    for (const Json& condition : list_at(each, {"status", "conditions"})) {
      const std::string type = text_at(condition, {"type"});
      if (type.empty() || (only_ready && type != "Ready")) continue;
      out.push_back({{{"kind", kind},
                      {"namespace", meta_namespace(each)},
                      {"name", meta_name(each)},
                      {"condition", type}},
                     text_at(condition, {"status"}) == "True" ? 1.0 : 0.0});
    }
  });
}

}  // namespace

OperatorPages::OperatorPages(Parts parts, base::Diag& diag)
    : parts_(std::move(parts)), diag_(diag) {}

template <class T>
T OperatorPages::ask(std::function<T()> question, T otherwise) const {
  return host::ask<T>(parts_.pool[0], std::move(question), kPatience)
      .value_or(std::move(otherwise));
}

void OperatorPages::add_health() {
  health_.live("reactor", [this]() -> std::string {
    return ask<bool>([] { return true; }, false) ? "" : "it does not turn";
  });
  health_.ready("api server", [this]() -> std::string {
    const std::int64_t last = parts_.api.last_answer();
    if (last == 0) return "it has not answered yet";
    const std::int64_t silent = steady_seconds() - last;
    return !parts_.elected || silent < kSilenceSeconds
               ? ""
               : "no answer for " + std::to_string(silent) + " seconds";
  });
  health_.ready("caches", [this]() -> std::string {
    return ask<std::string>(
        [this]() -> std::string {
          if (parts_.waiting()) return "";  // another operator acts: nothing is followed
          if (!parts_.loop.synced()) return "not complete yet: " + parts_.loop.trouble();
          return parts_.loop.trouble();
        },
        "the reactor does not turn");
  });
}

void OperatorPages::add_work_metrics() {
  struct Sort {
    const char* kind;
    Key::Sort sort;
  };
  for (const Sort& each :
       {Sort{"Cluster", Key::Sort::kCluster}, Sort{"Topic", Key::Sort::kTopic}}) {
    const SortStats& stats = parts_.loop.stats(each.sort);
    const host::Metrics::Labels labels = {{"kind", each.kind}};
    metrics_.counter("moldau_operator_reconciles_total", "Looks at a resource.", labels,
                     stats.reconciles);
    metrics_.counter("moldau_operator_reconcile_errors_total", "Looks that ended in an error.",
                     labels, stats.failures);
    metrics_.counter("moldau_operator_reconcile_steady_total",
                     "Looks that found nothing to be done.", labels, stats.steady);
    metrics_.histogram("moldau_operator_reconcile_seconds", "Time of one look, with its actions.",
                       labels, stats.seconds);
    metrics_.gauge("moldau_operator_queue_depth", "Resources that wait to be looked at.", labels,
                   [this, sort = each.sort] {
                     return ask<double>(
                         [this, sort] { return double(parts_.loop.queue().waiting(sort)); }, 0);
                   });
  }
  metrics_.gauge("moldau_operator_leader", "1 on the operator that acts.", {}, [this] {
    return ask<double>([this] { return parts_.leading() ? 1.0 : 0.0; }, 0);
  });
  metrics_.counters("moldau_operator_actions_total", "What was done, by what it was.",
                    [this](const host::Metrics::Emit& emit) {
                      const auto now = ask<ActStats>([this] { return parts_.loop.acted(); }, {});
                      emit({{"action", "apply"}}, double(now.applied));
                      emit({{"action", "delete"}}, double(now.deleted));
                      emit({{"action", "status"}}, double(now.statuses));
                      emit({{"action", "finalizers"}}, double(now.finalizers));
                      emit({{"action", "event"}}, double(now.events));
                      emit({{"action", "order"}}, double(now.orders));
                    });
}

void OperatorPages::add_api_metrics() {
  const KubeHttpStats& stats = parts_.api.stats();
  const auto counter = [&](const char* name, const char* help,
                           const std::atomic<std::uint64_t>& source) {
    metrics_.counter(name, help, {},
                     host::Metrics::Value([&source] { return double(source.load()); }));
  };
  counter("moldau_operator_api_calls_total", "Calls of the Kubernetes API.", stats.calls);
  counter("moldau_operator_api_writes_total",
          "Calls that neither get nor list, without the renewals of the Lease.", stats.writes);
  counter("moldau_operator_api_failures_total", "Calls without an answer, or with a 5xx.",
          stats.failures);
  counter("moldau_operator_api_throttled_total", "Calls that were told to wait.", stats.throttled);
  counter("moldau_operator_api_watches_total", "Watches opened.", stats.watches_opened);
}

void OperatorPages::add_resource_metrics() {
  metrics_.gauges("moldau_operator_resources", "Custom resources that are followed.",
                  [this](const host::Metrics::Emit& emit) {
                    using Sizes = std::pair<std::size_t, std::size_t>;
                    const auto sizes = ask<Sizes>(
                        [this] {
                          const Caches& caches = parts_.loop.caches();
                          return Sizes{caches.clusters.size(), caches.topics.size()};
                        },
                        {});
                    emit({{"kind", "Cluster"}}, double(sizes.first));
                    emit({{"kind", "Topic"}}, double(sizes.second));
                  });
  metrics_.gauges("moldau_operator_resource_condition",
                  "1 when the condition of the resource is True. Of Topics only Ready.",
                  [this](const host::Metrics::Emit& emit) {
                    auto all = ask<std::vector<Shown>>(
                        [this] {
                          std::vector<Shown> out;
                          const Caches& caches = parts_.loop.caches();
                          add_conditions(caches.clusters, "Cluster", false, out);
                          add_conditions(caches.topics, "Topic", true, out);
                          return out;
                        },
                        {});
                    for (Shown& each : all) emit(std::move(each.labels), each.value);
                  });
}

io::IoResult<io::Address> OperatorPages::start(const io::Address& address) {
  host::HttpAdminOptions options;
  options.address = address;
  options.threads = 2;
  http_ = std::make_unique<host::HttpAdmin>(options, diag_);
  add_health();
  health_.serve_on(*http_);
  add_work_metrics();
  add_api_metrics();
  add_resource_metrics();
  host::add_process_metrics(metrics_);
  http_->route("GET", "/metrics", [this](const host::HttpRequest&) {
    return host::HttpReply{200, metrics_.text(), "text/plain; version=0.0.4; charset=utf-8"};
  });
  return http_->start();
}

void OperatorPages::stop() {
  if (http_) http_->stop();
}

}  // namespace kube
