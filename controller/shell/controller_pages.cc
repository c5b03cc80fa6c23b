#include "controller/shell/controller_pages.h"

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace controller::shell {
namespace {

constexpr std::chrono::seconds kPatience{2};
// One walk over all partitions serves all series of a scrape.
constexpr std::chrono::milliseconds kCountsLast{500};

}  // namespace

ControllerPages::ControllerPages(host::ReactorPool& pool, const Controller& controller,
                                 base::Diag& diag, bool kafka_names)
    : pool_(pool), controller_(controller), diag_(diag), kafka_names_(kafka_names) {}

std::optional<Stats> ControllerPages::stats() const {
  return host::ask<Stats>(pool_[0], [this] { return controller_.stats(); }, kPatience);
}

io::IoResult<io::Address> ControllerPages::start(const io::Address& address) {
  host::HttpAdminOptions options;
  options.address = address;
  http_ = std::make_unique<host::HttpAdmin>(options, diag_);
  health_.live("reactor", [this]() -> std::string {
    return host::ask<bool>(pool_[0], [] { return true; }, kPatience) ? "" : "it does not turn";
  });
  health_.ready("metadata log", [this]() -> std::string {
    const auto now = stats();
    if (!now) return "the reactor does not turn";
    return now->failed ? "out of service: see the log" : "";
  });
  health_.ready("quorum", [this]() -> std::string {
    const auto now = stats();
    if (!now) return "the reactor does not turn";
    return now->leader > 0 ? "" : "no controller leads, as far as this one knows";
  });
  health_.serve_on(*http_);
  add_metrics();
  host::add_reactor_metrics(metrics_, pool_[0]);
  host::add_process_metrics(metrics_);
  http_->route("GET", "/metrics", [this](const host::HttpRequest&) {
    return host::HttpReply{200, metrics_.text(), "text/plain; version=0.0.4; charset=utf-8"};
  });
  return http_->start();
}

void ControllerPages::add_metrics() {
  const auto value = [this](auto member) {
    return [this, member] {
      const auto now = stats();
      return now ? static_cast<double>((*now).*member) : 0.0;
    };
  };
  const auto gauge = [&](const char* name, const char* help, auto member) {
    metrics_.gauge(name, help, {}, value(member));
  };
  const auto counter = [&](const char* name, const char* help, auto member) {
    metrics_.counter(name, help, {}, host::Metrics::Value(value(member)));
  };
  gauge("moldau_controller_leading", "1 on the controller that leads.", &Stats::leading);
  gauge("moldau_controller_leader_id", "Who leads, as far as this one knows; -1: nobody.",
        &Stats::leader);
  gauge("moldau_controller_term", "Raft term.", &Stats::term);
  gauge("moldau_controller_committed_offset", "Last committed offset of the metadata log.",
        &Stats::committed);
  gauge("moldau_controller_log_bytes", "Metadata log on disk, without snapshots.",
        &Stats::log_bytes);
  gauge("moldau_controller_subscribers", "Brokers that follow the metadata from here.",
        &Stats::subscribers);
  gauge("moldau_controller_voters", "Members of the quorum that vote, as far as this one knows.",
        &Stats::voters);
  gauge("moldau_controller_failed",
        "1 when a failed write or sync took the metadata log out of service.", &Stats::failed);
  counter("moldau_controller_entries_total", "Entries appended by this process.", &Stats::entries);
  counter("moldau_controller_syncs_total", "Syncs of the metadata log.", &Stats::syncs);
  counter("moldau_controller_snapshots_total", "Snapshots written.", &Stats::snapshots);
  counter("moldau_controller_brokers_fenced_total", "Brokers fenced because they went.",
          &Stats::brokers_fenced);
  counter("moldau_controller_unclean_elections_total",
          "Elections of a leader that may lack what was acknowledged.", &Stats::unclean_elections);
  add_cluster();
  if (kafka_names_) add_kafka_names();
}

// As broker/shell/kafka_names.h.
void ControllerPages::add_kafka_names() {
  constexpr const char* kHelp = "As Apache Kafka's JMX exporter shows it.";
  const auto gauge = [&](const char* name, std::function<double(const Stats&)> of) {
    metrics_.gauge(name, kHelp, {}, [this, of = std::move(of)] {
      const auto now = stats();
      return now ? of(*now) : 0.0;
    });
  };
  gauge("kafka_controller_kafkacontroller_activecontrollercount",
        [](const Stats& now) { return now.leading ? 1 : 0; });
  gauge("kafka_server_raftmetrics_current_leader", [](const Stats& now) { return now.leader; });
  gauge("kafka_server_raftmetrics_current_epoch",
        [](const Stats& now) { return static_cast<double>(now.term); });
  gauge("kafka_server_raftmetrics_high_watermark",
        [](const Stats& now) { return static_cast<double>(now.committed + 1); });
  metrics_.gauges(
      "kafka_server_raftmetrics_current_state", kHelp, [this](const host::Metrics::Emit& emit) {
        const auto now = stats();
        if (!now) return;
        const char* state = now->leading ? "leader" : now->leader > 0 ? "follower" : "candidate";
        emit({{"current_state", state}}, 1);
      });
  metrics_.gauge("kafka_controller_kafkacontroller_offlinepartitionscount", kHelp, {}, [this] {
    const auto counts = cluster_counts();
    return counts ? static_cast<double>(counts->partitions_offline) : 0.0;
  });
  metrics_.counter("kafka_controller_controllerstats_uncleanleaderelections_total", kHelp, {},
                   host::Metrics::Value([this] {
                     const auto now = stats();
                     return now ? static_cast<double>(now->unclean_elections) : 0.0;
                   }));
}

std::optional<ClusterCounts> ControllerPages::cluster_counts() {
  const auto now = std::chrono::steady_clock::now();
  if (!counts_ || now - counted_at_ > kCountsLast) {
    counts_ = host::ask<std::optional<ClusterCounts>>(
        pool_[0], [this] { return controller_.cluster_counts(); }, kPatience);
    counted_at_ = now;
  }
  return counts_.value_or(std::nullopt);
}

// Shown by the controller that leads and by no other: whoever adds up counts nothing twice, and
// nothing at all means that nobody leads.
void ControllerPages::add_cluster() {
  const auto each = [this](const char* name, const char* help, const char* label,
                           std::vector<std::pair<const char*, std::int64_t ClusterCounts::*>> of) {
    metrics_.gauges(name, help, [this, label, of](const host::Metrics::Emit& emit) {
      const auto counts = cluster_counts();
      if (!counts) return;
      for (const auto& [value, member] : of) {
        host::Metrics::Labels labels;
        if (*label != 0) labels.push_back({label, value});
        emit(std::move(labels), static_cast<double>((*counts).*member));
      }
    });
  };
  each("moldau_cluster_brokers", "Registered brokers, as the leading controller sees them.",
       "state",
       {{"live", &ClusterCounts::brokers_live}, {"fenced", &ClusterCounts::brokers_fenced}});
  each("moldau_cluster_brokers_draining", "Brokers whose replicas move away, or have.", "",
       {{"", &ClusterCounts::brokers_draining}});
  each("moldau_cluster_topics", "Topics, internal ones too.", "", {{"", &ClusterCounts::topics}});
  each("moldau_cluster_partitions", "Partitions of all topics.", "",
       {{"", &ClusterCounts::partitions}});
  each("moldau_cluster_partitions_ailing",
       "Partitions that are not as they should be. One that is offline, under min.insync.replicas "
       "or under-replicated counts in the worst of these.",
       "state",
       {{"offline", &ClusterCounts::partitions_offline},
        {"under_min_isr", &ClusterCounts::partitions_under_min_isr},
        {"under_replicated", &ClusterCounts::partitions_under_replicated},
        {"reassigning", &ClusterCounts::partitions_reassigning},
        {"leader_not_preferred", &ClusterCounts::partitions_leader_not_preferred}});
}

void ControllerPages::stop() {
  if (http_) http_->stop();
}

}  // namespace controller::shell
