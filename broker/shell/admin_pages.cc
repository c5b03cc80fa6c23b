#include "broker/shell/admin_pages.h"

#include <chrono>
#include <string>

#include "broker/log/log_directories.h"
#include "broker/shell/broker_metrics.h"

namespace broker::shell {

AdminPages::AdminPages(host::ReactorPool& pool, base::Diag& diag) : pool_(pool), diag_(diag) {
  for (std::size_t i = 0; i < pool.size(); ++i) host::add_reactor_metrics(metrics_, pool[i]);
  host::add_process_metrics(metrics_);
  health_.live("reactors", [this]() -> std::string {
    for (std::size_t i = 0; i < pool_.size(); ++i) {
      if (!host::ask<bool>(pool_[i], [] { return true; }, std::chrono::seconds(2))) {
        return "reactor " + std::to_string(i) + " does not turn";
      }
    }
    return "";
  });
  add_ready("log directory", [](Broker& broker) -> std::string {
    const auto failure = broker.node().directories->failure();
    return failure ? "out of service: " + failure->what : "";
  });
  add_ready("partitions", [](Broker& broker) -> std::string {
    const auto progress = broker.progress();
    if (progress.ready) return "";
    return std::to_string(progress.partitions_open) + " of " +
           std::to_string(progress.partitions_to_open) + " open";
  });
  add_ready("controller", [](Broker& broker) -> std::string {
    const auto image = broker.node().image();
    if (image->offset().value() < 0) return "no metadata yet";
    const meta::Broker* self = image->broker(broker.node().broker_id);
    return self == nullptr || self->fenced ? "the controller does not count on this broker" : "";
  });
}

void AdminPages::add_ready(std::string name, std::function<std::string(Broker&)> check) {
  health_.ready(std::move(name), [this, check = std::move(check)]() -> std::string {
    Broker* broker = broker_.load(std::memory_order_acquire);
    return broker == nullptr ? "the broker is starting" : check(*broker);
  });
}

void AdminPages::show(Broker& broker, const control::QuorumClient& controllers, bool kafka_names) {
  add_broker_metrics(metrics_, broker, kafka_names);
  metrics_.gauge("moldau_controllers_known", "Controllers that this broker would ask.", {},
                 [&controllers] { return static_cast<double>(controllers.known()); });
  broker_.store(&broker, std::memory_order_release);
}

io::IoResult<io::Address> AdminPages::start(const io::Address& address) {
  host::HttpAdminOptions options;
  options.address = address;
  http_ = std::make_unique<host::HttpAdmin>(options, diag_);
  health_.serve_on(*http_);
  http_->route("GET", "/metrics", [this](const host::HttpRequest&) {
    return host::HttpReply{200, metrics_.text(), "text/plain; version=0.0.4; charset=utf-8"};
  });
  return http_->start();
}

void AdminPages::stop() {
  if (http_) http_->stop();
}

}  // namespace broker::shell
