#include <algorithm>
#include <random>

#include "tests/bench/commands.h"
#include "tests/bench/measure.h"
#include "tests/bench/payload.h"

namespace bench {
namespace {

constexpr std::int64_t kTickNs = 1'000'000;

class Producer {
 public:
  Producer(const ClientOptions& client, const ProduceOptions& options)
      : handle_(make_producer(client, nullptr, nullptr)),
        topic_(open_topic(handle_, client)),
        payload_(options.text ? PayloadKind::kText : PayloadKind::kRandom, options.record_size,
                 options.seed),
        keys_(options.keys),
        pick_key_(options.seed) {}

  // Sends `count` records, `rate` of them a second (0: as fast as they go); returns when the last
  // one is acknowledged.
  void send(std::uint64_t count, std::uint64_t rate) {
    const std::int64_t began = monotonic_ns();
    std::uint64_t sent = 0;
    for (std::int64_t tick = 1; sent < count; ++tick) {
      std::uint64_t due = count;
      if (rate != 0) {
        due = std::min(count, static_cast<std::uint64_t>(tick) * rate / 1000);
      }
      for (; sent < due; ++sent) send_one();
      rd_kafka_poll(handle_.get(), 0);
      if (rate != 0) sleep_until_ns(began + tick * kTickNs);
    }
    flush(handle_);
  }

 private:
  void send_one() {
    const auto value = payload_.next();
    const std::uint64_t key = keys_ == 0 ? 0 : pick_key_() % keys_;
    while (rd_kafka_produce(topic_.get(), RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY,
                            const_cast<char*>(value.data()), value.size(),
                            keys_ == 0 ? nullptr : &key, keys_ == 0 ? 0 : sizeof key,
                            nullptr) != 0) {
      const auto error = rd_kafka_last_error();
      if (error != RD_KAFKA_RESP_ERR__QUEUE_FULL) fail(rd_kafka_err2str(error));
      rd_kafka_poll(handle_.get(), 1);
    }
  }

  Handle handle_;
  Topic topic_;
  Payload payload_;
  std::uint64_t keys_;
  std::mt19937_64 pick_key_;
};

}  // namespace

nlohmann::json produce(const ClientOptions& client, const ProduceOptions& options) {
  ask_for_exact_timers();
  Producer producer(client, options);
  producer.send(options.warm_records, 0);
  // One second at the measured rate: the broker leaves the state that the warm-up put it in.
  if (options.rate != 0) producer.send(options.rate, options.rate);
  const Measurement measurement(client.broker_pid);
  producer.send(options.records, options.rate);
  auto result = measurement.stop();
  result["records"] = options.records;
  result["bytes"] = options.records * options.record_size;
  return result;
}

}  // namespace bench
