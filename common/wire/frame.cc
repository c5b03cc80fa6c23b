#include "common/wire/frame.h"

#include <limits>

#include "common/wire/api_key.h"
#include "common/wire/message_info.h"

namespace wire {
namespace {

bool response_header_has_tags(std::int16_t api_key, std::int16_t api_version) {
  if (api_key == number(ApiKey::kApiVersions)) return false;
  const MessageInfo* info = find_message_info(api_key);
  return info && api_version >= info->response_flexible_since;
}

}  // namespace

Frame parse_frame(base::BytesView bytes, std::int32_t size_max) {
  Frame frame;
  if (bytes.size() < kFrameSizeBytes) return frame;
  frame.size = base::load_be<std::int32_t>(bytes.data());
  if (frame.size < 0) {
    frame.state = FrameState::kNegative;
  } else if (frame.size > size_max) {
    frame.state = FrameState::kOversized;
  } else {
    frame.frame_size = kFrameSizeBytes + static_cast<std::size_t>(frame.size);
    if (bytes.size() >= frame.frame_size) {
      frame.state = FrameState::kComplete;
      frame.payload = bytes.subspan(kFrameSizeBytes, static_cast<std::size_t>(frame.size));
    }
  }
  return frame;
}

HeaderResult decode_request_header(Reader& in, RequestHeader& header) {
  header.api_key = in.read_number<std::int16_t>("RequestHeader.RequestApiKey");
  header.api_version = in.read_number<std::int16_t>("RequestHeader.RequestApiVersion");
  header.correlation_id = in.read_number<std::int32_t>("RequestHeader.CorrelationId");
  if (!in.ok()) return HeaderResult::kMalformed;
  const MessageInfo* info = find_message_info(header.api_key);
  if (!info) return HeaderResult::kUnknownApiKey;
  bool versions_of_tomorrow =
      header.api_key == number(ApiKey::kApiVersions) && header.api_version > info->version_max;
  if (!info->supports(header.api_version) && !versions_of_tomorrow) {
    return HeaderResult::kUnsupportedVersion;
  }
  header.client_id = in.read_string_view("RequestHeader.ClientId", false, true);
  if (header.api_version >= info->request_flexible_since) in.skip_tags();
  if (!in.ok()) return HeaderResult::kMalformed;
  return versions_of_tomorrow ? HeaderResult::kUnknownApiVersionsVersion : HeaderResult::kOk;
}

void encode_request_header(Writer& out, const RequestHeader& header) {
  out.write_number(header.api_key);
  out.write_number(header.api_version);
  out.write_number(header.correlation_id);
  if (header.client_id) {
    out.write_string("RequestHeader.ClientId", *header.client_id, false);
  } else {
    out.write_nullable_string("RequestHeader.ClientId", std::nullopt, false, true);
  }
  const MessageInfo* info = find_message_info(header.api_key);
  if (info && header.api_version >= info->request_flexible_since) out.write_unsigned_varint(0);
}

void encode_response_header(Writer& out, std::int16_t api_key, std::int16_t api_version,
                            std::int32_t correlation_id) {
  out.write_number(correlation_id);
  if (response_header_has_tags(api_key, api_version)) out.write_unsigned_varint(0);
}

std::int32_t decode_response_header(Reader& in, std::int16_t api_key, std::int16_t api_version) {
  auto correlation_id = in.read_number<std::int32_t>("ResponseHeader.CorrelationId");
  if (response_header_has_tags(api_key, api_version)) in.skip_tags();
  return correlation_id;
}

std::size_t begin_frame(Writer& out) {
  std::size_t frame = out.size();
  out.write_number<std::int32_t>(0);
  return frame;
}

bool end_frame(Writer& out, std::size_t frame) {
  std::uint64_t size = out.total_size() - frame - kFrameSizeBytes;
  if (!out.ok() || size > std::numeric_limits<std::int32_t>::max()) return false;
  out.patch_int32(frame, static_cast<std::int32_t>(size));
  return true;
}

}  // namespace wire
