#include "tests/bench/client.h"

#include <cstdio>
#include <cstdlib>

namespace bench {
namespace {

constexpr int kFlushMs = 120'000;

rd_kafka_conf_t* make_conf(const ClientOptions& options, const std::vector<std::string>& defaults) {
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  const auto set = [&](const std::string& key, const std::string& value) {
    char error[512];
    if (rd_kafka_conf_set(conf, key.c_str(), value.c_str(), error, sizeof error) !=
        RD_KAFKA_CONF_OK) {
      fail(error);
    }
  };
  const auto set_all = [&](const std::vector<std::string>& settings) {
    for (const auto& each : settings) {
      const auto equals = each.find('=');
      if (equals == std::string::npos) fail("no '=' in setting " + each);
      set(each.substr(0, equals), each.substr(equals + 1));
    }
  };
  set("bootstrap.servers", options.bootstrap);
  set("broker.address.family", "v4");
  set("socket.nagle.disable", "true");
  set_all(defaults);
  set_all(options.settings);
  return conf;
}

Handle make_handle(rd_kafka_type_t type, rd_kafka_conf_t* conf) {
  char error[512];
  rd_kafka_t* handle = rd_kafka_new(type, conf, error, sizeof error);
  if (handle == nullptr) fail(error);
  return Handle(handle);
}

void end_on_failed_delivery(rd_kafka_t* /*handle*/, const rd_kafka_message_t* message,
                            void* /*opaque*/) {
  if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
    fail(std::string("a record was not delivered: ") + rd_kafka_err2str(message->err));
  }
}

}  // namespace

void fail(const std::string& message) {
  std::fprintf(stderr, "bench_load: %s\n", message.c_str());
  // No destructors: librdkafka's threads may be the ones that called.
  std::_Exit(1);
}

Handle make_producer(const ClientOptions& options, DeliveryReport report, void* opaque) {
  std::vector<std::string> defaults{"queue.buffering.max.messages=1000000",
                                    "queue.buffering.max.kbytes=1048576"};
  if (report == nullptr) defaults.emplace_back("delivery.report.only.error=true");
  rd_kafka_conf_t* conf = make_conf(options, defaults);
  rd_kafka_conf_set_opaque(conf, opaque);
  rd_kafka_conf_set_dr_msg_cb(conf, report == nullptr ? end_on_failed_delivery : report);
  return make_handle(RD_KAFKA_PRODUCER, conf);
}

Handle make_consumer(const ClientOptions& options) {
  return make_handle(RD_KAFKA_CONSUMER,
                     make_conf(options, {"group.id=bench", "enable.auto.commit=false",
                                         "enable.partition.eof=false"}));
}

Topic open_topic(const Handle& handle, const ClientOptions& options) {
  rd_kafka_topic_t* topic = rd_kafka_topic_new(handle.get(), options.topic.c_str(), nullptr);
  if (topic == nullptr) fail("cannot open topic " + options.topic);
  return Topic(topic);
}

void flush(const Handle& handle) {
  const auto error = rd_kafka_flush(handle.get(), kFlushMs);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    fail(std::string("records are still not acknowledged: ") + rd_kafka_err2str(error));
  }
}

}  // namespace bench
