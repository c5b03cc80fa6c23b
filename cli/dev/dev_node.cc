#include "cli/dev/dev_node.h"

#include <unistd.h>

#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <mutex>

#include "broker/broker.h"
#include "broker/shell/broker_metrics.h"
#include "cli/dev/dev_config.h"
#include "common/host/console_diag.h"
#include "common/host/crash_report.h"
#include "common/host/http_admin.h"
#include "common/host/local_rpc.h"
#include "common/host/metrics.h"
#include "common/host/posix_disk.h"
#include "common/host/reactor_pool.h"
#include "common/host/signals.h"
#include "common/host/system_clock.h"
#include "controller/controller.h"
#include "controller/shell/config_rules.h"

namespace cli {
namespace {

constexpr std::chrono::seconds kProgressEvery{2};
constexpr const char* kListener = "PLAINTEXT";

std::uint64_t system_seed() {
  std::uint64_t seed = 0;
  if (getentropy(&seed, sizeof seed) != 0) std::abort();
  return seed;
}

class DevNode {
 public:
  DevNode(const DevOptions& options, config::BrokerConfig config, base::Diag& diag,
          host::SystemClock& clock)
      : options_(options),
        config_(std::move(config)),
        diag_(diag),
        clock_(clock),
        random_(system_seed()),
        pool_({.reactors = reactor_count(config_),
               .reactor = reactor_options(),
               .blocking = {.threads_max = static_cast<std::size_t>(
                                std::max(4, config_.background_threads))}}),
        rpc_(pool_[0]) {}

  int run() {
    if (int code = make_directories(); code != 0) return code;
    if (int code = listen(); code != 0) return code;
    host::Signals signals(pool_[0], [this](int number) { on_signal(number); });
    pool_.start();
    pool_[0].post([this] { start_controller(); });
    wait_for_end();
    finish();
    return exit_code_;
  }

 private:
  static std::size_t reactor_count(const config::BrokerConfig& config) {
    if (config.reactors > 0) return static_cast<std::size_t>(config.reactors);
    return std::max(1U, std::thread::hardware_concurrency());
  }
  host::ReactorOptions reactor_options() {
    host::ReactorOptions options;
    options.diag = &diag_;
    options.backlog = config_.socket_listen_backlog_size;
    options.connections_max = static_cast<std::size_t>(config_.connections_max);
    options.frame_bytes_max = static_cast<std::size_t>(config_.socket_request_max_bytes) + 4;
    return options;
  }

  int fail(const std::string& message, int code = 1) {
    std::fprintf(stderr, "moldau dev: %s\n", message.c_str());
    return code;
  }

  int make_directories() {
    if (auto made = disk_.make_directories(config_.data_dir); !made) {
      return fail(made.error().what);
    }
    auto lock = disk_.lock(config_.data_dir);
    if (!lock) {
      return fail(lock.error().what, lock.error().code == EWOULDBLOCK ? kExitDirectoryInUse : 1);
    }
    lock_ = std::move(*lock);
    return 0;
  }

  // Binds before anything else, so that a taken port is said at once; sockets that come before the
  // node is ready wait.
  int listen() {
    const config::Listener& wanted = config_.listeners.front();
    auto bound = pool_[0].listen({wanted.host, wanted.port}, [this](int socket) {
      if (ready_) {
        hand_over(socket);
      } else {
        early_.push_back(socket);
      }
    });
    if (!bound) return fail(bound.error().what);
    address_ = *bound;
    for (std::size_t i = 0; i < pool_.size(); ++i) reactors_.push_back({pool_[i], pool_[i]});
    return 0;
  }

  void hand_over(int socket) {
    std::size_t least = 0;
    for (std::size_t i = 1; i < pool_.size(); ++i) {
      if (assigned(i) < assigned(least)) least = i;
    }
    ++handed_[least];
    pool_[least].post([this, least, socket] { pool_[least].adopt(socket, accept_[least]); });
  }
  // Sockets on their way count too.
  std::size_t assigned(std::size_t reactor) {
    return handed_[reactor] - pool_[reactor].stats().connections_closed.value();
  }

  void start_controller() {
    controller::Config config;
    config.node_id = config_.node_id.value_or(1);
    config.voters = {config.node_id};
    if (config_.cluster_id) {
      config.cluster_id = base::Uuid::parse(*config_.cluster_id).value_or(base::Uuid{});
    }
    config.default_partitions = config_.num_partitions;
    // Only a factor that somebody asked for may fail for want of brokers.
    if (config_.given.contains("default.replication.factor")) {
      config.default_replication_factor =
          static_cast<std::int16_t>(config_.default_replication_factor);
    }
    config.broker_session_timeout = std::chrono::milliseconds(config_.broker_session_timeout_ms);
    config.leader_balance_interval =
        config_.auto_leader_rebalance_enable
            ? std::chrono::seconds(config_.leader_imbalance_check_interval_seconds)
            : base::Duration::zero();
    config.balance_new_brokers = config_.balance_new_brokers;
    config.config_rules = controller::shell::config_rules(config_.given);
    controller_ = std::make_unique<controller::Controller>(
        controller::Seams{.disk = disk_,
                          .executor = pool_[0],
                          .clock = clock_,
                          .diag = diag_,
                          .rpc = rpc_.server(),
                          .random = random_.split("controller")},
        std::move(config));
    controller_->start(config_.data_dir, [this](io::IoResult<void> started) {
      if (!started) return end(fail(started.error().what, exit_code_for(started.error())));
      start_broker();
    });
  }

  void start_broker() {
    client_ = rpc_.client(pool_[0]);
    broker_ = std::make_unique<broker::Broker>(broker::Seams{.disk = disk_,
                                                             .clock = clock_,
                                                             .diag = diag_,
                                                             .controller = *client_,
                                                             .random = random_.split("broker"),
                                                             .reactors = reactors_},
                                               config_);
    for (std::size_t i = 0; i < pool_.size(); ++i) {
      accept_.push_back(broker_->accept_on(i, config_.listeners.front().name));
    }
    progress_timer_.on_fire([this] { say_progress(); });
    pool_[0].timers().set(progress_timer_, pool_[0].now() + kProgressEvery);
    broker_->start(
        controller_->image()->cluster_id().to_string(), {advertised()},
        [this](io::IoResult<void> started) {
          if (!started) return end(fail(started.error().what, exit_code_for(started.error())));
          on_ready();
        },
        [this](const std::string& why) {
          end(fail("the controller refuses this broker: " + why));
        });
  }

  meta::Listener advertised() const {
    const auto& wanted = config_.advertised_listeners.empty()
                             ? config_.listeners.front()
                             : config_.advertised_listeners.front();
    std::string host = wanted.host.empty() || wanted.host == "0.0.0.0" ? "127.0.0.1" : wanted.host;
    return {kListener, std::move(host), wanted.port == 0 ? address_.port : wanted.port};
  }

  // Recovery after a crash may take a while: nobody should have to guess whether it goes on.
  void say_progress() {
    const auto progress = broker_->progress();
    diag_.info("log", "opening partitions",
               {{"open", std::to_string(progress.partitions_open)},
                {"of", std::to_string(progress.partitions_to_open)},
                {"checked_mb", std::to_string(progress.recovered_bytes >> 20)}});
    pool_[0].timers().set(progress_timer_, pool_[0].now() + kProgressEvery);
  }

  static int exit_code_for(const io::IoError& error) {
    if (error.code == EWOULDBLOCK) return kExitDirectoryInUse;
    return error.code == EBADMSG ? kExitDamagedData : 1;
  }

  void on_ready() {
    progress_timer_.cancel();
    if (stopping_) return;
    broker::shell::add_broker_metrics(metrics_, *broker_, config_.metrics_kafka_names);
    for (std::size_t i = 0; i < pool_.size(); ++i) host::add_reactor_metrics(metrics_, pool_[i]);
    host::add_process_metrics(metrics_);
    if (!start_http()) return;
    ready_ = true;
    for (const int socket : early_) hand_over(socket);
    early_.clear();
    say_hello();
  }

  bool start_http() {
    host::HttpAdminOptions options;
    options.address = {config_.http_listen.host, config_.http_listen.port};
    http_ = std::make_unique<host::HttpAdmin>(options, diag_);
    health_.live("reactors", [this]() -> std::string {
      for (std::size_t i = 0; i < pool_.size(); ++i) {
        if (!host::ask<bool>(pool_[i], [] { return true; }, std::chrono::seconds(2))) {
          return "reactor " + std::to_string(i) + " does not turn";
        }
      }
      return "";
    });
    health_.ready("log directory", [this]() -> std::string {
      const auto failure = broker_->node().directories->failure();
      return failure ? "out of service: " + failure->what : "";
    });
    health_.ready("partitions", [this]() -> std::string {
      const auto progress = broker_->progress();
      if (progress.ready) return "";
      return std::to_string(progress.partitions_open) + " of " +
             std::to_string(progress.partitions_to_open) + " open";
    });
    health_.ready("controller", [this]() -> std::string {
      return broker_->node().image()->offset().value() >= 0 ? "" : "no metadata yet";
    });
    health_.serve_on(*http_);
    http_->route("GET", "/metrics", [this](const host::HttpRequest&) {
      return host::HttpReply{200, metrics_.text(), "text/plain; version=0.0.4; charset=utf-8"};
    });
    auto bound = http_->start();
    if (!bound) {
      end(fail(bound.error().what));
      return false;
    }
    http_address_ = *bound;
    return true;
  }

  void say_hello() {
    const std::string brokers = address_.to_string();
    const std::string flag = address_.port == kDefaultPort ? "" : " --brokers " + brokers;
    std::printf(
        "moldau is listening on %s   (data in %s, health and metrics on http://%s)\n"
        "\n"
        "  moldau topic create hello%s\n"
        "  echo 'it flows' | moldau produce hello%s\n"
        "  moldau consume hello -o beginning -e%s\n"
        "\n"
        "Ctrl-C ends it.\n",
        brokers.c_str(), config_.data_dir.c_str(), http_address_.to_string().c_str(), flag.c_str(),
        flag.c_str(), flag.c_str());
    std::fflush(stdout);
  }

  // ---- the end; reactor 0

  void on_signal(int number) {
    if (number == SIGHUP) return;
    if (stopping_) std::_Exit(1);  // asked twice: at once
    end(0);
  }

  void end(int code) {
    if (stopping_) return;
    stopping_ = true;
    progress_timer_.cancel();
    exit_code_ = code;
    pool_[0].stop_listening();
    auto stop_controller = [this] {
      if (controller_ == nullptr) return ended();
      controller_->stop([this] { ended(); });
    };
    if (broker_ == nullptr) return stop_controller();
    broker_->stop(stop_controller);
  }

  void ended() {
    std::lock_guard lock(mutex_);
    ended_ = true;
    wake_.notify_one();
  }

  // Main's thread.
  void wait_for_end() {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return ended_; });
  }

  void finish() {
    if (http_) http_->stop();
    pool_.stop();
    for (const int socket : early_) close(socket);
  }

  const DevOptions& options_;
  const config::BrokerConfig config_;
  base::Diag& diag_;
  host::SystemClock& clock_;
  base::Random random_;
  host::PosixDisk disk_;
  std::unique_ptr<io::DirectoryLock> lock_;
  host::ReactorPool pool_;
  host::LocalRpc rpc_;
  std::unique_ptr<controller::Controller> controller_;
  // The client goes first: replies that are still on their way then end while the broker is there.
  std::unique_ptr<broker::Broker> broker_;
  std::unique_ptr<io::RpcClient> client_;
  host::Metrics metrics_;
  host::Health health_;
  std::unique_ptr<host::HttpAdmin> http_;
  std::vector<broker::Seams::Reactor> reactors_;
  std::vector<io::Net::Accept> accept_;
  std::map<std::size_t, std::uint64_t> handed_;  // sockets given to each reactor
  std::vector<int> early_;
  base::Timer progress_timer_;  // reactor 0
  io::Address address_;
  io::Address http_address_;
  bool ready_ = false;
  bool stopping_ = false;
  int exit_code_ = 0;

  std::mutex mutex_;
  std::condition_variable wake_;
  bool ended_ = false;
};

}  // namespace

int run_dev(const DevOptions& options) {
  auto config = load_dev_config(options);
  if (!config) {
    std::fprintf(stderr, "moldau dev: %s\n", config.error().c_str());
    return kExitBadConfig;
  }
  host::report_crashes("moldau dev");
  host::block_signals();
  host::SystemClock clock;
  host::ConsoleDiag::Options diag_options;
  const auto level = host::ConsoleDiag::parse_level(options.log_level);
  if (!level) {
    std::fprintf(stderr, "moldau dev: --log-level %s: expected debug, info, warn or error\n",
                 options.log_level.c_str());
    return kExitBadConfig;
  }
  diag_options.level = *level;
  if (options.log_format == "text") diag_options.format = host::ConsoleDiag::Format::kText;
  if (options.log_format == "json") diag_options.format = host::ConsoleDiag::Format::kJson;
  host::ConsoleDiag diag(clock, diag_options);
  return DevNode(options, std::move(*config), diag, clock).run();
}

}  // namespace cli
