// A connection of a scripted Kafka client: sends requests, matches answers, gives up on what takes
// too long. Every call ends exactly once: with the response, or with nothing when the connection
// was lost or nobody answered, so that what happened is unknown. It connects when it is needed.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "common/wire/frame.h"
#include "tests/sim/sim_executor.h"
#include "tests/sim/sim_net.h"
#include "tests/sim/world.h"

namespace sim {

class KafkaClient {
 public:
  KafkaClient(World& world, SimNetwork& network, const std::string& host);
  ~KafkaClient();
  KafkaClient(const KafkaClient&) = delete;

  // `done` gets a pointer that lives for the call only, or null.
  template <class Response, class Request>
  void call(const Request& request, std::int16_t version,
            std::function<void(const Response*)> done) {
    wire::Writer out;
    const auto frame = wire::begin_frame(out);
    wire::encode_request_header(out, {.api_key = Request::kApiKey,
                                      .api_version = version,
                                      .correlation_id = ++correlation_id_,
                                      .client_id = host_});
    request.encode(out, version);
    if (!wire::end_frame(out, frame)) return broken("request: " + out.error());
    send(out.take(), [this, version, done = std::move(done)](base::BytesView payload,
                                                             std::int32_t correlation_id) {
      if (payload.empty()) return done(nullptr);
      wire::Reader in(payload);
      if (wire::decode_response_header(in, Request::kApiKey, version) != correlation_id) {
        return broken("an answer to another request");
      }
      Response response;
      if (!response.decode(in, version) || in.remaining() != 0) {
        return broken("a malformed response: " + in.error());
      }
      done(&response);
    });
  }
  // Which machine to talk to from now on; what is under way with another ends with nothing.
  void aim(const std::string& target);
  const std::string& target() const { return target_; }
  // Loses the connection: everything under way ends with nothing.
  void drop();
  bool idle() const { return pending_.empty(); }
  const std::string& host() const { return host_; }

  base::Duration patience = std::chrono::seconds(3);

 private:
  using Answer = std::function<void(base::BytesView payload, std::int32_t correlation_id)>;
  struct Pending {
    std::int32_t correlation_id;
    Answer answer;
    base::Instant give_up;
  };
  class Link;
  void send(base::Bytes frame, Answer answer);
  void connect();
  void on_frame(base::BytesView payload);
  void watch();
  void broken(const std::string& why);

  World& world_;
  const std::string host_;
  std::string target_;
  SimExecutor executor_;
  std::unique_ptr<io::Net> net_;
  std::shared_ptr<Link> link_;
  std::deque<Pending> pending_;
  std::int32_t correlation_id_ = 0;
  bool watching_ = false;  // an event will look at what is overdue
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace sim
