#include <algorithm>
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "tests/bench/commands.h"
#include "tests/bench/measure.h"
#include "tests/bench/payload.h"

namespace bench {
namespace {

constexpr double kNsPerSecond = 1e9;

// Written by the reporting thread alone; read when that has ended.
struct Reports {
  std::int64_t measure_from_ns = 0;  // records due before this are the warm-up's
  std::vector<std::int64_t> latency_ns;
};

void report(rd_kafka_t* /*handle*/, const rd_kafka_message_t* message, void* opaque) {
  if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
    fail(std::string("a record was not delivered: ") + rd_kafka_err2str(message->err));
  }
  auto& reports = *static_cast<Reports*>(opaque);
  const auto due_ns = reinterpret_cast<std::int64_t>(message->_private);
  if (due_ns >= reports.measure_from_ns) reports.latency_ns.push_back(monotonic_ns() - due_ns);
}

struct Schedule {
  std::int64_t began_ns;
  double interval_ns;

  std::int64_t due_ns(std::uint64_t record) const {
    return began_ns + static_cast<std::int64_t>(static_cast<double>(record) * interval_ns);
  }
};

// Sends the records [start, end) when they are due. Returns the most that one was late, in ns: how
// well the client kept the schedule.
std::int64_t send(rd_kafka_topic_t* topic, Payload& payload, const Schedule& schedule,
                  std::uint64_t start, std::uint64_t end) {
  std::int64_t late_ns = 0;
  for (std::uint64_t record = start; record < end; ++record) {
    const auto due_ns = schedule.due_ns(record);
    const auto now_ns = monotonic_ns();
    if (now_ns < due_ns) sleep_until_ns(due_ns);
    late_ns = std::max(late_ns, now_ns - due_ns);
    const auto value = payload.next();
    if (rd_kafka_produce(topic, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY,
                         const_cast<char*>(value.data()), value.size(), nullptr, 0,
                         reinterpret_cast<void*>(due_ns)) != 0) {
      fail(rd_kafka_err2str(rd_kafka_last_error()));
    }
  }
  return late_ns;
}

// Exact quantiles: a run has few enough records to keep them all.
nlohmann::json in_microseconds(std::vector<std::int64_t> latency_ns) {
  if (latency_ns.empty()) fail("no record was acknowledged");
  std::ranges::sort(latency_ns);
  const auto at = [&](double fraction) {
    const auto rank = static_cast<std::size_t>(fraction * static_cast<double>(latency_ns.size()));
    return static_cast<double>(latency_ns[std::min(rank, latency_ns.size() - 1)]) / 1e3;
  };
  return {{"acknowledged", latency_ns.size()},
          {"p50_us", at(0.5)},
          {"p99_us", at(0.99)},
          {"p999_us", at(0.999)},
          {"max_us", at(1)}};
}

}  // namespace

nlohmann::json open_loop(const ClientOptions& client, const OpenLoopOptions& options) {
  ask_for_exact_timers();
  auto reports = std::make_unique<Reports>();
  const Handle handle = make_producer(client, report, reports.get());
  const Topic topic = open_topic(handle, client);
  Payload payload(PayloadKind::kRandom, options.record_size, options.seed);

  const auto rate = static_cast<double>(options.rate);
  const auto warm_count = static_cast<std::uint64_t>(options.warm_seconds * rate);
  const auto end = warm_count + static_cast<std::uint64_t>(options.seconds * rate);
  const Schedule schedule{.began_ns = monotonic_ns(), .interval_ns = kNsPerSecond / rate};
  reports->latency_ns.reserve(end - warm_count);
  reports->measure_from_ns = schedule.due_ns(warm_count);

  std::atomic<bool> ended = false;
  std::thread reporter([&] {
    while (!ended) rd_kafka_poll(handle.get(), 100);
  });
  send(topic.get(), payload, schedule, 0, warm_count);
  sleep_until_ns(schedule.due_ns(warm_count));
  const Measurement measurement(client.broker_pid);
  const auto late_ns = send(topic.get(), payload, schedule, warm_count, end);
  while (rd_kafka_outq_len(handle.get()) > 0) sleep_until_ns(monotonic_ns() + 1'000'000);
  auto result = measurement.stop();
  ended = true;
  reporter.join();
  flush(handle);

  result.update(in_microseconds(std::move(reports->latency_ns)));
  result["records"] = end - warm_count;
  result["bytes"] = (end - warm_count) * options.record_size;
  result["client_late_max_us"] = static_cast<double>(late_ns) / 1e3;
  return result;
}

}  // namespace bench
