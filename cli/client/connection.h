// One TCP connection to a broker: blocking, one thread, requests answered in order. Knows which
// versions the broker speaks. After any failure it is broken and only good for closing.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "cli/client/address.h"
#include "cli/client/deadline.h"
#include "cli/client/trouble.h"
#include "common/base/bytes.h"
#include "common/wire/frame.h"
#include "common/wire/msg/api_versions_response.h"
#include "common/wire/reader.h"
#include "common/wire/writer.h"

namespace cli {

// A decoded answer with the bytes that its record views point into.
template <class Response>
struct Reply {
  base::Bytes frame;
  Response body;
  std::int16_t version = 0;
};

// Versions that the caller can use; the broker's and ours are cut with it.
struct Versions {
  std::int16_t min = 0;
  std::int16_t max = INT16_MAX;
};

class Connection {
 public:
  // Connects and asks for the broker's versions.
  static Try<std::unique_ptr<Connection>> open(const Address& address, Deadline deadline);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  const Address& address() const { return address_; }
  bool broken() const { return broken_; }
  // For poll(): readable when an answer may be there.
  int descriptor() const { return socket_; }
  const wire::ApiVersionsResponse& capabilities() const { return capabilities_; }

  // The best version that both sides and the caller can use.
  std::optional<std::int16_t> common_version(std::int16_t api_key, Versions ours) const;

  // Sends; the answer is fetched later with receive(), in the order of sending.
  template <class Request>
  Try<void> send(const Request& request, Deadline deadline, Versions versions = {}) {
    auto version = pick(Request::kApiKey, Request::kVersionMin, Request::kVersionMax, versions);
    if (!version) return std::unexpected(version.error());
    begin(Request::kApiKey, *version);
    request.encode(out_, *version);
    return finish(Request::kApiKey, *version, deadline);
  }
  // For requests that the broker does not answer (produce with acks=0).
  void expect_no_answer() { sent_.pop_back(); }

  template <class Response>
  Try<Reply<Response>> receive(Deadline deadline) {
    Reply<Response> reply;
    auto body = receive_frame(Response::kApiKey, reply.frame, reply.version, deadline);
    if (!body) return std::unexpected(body.error());
    wire::Reader in(*body);
    if (!reply.body.decode(in, reply.version)) return std::unexpected(malformed(in.error()));
    return reply;
  }

 private:
  struct Sent {
    std::int16_t api_key;
    std::int16_t version;
    std::int32_t correlation_id;
  };

  Connection(Address address, int socket) : address_(std::move(address)), socket_(socket) {}
  Try<void> ask_versions(Deadline deadline);
  Try<std::int16_t> pick(std::int16_t api_key, std::int16_t min, std::int16_t max,
                         Versions versions) const;
  void begin(std::int16_t api_key, std::int16_t version);
  Try<void> finish(std::int16_t api_key, std::int16_t version, Deadline deadline);
  // The body of the next answer, a view into `frame`.
  Try<base::BytesView> receive_frame(std::int16_t api_key, base::Bytes& frame,
                                     std::int16_t& version, Deadline deadline);
  Try<void> write_all(base::BytesView bytes, Deadline deadline);
  Try<void> read_all(base::MutableBytes bytes, Deadline deadline);
  Try<void> wait_for(short events, Deadline deadline);
  Trouble broke(std::string_view why);
  Trouble malformed(std::string_view why);

  Address address_;
  int socket_;
  bool broken_ = false;
  std::int32_t next_correlation_id_ = 1;
  std::deque<Sent> sent_;
  wire::Writer out_;
  std::size_t frame_start_ = 0;
  wire::ApiVersionsResponse capabilities_;
  std::map<std::int16_t, Versions> ranges_;
};

}  // namespace cli
