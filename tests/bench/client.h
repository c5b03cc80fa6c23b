// A librdkafka handle made from the options that every subcommand shares. Used by one thread unless
// a function says otherwise; every error ends the program with a message and status 1: a benchmark
// with a failed request has no result.
#pragma once

#include <librdkafka/rdkafka.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace bench {

struct ClientOptions {
  std::string bootstrap;
  std::string topic;
  std::vector<std::string> settings;  // librdkafka's "key=value"
  int broker_pid = 0;                 // 0: the broker's CPU is not measured
};

struct HandleDeleter {
  void operator()(rd_kafka_t* handle) const { rd_kafka_destroy(handle); }
};
using Handle = std::unique_ptr<rd_kafka_t, HandleDeleter>;

struct TopicDeleter {
  void operator()(rd_kafka_topic_t* topic) const { rd_kafka_topic_destroy(topic); }
};
using Topic = std::unique_ptr<rd_kafka_topic_t, TopicDeleter>;

// Says it on stderr and exits with 1.
[[noreturn]] void fail(const std::string& message);

using DeliveryReport = void (*)(rd_kafka_t*, const rd_kafka_message_t*, void* opaque);

// A producer. Without `report` only failed deliveries are reported, and they end the program.
Handle make_producer(const ClientOptions& options, DeliveryReport report, void* opaque);

// A consumer that belongs to no group.
Handle make_consumer(const ClientOptions& options);

Topic open_topic(const Handle& handle, const ClientOptions& options);

// Serves callbacks until every record is acknowledged; ends the program after two minutes.
void flush(const Handle& handle);

}  // namespace bench
