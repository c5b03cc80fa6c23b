// What one API handler is given and how it answers. A handler is a free function
//
//   void create_topics(Context& context, const wire::CreateTopicsRequest& request,
//                      Reply<wire::CreateTopicsResponse> reply);
//
// It runs on the reactor of the connection, to completion. It calls `reply` exactly once: before it
// returns, or later from the same reactor (work done elsewhere posts back first). The request, the
// context and every view into the frame live only until the handler returns.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/node/node.h"
#include "common/io/net.h"
#include "common/wire/frame.h"
#include "common/wire/writer.h"

namespace broker::api {

// What a connection was used for. Lives as long as the connection.
struct ConnectionUse {
  bool metadata_asked = false;  // Metadata was answered on it
  bool records = false;         // it produces or fetches
  bool replica = false;         // another broker copies by it
};

struct Context {
  Node& node;
  Reactor& reactor;
  std::int16_t version = 0;
  std::string_view client_id;  // empty when the client sent none
  const io::Address& peer;
  const io::Address& local;
  std::string_view listener;  // name of the listener that the connection came in by
  ConnectionUse& use;         // of the connection that the request came by
};

// Where finished responses go: the session, which sends them in the order of the requests.
class ReplyTarget {
 public:
  virtual ~ReplyTarget() = default;
  // `frame` is the whole response with its size prefix.
  virtual void finish(std::uint64_t slot, wire::Writer frame,
                      std::vector<io::FileSlice> slices) = 0;
  // No response is due (acks=0).
  virtual void finish_silently(std::uint64_t slot) = 0;
  // The connection cannot go on; `why` is for operators.
  virtual void abandon(std::uint64_t slot, const std::string& why) = 0;
};

// One pending response. Move-only; a Reply that is dropped unanswered ends its connection, so that
// a client never waits for ever.
template <class Response>
class Reply {
 public:
  Reply(std::shared_ptr<ReplyTarget> target, std::uint64_t slot, std::int32_t correlation_id,
        std::int16_t version)
      : target_(std::move(target)),
        slot_(slot),
        correlation_id_(correlation_id),
        version_(version) {}
  Reply(Reply&&) noexcept = default;
  Reply& operator=(Reply&&) = delete;
  ~Reply() {
    if (target_) target_->abandon(slot_, "a handler dropped its reply");
  }

  // `slices` are the file parts that the response's records fields refer to by external_index.
  void operator()(const Response& response, std::vector<io::FileSlice> slices = {}) {
    wire::Writer frame;
    const auto start = wire::begin_frame(frame);
    wire::encode_response_header(frame, Response::kApiKey, version_, correlation_id_);
    response.encode(frame, version_);
    if (!wire::end_frame(frame, start)) {
      return take()->abandon(slot_, "a response that cannot be encoded: " + frame.error());
    }
    take()->finish(slot_, std::move(frame), std::move(slices));
  }
  // The request turned out malformed: the session itself ends the connection.
  void forget() { target_ = nullptr; }
  void silently() { take()->finish_silently(slot_); }
  void close_connection(const std::string& why) { take()->abandon(slot_, why); }

  std::int16_t version() const { return version_; }

 private:
  std::shared_ptr<ReplyTarget> take() { return std::exchange(target_, nullptr); }

  std::shared_ptr<ReplyTarget> target_;
  std::uint64_t slot_;
  std::int32_t correlation_id_;
  std::int16_t version_;
};

}  // namespace broker::api
