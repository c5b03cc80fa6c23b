#include "controller/shell/controller_pages.h"

#include <string>
#include <utility>

namespace controller::shell {
namespace {

constexpr std::chrono::seconds kPatience{2};

}  // namespace

ControllerPages::ControllerPages(host::ReactorPool& pool, const Controller& controller,
                                 base::Diag& diag)
    : pool_(pool), controller_(controller), diag_(diag) {}

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
  counter("moldau_controller_entries_total", "Entries appended by this process.", &Stats::entries);
  counter("moldau_controller_syncs_total", "Syncs of the metadata log.", &Stats::syncs);
  counter("moldau_controller_snapshots_total", "Snapshots written.", &Stats::snapshots);
  counter("moldau_controller_brokers_fenced_total", "Brokers fenced because they went.",
          &Stats::brokers_fenced);
}

void ControllerPages::stop() {
  if (http_) http_->stop();
}

}  // namespace controller::shell
