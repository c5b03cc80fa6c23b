#include "controller/shell/controller_process.h"

#include <unistd.h>

#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <utility>

#include "common/host/grpc_rpc.h"
#include "common/host/posix_disk.h"
#include "common/host/reactor_pool.h"
#include "common/host/signals.h"
#include "controller/controller.h"
#include "controller/shell/config_rules.h"
#include "controller/shell/controller_pages.h"

namespace controller::shell {
namespace {

std::uint64_t system_seed() {
  std::uint64_t seed = 0;
  if (getentropy(&seed, sizeof seed) != 0) std::abort();
  return seed;
}

int exit_code_for(const io::IoError& error) {
  if (error.code == EWOULDBLOCK) return kExitDirectoryInUse;
  return error.code == EBADMSG ? kExitDamagedData : 1;
}

Config make_config(const config::BrokerConfig& from) {
  Config out;
  out.node_id = *from.node_id;
  out.voters.clear();
  for (const config::Voter& each : from.controller_quorum_voters) {
    out.voters.push_back(each.id);
    out.endpoints[each.id] = {each.address.host, each.address.port};
  }
  if (from.cluster_id) {
    out.cluster_id = base::Uuid::parse(*from.cluster_id).value_or(base::Uuid{});
  }
  out.default_partitions = from.num_partitions;
  // Only a factor that somebody asked for may fail for want of brokers.
  if (from.given.contains("default.replication.factor")) {
    out.default_replication_factor = static_cast<std::int16_t>(from.default_replication_factor);
  }
  out.broker_session_timeout = std::chrono::milliseconds(from.broker_session_timeout_ms);
  out.leader_balance_interval =
      from.auto_leader_rebalance_enable
          ? std::chrono::seconds(from.leader_imbalance_check_interval_seconds)
          : base::Duration::zero();
  out.balance_new_brokers = from.balance_new_brokers;
  out.config_rules = config_rules(from.given);
  return out;
}

class Process {
 public:
  Process(const config::BrokerConfig& config, base::Diag& diag, host::SystemClock& clock)
      : config_(config),
        diag_(diag),
        random_(system_seed()),
        pool_({.reactors = 1, .reactor = {.diag = &diag}, .blocking = {.threads_max = 4}}),
        grpc_(pool_[0]),
        controller_(Seams{.disk = disk_,
                          .executor = pool_[0],
                          .clock = clock,
                          .diag = diag,
                          .rpc = grpc_.server(),
                          .random = random_.split("controller"),
                          .connect =
                              [this](std::int32_t, const io::Address& address) {
                                return host::grpc_client(pool_[0], address);
                              }},
                    make_config(config)),
        pages_(pool_, controller_, diag, config.metrics_kafka_names) {}

  int run() {
    if (auto made = disk_.make_directories(config_.log_dirs.front()); !made) {
      return fail("log.dirs: " + made.error().what);
    }
    host::Signals signals(pool_[0], [this](int number) { on_signal(number); });
    pool_.start();
    const auto http = pages_.start({config_.http_listen.host, config_.http_listen.port});
    if (!http) {
      pool_.stop();
      return fail("moldau.http.listen: " + http.error().what);
    }
    http_address_ = *http;
    pool_[0].post([this] { start(); });
    wait_for_end();
    // No call begins any more; then nothing that the controller holds runs any more.
    grpc_.stop();
    pages_.stop();
    pool_.stop();
    return exit_code_;
  }

 private:
  int fail(const std::string& message, int code = 1) {
    std::fprintf(stderr, "moldau-controller: %s\n", message.c_str());
    return code;
  }

  // ---- the reactor

  void start() {
    // It serves from this call on: until it leads it says that it does not.
    controller_.start(config_.log_dirs.front(), [this](io::IoResult<void> started) {
      if (stopping_) return;
      if (!started) return end(fail(started.error().what, exit_code_for(started.error())));
      const Stats now = controller_.stats();
      diag_.info("controller", "ready",
                 {{"controller", std::to_string(*config_.node_id)},
                  {"leader", std::to_string(now.leader)},
                  {"cluster", controller_.image()->cluster_id().to_string()},
                  {"grpc", grpc_address_.to_string()},
                  {"http", http_address_.to_string()}});
    });
    const auto bound = grpc_.listen({config_.grpc_listen.host, config_.grpc_listen.port});
    if (!bound) return end(fail("moldau.grpc.listen: " + bound.error().what));
    grpc_address_ = *bound;
  }

  void on_signal(int number) {
    if (number == SIGHUP) return;
    if (stopping_) std::_Exit(1);  // asked twice: at once
    end(0);
  }

  void end(int code) {
    if (std::exchange(stopping_, true)) return;
    exit_code_ = code;
    controller_.stop([this] { ended(); });
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
  base::Random random_;
  host::PosixDisk disk_;
  host::ReactorPool pool_;
  host::GrpcServer grpc_;
  Controller controller_;
  ControllerPages pages_;
  io::Address grpc_address_;
  io::Address http_address_;
  bool stopping_ = false;
  int exit_code_ = 0;

  std::mutex mutex_;
  std::condition_variable wake_;
  bool ended_ = false;
};

}  // namespace

int run_controller(const config::BrokerConfig& config, base::Diag& diag, host::SystemClock& clock) {
  return Process(config, diag, clock).run();
}

}  // namespace controller::shell
