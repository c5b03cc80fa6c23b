// Frames and headers: what stands before every request and response. A frame is its size as a
// big-endian int32 and so many bytes; the header opens those bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/bytes.h"
#include "common/wire/reader.h"
#include "common/wire/writer.h"

namespace wire {

inline constexpr std::size_t kFrameSizeBytes = 4;

enum class FrameState {
  kIncomplete,  // read on until `frame_size` bytes are there
  kComplete,    // `payload` is the frame
  kNegative,    // a negative size: close the connection
  kOversized,   // more than the maximum: close the connection
};

struct Frame {
  FrameState state = FrameState::kIncomplete;
  // Size that the prefix tells, kept for messages about bad ones.
  std::int32_t size = 0;
  // Bytes of the whole frame with its prefix; kFrameSizeBytes while the prefix itself is not there.
  std::size_t frame_size = kFrameSizeBytes;
  // Without the prefix; into the caller's bytes, only when complete.
  base::BytesView payload;
};

// Looks at the frame that `bytes` begins with. Nothing is allocated, so an absurd size costs
// nothing; a frame of exactly `size_max` is allowed.
Frame parse_frame(base::BytesView bytes, std::int32_t size_max);

struct RequestHeader {
  std::int16_t api_key = 0;
  std::int16_t api_version = 0;
  std::int32_t correlation_id = 0;
  // Into the frame.
  std::optional<std::string_view> client_id;
};

enum class HeaderResult {
  kOk,
  // ApiVersions of a version that we do not know: answer it in version 0 with
  // UNSUPPORTED_VERSION and the list; do not look at the body.
  kUnknownApiVersionsVersion,
  kUnknownApiKey,       // close the connection
  kUnsupportedVersion,  // close the connection
  kMalformed,           // close the connection; in.error() says why
};

// Decodes the header and leaves `in` at the body. Header version 1, or 2 (tagged fields) for
// flexible versions; the client id has an int16 length in both. A broker that serves less than
// the schema checks its own range after this.
HeaderResult decode_request_header(Reader& in, RequestHeader& header);
// As a client sends it.
void encode_request_header(Writer& out, const RequestHeader& header);

// Header version 0, or 1 (tagged fields) for flexible versions; always 0 for ApiVersions, as the
// client does not know yet what the broker speaks.
void encode_response_header(Writer& out, std::int16_t api_key, std::int16_t api_version,
                            std::int32_t correlation_id);
// As a client reads it: the correlation id. Look at in.ok().
std::int32_t decode_response_header(Reader& in, std::int16_t api_key, std::int16_t api_version);

// Leaves room for the size; end_frame fills it in, splices counted, and fails (false) if the
// writer has failed or the frame is over 2^31 - 1 bytes. One frame in a writer at a time.
std::size_t begin_frame(Writer& out);
bool end_frame(Writer& out, std::size_t frame);

}  // namespace wire
