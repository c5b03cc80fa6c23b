// A client's connection to another broker's inter-broker listener, for one purpose: requests go out
// one after the other, answers come back in order and are matched by correlation id. Connects when
// it is first needed, and again after a break; after failures in a row only once a backoff has
// passed. Lives on one executor.
//
//   idle --call--> connecting --> open --break, timeout, abort()--> idle
//                      └──failure──> resting (backoff) ──> connecting, if a call waits
//
// A response's frame is handed over as it lies in the receive buffer: records in it are views that
// live until the callback returns, and may be changed in place.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "common/base/diag.h"
#include "common/base/random.h"
#include "common/base/timer_wheel.h"
#include "common/io/executor.h"
#include "common/io/net.h"
#include "common/wire/frame.h"

namespace broker {

class PeerConnection {
 public:
  struct Options {
    std::string client_id;             // as the peer's operators see it
    std::int32_t frame_bytes_max = 0;  // of a response; a longer one ends the connection
    base::Duration request_timeout{};  // from the call to the whole response
    base::Duration backoff_first = std::chrono::milliseconds(5);
    base::Duration backoff_most = std::chrono::seconds(1);
  };
  // `executor`, `net` and `diag` outlive it.
  PeerConnection(io::Executor& executor, io::Net& net, base::Diag& diag, base::Random random,
                 Options options);
  // Calls under way are not answered any more.
  ~PeerConnection();
  PeerConnection(const PeerConnection&) = delete;
  PeerConnection& operator=(const PeerConnection&) = delete;

  // Where the peer is. Another address than before aborts and forgets the backoff.
  void set_address(const io::Address& address);
  const io::Address& address() const;

  // The response, which lives for the callback only, or null with what went wrong (the connection
  // is then gone). Called exactly once, never from within call().
  template <class Response>
  using Done = std::move_only_function<void(Response*, const io::IoError&)>;
  template <class Response, class Request>
  void call(const Request& request, std::int16_t version, Done<Response> done) {
    wire::Writer out;
    const std::int32_t id = next_correlation_id();
    const auto frame = wire::begin_frame(out);
    wire::encode_request_header(out, {.api_key = Request::kApiKey,
                                      .api_version = version,
                                      .correlation_id = id,
                                      .client_id = client_id()});
    request.encode(out, version);
    if (!wire::end_frame(out, frame)) {
      return refuse("a request that cannot be encoded: " + out.error(),
                    [done = std::move(done)](base::MutableBytes, const io::IoError& error) mutable {
                      done(nullptr, error);
                      return std::string();
                    });
    }
    send(id, out.take(),
         [version, id, done = std::move(done)](base::MutableBytes payload,
                                               const io::IoError& error) mutable -> std::string {
           if (payload.empty()) {
             done(nullptr, error);
             return "";
           }
           wire::Reader in(payload);
           Response response;
           std::string why;
           if (wire::decode_response_header(in, Request::kApiKey, version) != id) {
             why = "an answer to another request";
           } else if (!response.decode(in, version) || in.remaining() != 0) {
             why = "a malformed response: " + in.error();
           }
           if (!why.empty()) {
             done(nullptr, {EBADMSG, why});
             return why;
           }
           done(&response, error);
           return "";
         });
  }

  // Ends the connection and the calls under way, which are not answered. The next call connects
  // anew, at once.
  void abort();
  // The peer is known to have come back: the next attempt need not wait.
  void forget_failures();
  bool is_open() const;
  // Connections that failed or broke in a row, none of which brought an answer.
  std::uint32_t failures() const;

 private:
  class Link;
  // Gets the response without its size prefix, or nothing and the error. Returns what is wrong with
  // the response, if anything.
  using Answer = std::move_only_function<std::string(base::MutableBytes, const io::IoError&)>;
  std::int32_t next_correlation_id();
  const std::string& client_id() const;
  void refuse(const std::string& why, Answer answer);
  void send(std::int32_t correlation_id, base::Bytes frame, Answer answer);

  std::shared_ptr<Link> link_;
};

}  // namespace broker
