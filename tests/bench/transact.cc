#include <algorithm>
#include <vector>

#include "tests/bench/commands.h"
#include "tests/bench/measure.h"
#include "tests/bench/payload.h"

namespace bench {
namespace {

constexpr int kCallMs = 60'000;
constexpr std::int64_t kNsPerMs = 1'000'000;

// Frees the error; ends the program when there is one.
void must(rd_kafka_error_t* error, const char* what) {
  if (error == nullptr) return;
  fail(std::string(what) + ": " + rd_kafka_error_string(error));
}

class Transactor {
 public:
  Transactor(const ClientOptions& client, const TransactOptions& options)
      : options_(options),
        handle_(make_producer(client, nullptr, nullptr)),
        topic_(open_topic(handle_, client)),
        payload_(PayloadKind::kRandom, options.record_size, options.seed) {
    must(rd_kafka_init_transactions(handle_.get(), kCallMs), "init_transactions");
  }

  // One transaction: its records evenly over the interval that begins at `began_ns`, then the
  // commit. Returns how long that took, the wait for what is not yet acknowledged included, in ns.
  std::int64_t transact(std::int64_t began_ns) {
    must(rd_kafka_begin_transaction(handle_.get()), "begin_transaction");
    const auto ticks = std::max(options_.every_ms, 1);
    std::uint64_t sent = 0;
    for (std::int64_t tick = 1; tick <= ticks; ++tick) {
      const auto due = options_.records_per_commit * static_cast<std::uint64_t>(tick) /
                       static_cast<std::uint64_t>(ticks);
      for (; sent < due; ++sent) send_one();
      rd_kafka_poll(handle_.get(), 0);
      sleep_until_ns(began_ns + tick * kNsPerMs);
    }
    const auto at_ns = monotonic_ns();
    must(rd_kafka_commit_transaction(handle_.get(), kCallMs), "commit_transaction");
    return monotonic_ns() - at_ns;
  }

  std::vector<std::int64_t> run(double seconds) {
    std::vector<std::int64_t> commit_ns;
    const auto end = monotonic_ns() + static_cast<std::int64_t>(seconds * 1e9);
    while (monotonic_ns() < end) commit_ns.push_back(transact(monotonic_ns()));
    return commit_ns;
  }

 private:
  void send_one() {
    const auto value = payload_.next();
    if (rd_kafka_produce(topic_.get(), RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY,
                         const_cast<char*>(value.data()), value.size(), nullptr, 0, nullptr) != 0) {
      fail(rd_kafka_err2str(rd_kafka_last_error()));
    }
  }

  TransactOptions options_;
  Handle handle_;
  Topic topic_;
  Payload payload_;
};

}  // namespace

nlohmann::json transact(const ClientOptions& client, const TransactOptions& options) {
  ask_for_exact_timers();
  auto with_id = client;
  with_id.settings.insert(with_id.settings.begin(), "transactional.id=bench");
  Transactor transactor(with_id, options);
  transactor.run(options.warm_seconds);
  const Measurement measurement(client.broker_pid);
  auto commit_ns = transactor.run(options.seconds);
  auto result = measurement.stop();
  std::ranges::sort(commit_ns);
  const auto at = [&](double fraction) {
    const auto rank = static_cast<std::size_t>(fraction * static_cast<double>(commit_ns.size()));
    return static_cast<double>(commit_ns[std::min(rank, commit_ns.size() - 1)]) / 1e6;
  };
  result["commits"] = commit_ns.size();
  result["bytes"] = commit_ns.size() * options.records_per_commit * options.record_size;
  result["commit_p50_ms"] = at(0.5);
  result["commit_p99_ms"] = at(0.99);
  return result;
}

}  // namespace bench
