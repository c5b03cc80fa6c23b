#include "operator/shell/operator_process.h"

#include <unistd.h>

#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "common/control/quorum_client.h"
#include "common/host/grpc_rpc.h"
#include "common/host/reactor_pool.h"
#include "common/host/signals.h"
#include "operator/node/lease.h"
#include "operator/node/loop.h"
#include "operator/shell/kube_http.h"
#include "operator/shell/operator_pages.h"

namespace kube {
namespace {

// How long the end may take: finish what is under way, give the Lease up.
constexpr base::Duration kEndTimeout = std::chrono::seconds(15);
// Answers of controllers are small, but for a description of very many topics.
constexpr std::size_t kControlBytesMax = 16 << 20;

std::uint64_t system_seed() {
  std::uint64_t seed = 0;
  if (getentropy(&seed, sizeof seed) != 0) std::abort();
  return seed;
}

class Process {
 public:
  Process(ProcessOptions options, base::Diag& diag, host::SystemClock& clock)
      : options_(std::move(options)),
        diag_(diag),
        clock_(clock),
        random_(system_seed()),
        pool_({.reactors = 1, .reactor = {.diag = &diag}, .blocking = {.threads_max = 1}}),
        api_(options_.access, http_options(), pool_[0], random_.next()),
        loop_(seams(), config()),
        pages_({.pool = pool_,
                .loop = loop_,
                .api = api_,
                .leading = [this] { return leading(); },
                .waiting = [this] { return !acting_; },
                .elected = options_.elect},
               diag) {
    if (options_.elect) make_lease();
  }

  int run() {
    host::Signals signals(pool_[0], [this](int number) { on_signal(number); });
    end_limit_.on_fire([this] { ended(); });
    pool_.start();
    const auto http = pages_.start(options_.http);
    if (!http) {
      std::fprintf(stderr, "moldau-operator: http port: %s\n", http.error().what.c_str());
      std::fflush(nullptr);
      std::_Exit(1);
    }
    diag_.info("operator", "started",
               {{"api", options_.access.to_string()},
                {"http", http->to_string()},
                {"identity", options_.identity}});
    pool_[0].post([this] { begin(); });
    wait_for_end();
    // Threads may still hold a connection that answers to nobody: nothing here is worth waiting
    // for them.
    std::fflush(nullptr);
    std::_Exit(exit_code_);
  }

 private:
  KubeHttpOptions http_options() const {
    KubeHttpOptions out;
    out.user_agent = options_.user_agent;
    return out;
  }
  Operator::Config config() const {
    Operator::Config out;
    out.namespaces = options_.namespaces;
    if (!options_.image.empty()) out.settings.image = options_.image;
    out.instance = options_.identity;
    return out;
  }
  Operator::Seams seams() {
    return {.executor = pool_[0],
            .api = api_,
            .clock = clock_,
            .diag = diag_,
            .random = random_.split("operator"),
            .connect =
                [this](const std::string& ns, const std::string& cluster,
                       const std::vector<ControllerAddress>& addresses) {
                  return connect(ns + "/" + cluster, addresses);
                },
            .may_write = [this] { return leading(); }};
  }

  // By the Pod's number where it has one: names come later than Pods, and go later.
  std::shared_ptr<io::RpcClient> connect(const std::string& cluster,
                                         const std::vector<ControllerAddress>& addresses) {
    control::QuorumClient::Members members;
    const auto add = [&](std::int32_t id, const io::Address& address) {
      members[id] = host::grpc_client(pool_[0], address, {.message_bytes_max = kControlBytesMax});
    };
    if (const auto at = options_.controllers.find(cluster); at != options_.controllers.end()) {
      for (const io::Address& each : at->second) {
        add(static_cast<std::int32_t>(members.size()) + 1, each);
      }
    } else {
      for (const ControllerAddress& each : addresses) {
        if (!each.pod_ip.empty()) add(each.id, {bracketed(each.pod_ip), each.port});
      }
    }
    if (members.empty()) return nullptr;
    return std::make_shared<control::QuorumClient>(
        pool_[0], random_.split(cluster + std::to_string(++clients_)), std::move(members));
  }
  static std::string bracketed(const std::string& ip) {
    return ip.find(':') == std::string::npos ? ip : "[" + ip + "]";
  }

  // ---- the reactor

  void make_lease() {
    Lease::Options lease;
    lease.ns = options_.lease_namespace;
    lease.name = "moldau-operator";
    lease.identity = options_.identity;
    lease_ = std::make_unique<Lease>(
        pool_[0], api_, clock_, diag_, random_.split("lease"), std::move(lease), [this] { act(); },
        [] {
          // Somebody else may act from now on: nothing of this process may.
          std::fflush(nullptr);
          std::_Exit(1);
        });
  }
  bool leading() const { return acting_ && (!lease_ || lease_->leading()); }
  void begin() {
    if (lease_) return lease_->start();
    act();
  }
  void act() {
    acting_ = true;
    loop_.start();
  }

  void on_signal(int number) {
    if (number == SIGHUP) return;
    if (std::exchange(stopping_, true)) std::_Exit(1);  // asked twice: at once
    diag_.info("operator", "ending");
    pool_[0].timers().set(end_limit_, pool_[0].now() + kEndTimeout);
    loop_.stop([this] {
      if (!lease_) return ended();
      lease_->release([this] { ended(); });
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

  const ProcessOptions options_;
  base::Diag& diag_;
  host::SystemClock& clock_;
  base::Random random_;
  host::ReactorPool pool_;
  KubeHttp api_;
  std::unique_ptr<Lease> lease_;
  Operator loop_;
  OperatorPages pages_;
  base::Timer end_limit_;
  std::uint64_t clients_ = 0;
  bool acting_ = false;
  bool stopping_ = false;
  int exit_code_ = 0;

  std::mutex mutex_;
  std::condition_variable wake_;
  bool ended_ = false;
};

}  // namespace

int run_operator(ProcessOptions options, base::Diag& diag, host::SystemClock& clock) {
  return Process(std::move(options), diag, clock).run();
}

}  // namespace kube
