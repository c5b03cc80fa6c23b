#include "broker/shell/broker_process.h"

#include <unistd.h>

#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <utility>

#include "broker/broker.h"
#include "broker/shell/admin_pages.h"
#include "broker/shell/listening.h"
#include "common/control/quorum_client.h"
#include "common/host/grpc_rpc.h"
#include "common/host/posix_disk.h"
#include "common/host/reactor_pool.h"
#include "common/host/signals.h"

namespace broker::shell {
namespace {

constexpr std::chrono::seconds kProgressEvery{2};

std::uint64_t system_seed() {
  std::uint64_t seed = 0;
  if (getentropy(&seed, sizeof seed) != 0) std::abort();
  return seed;
}

int exit_code_for(const io::IoError& error) {
  if (error.code == EWOULDBLOCK) return kExitDirectoryInUse;
  return error.code == EBADMSG ? kExitDamagedData : 1;
}

class Process {
 public:
  Process(const config::BrokerConfig& config, base::Diag& diag, host::SystemClock& clock)
      : config_(config),
        diag_(diag),
        clock_(clock),
        random_(system_seed()),
        pool_({.reactors = reactor_count(config_),
               .reactor = reactor_options(),
               .blocking = {.threads_max = static_cast<std::size_t>(
                                std::max(4, config_.background_threads))}}),
        listening_(pool_, config_),
        pages_(pool_, diag) {}

  int run() {
    if (auto bound = listening_.bind(); !bound) return fail(bound.error().what);
    host::Signals signals(pool_[0], [this](int number) { on_signal(number); });
    pool_.start();
    const auto http = pages_.start({config_.http_listen.host, config_.http_listen.port});
    if (!http) {
      pool_.stop();
      return fail(http.error().what);
    }
    http_address_ = *http;
    pool_[0].post([this] { start(); });
    wait_for_end();
    pages_.stop();
    pool_.stop();
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
    std::fprintf(stderr, "moldau-broker: %s\n", message.c_str());
    return code;
  }

  // ---- reactor 0

  void start() {
    control::QuorumClient::Addresses addresses;
    for (const config::Voter& voter : config_.controller_quorum_voters) {
      addresses[voter.id] = {voter.address.host, voter.address.port};
    }
    controllers_ = std::make_unique<control::QuorumClient>(
        pool_[0], random_.split("controllers"), std::move(addresses),
        [this](std::int32_t, const io::Address& at) { return host::grpc_client(pool_[0], at); });
    std::vector<Seams::Reactor> reactors;
    for (std::size_t i = 0; i < pool_.size(); ++i) reactors.push_back({pool_[i], pool_[i]});
    broker_ = std::make_unique<Broker>(Seams{.disk = disk_,
                                             .clock = clock_,
                                             .diag = diag_,
                                             .controller = *controllers_,
                                             .random = random_.split("broker"),
                                             .reactors = std::move(reactors)},
                                       config_);
    progress_timer_.on_fire([this] { say_progress(); });
    pool_[0].timers().set(progress_timer_, pool_[0].now() + kProgressEvery);
    broker_->start(
        config_.cluster_id.value_or(""), listening_.advertised(),
        [this](io::IoResult<void> started) {
          if (!started) return end(fail(started.error().what, exit_code_for(started.error())));
          on_ready();
        },
        [this](const std::string& why) {
          end(fail("the controller refuses this broker: " + why));
        });
  }

  void say_progress() {
    const auto progress = broker_->progress();
    diag_.info("broker", "starting",
               {{"partitions_open", std::to_string(progress.partitions_open)},
                {"of", std::to_string(progress.partitions_to_open)},
                {"checked_mb", std::to_string(progress.recovered_bytes >> 20)}});
    pool_[0].timers().set(progress_timer_, pool_[0].now() + kProgressEvery);
  }

  void on_ready() {
    progress_timer_.cancel();
    if (stopping_) return;
    listening_.open(*broker_);
    pages_.show(*broker_, *controllers_, config_.metrics_kafka_names);
    diag_.info("broker", "ready",
               {{"broker", std::to_string(broker_->node().broker_id.value())},
                {"kafka", listening_.address(0).to_string()},
                {"http", http_address_.to_string()}});
  }

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
    if (broker_ == nullptr) return ended();
    broker_->stop([this] {
      pool_[0].stop_listening();
      // Its callbacks stop before the threads of gRPC outlive what they post to.
      pool_[0].post([this] { ended(); });
    });
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

  const config::BrokerConfig& config_;
  base::Diag& diag_;
  host::SystemClock& clock_;
  base::Random random_;
  host::PosixDisk disk_;
  host::ReactorPool pool_;
  Listening listening_;
  // The client goes first: replies that are still on their way then end while the broker is there.
  std::unique_ptr<Broker> broker_;
  std::unique_ptr<control::QuorumClient> controllers_;
  AdminPages pages_;
  base::Timer progress_timer_;  // reactor 0
  io::Address http_address_;
  bool stopping_ = false;
  int exit_code_ = 0;

  std::mutex mutex_;
  std::condition_variable wake_;
  bool ended_ = false;
};

}  // namespace

int run_broker(const config::BrokerConfig& config, base::Diag& diag, host::SystemClock& clock) {
  return Process(config, diag, clock).run();
}

}  // namespace broker::shell
