// A connection to a simulated node on which a test sends what bytes it likes, and looks at what
// comes back.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/base/check.h"
#include "common/io/net.h"
#include "common/wire/frame.h"
#include "common/wire/writer.h"

namespace sim {

// Bytes there and back.
class RawPeer final : public io::ConnectionHandler {
 public:
  std::size_t on_data(base::MutableBytes in) override {
    received.insert(received.end(), in.begin(), in.end());
    return in.size();
  }
  void on_closed(const std::string&) override { closed = true; }

  // The payloads of the whole frames that came.
  std::vector<base::BytesView> frames() const {
    std::vector<base::BytesView> all;
    std::size_t at = 0;
    while (true) {
      const auto frame = wire::parse_frame(base::BytesView(received).subspan(at), 64 << 20);
      if (frame.state != wire::FrameState::kComplete) return all;
      all.push_back(frame.payload);
      at += frame.frame_size;
    }
  }
  void send(base::Bytes bytes) {
    connection->send(std::move(bytes));
    connection->flush();
  }

  base::Bytes received;
  bool closed = false;
  std::shared_ptr<io::Connection> connection;
};

template <class Request>
base::Bytes framed(const Request& request, std::int16_t version, std::int32_t correlation_id) {
  wire::Writer out;
  const auto frame = wire::begin_frame(out);
  wire::encode_request_header(out, {.api_key = Request::kApiKey,
                                    .api_version = version,
                                    .correlation_id = correlation_id,
                                    .client_id = "raw"});
  request.encode(out, version);
  CHECK(wire::end_frame(out, frame));
  return out.take();
}

inline std::int32_t correlation_id_of(base::BytesView payload) {
  return base::load_be<std::int32_t>(payload.data());
}

}  // namespace sim
