// Any bytes as a stream of frames with request headers, as a connection sees them.
#include <cstddef>
#include <cstdint>
#include <span>

#include "common/base/check.h"
#include "common/wire/frame.h"
#include "common/wire/message_info.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  base::BytesView bytes = std::as_bytes(std::span(data, size));
  for (;;) {
    wire::Frame frame = wire::parse_frame(bytes, 1 << 20);
    if (frame.state != wire::FrameState::kComplete) {
      bool waits = frame.state == wire::FrameState::kIncomplete;
      CHECK(!waits || frame.frame_size > bytes.size());
      return 0;
    }
    CHECK(frame.frame_size <= bytes.size());
    CHECK(frame.payload.size() + wire::kFrameSizeBytes == frame.frame_size);

    wire::Reader in(frame.payload);
    wire::RequestHeader header;
    wire::HeaderResult result = wire::decode_request_header(in, header);
    CHECK(in.offset() <= frame.payload.size());
    if (result == wire::HeaderResult::kOk) {
      CHECK(wire::find_message_info(header.api_key)->supports(header.api_version));
      wire::Writer out;
      wire::encode_request_header(out, header);
      wire::Reader again(out.bytes());
      wire::RequestHeader second;
      CHECK(wire::decode_request_header(again, second) == wire::HeaderResult::kOk);
      CHECK(second.correlation_id == header.correlation_id && second.client_id == header.client_id);
    }
    bytes = bytes.subspan(frame.frame_size);
  }
}
