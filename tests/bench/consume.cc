#include <array>

#include "tests/bench/commands.h"
#include "tests/bench/measure.h"

namespace bench {
namespace {

constexpr int kWaitMs = 30'000;

class Consumer {
 public:
  Consumer(const ClientOptions& client, std::int32_t partitions)
      : handle_(make_consumer(client)), topic_(client.topic), partitions_(partitions) {}

  // Reads `count` records from the start of all partitions. Returns the bytes of their values.
  std::uint64_t read(std::uint64_t count) {
    assign();
    rd_kafka_queue_t* queue = rd_kafka_queue_get_consumer(handle_.get());
    std::uint64_t bytes = 0;
    for (std::uint64_t seen = 0; seen < count;) {
      std::array<rd_kafka_message_t*, 1000> messages;
      const auto got =
          rd_kafka_consume_batch_queue(queue, kWaitMs, messages.data(), messages.size());
      if (got <= 0) fail("no record in half a minute, " + std::to_string(seen) + " read");
      for (std::size_t i = 0; i < static_cast<std::size_t>(got); ++i) {
        if (messages[i]->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
          fail(rd_kafka_message_errstr(messages[i]));
        }
        bytes += messages[i]->len;
        rd_kafka_message_destroy(messages[i]);
      }
      seen += static_cast<std::uint64_t>(got);
    }
    rd_kafka_queue_destroy(queue);
    check(rd_kafka_assign(handle_.get(), nullptr));
    return bytes;
  }

 private:
  static void check(rd_kafka_resp_err_t error) {
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) fail(rd_kafka_err2str(error));
  }

  void assign() {
    auto* list = rd_kafka_topic_partition_list_new(partitions_);
    for (std::int32_t partition = 0; partition < partitions_; ++partition) {
      rd_kafka_topic_partition_list_add(list, topic_.c_str(), partition)->offset =
          RD_KAFKA_OFFSET_BEGINNING;
    }
    check(rd_kafka_assign(handle_.get(), list));
    rd_kafka_topic_partition_list_destroy(list);
  }

  Handle handle_;
  std::string topic_;
  std::int32_t partitions_;
};

}  // namespace

nlohmann::json consume(const ClientOptions& client, const ConsumeOptions& options) {
  Consumer consumer(client, options.partitions);
  for (int pass = 0; pass < options.warm_passes; ++pass) consumer.read(options.records);
  const Measurement measurement(client.broker_pid);
  std::uint64_t bytes = 0;
  for (int pass = 0; pass < options.passes; ++pass) bytes += consumer.read(options.records);
  auto result = measurement.stop();
  result["records"] = options.records * static_cast<std::uint64_t>(options.passes);
  result["bytes"] = bytes;
  return result;
}

}  // namespace bench
