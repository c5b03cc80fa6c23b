// Which APIs this broker serves, over which versions, and by which handler. What is advertised is
// this table: an API that is not right over its whole range is not in it.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "broker/api/handler.h"

namespace broker::api {

// A pending reply before its response type is known.
struct PendingReply {
  std::shared_ptr<ReplyTarget> target;
  std::uint64_t slot;
  std::int32_t correlation_id;
  std::int16_t version;
};

struct ApiEntry {
  std::int16_t key;
  std::string_view name;
  std::int16_t version_min;
  std::int16_t version_max;
  bool pipelined;  // Produce: several may wait for acknowledgement at once
  // Decodes the body and runs the handler; false when the body is malformed (nothing was changed).
  bool (*handle)(Context& context, wire::Reader& body, PendingReply reply);
};

// Null for keys that are not served.
const ApiEntry* find_api(std::int16_t key);
// All served APIs by rising key.
std::span<const ApiEntry> served_apis();

// ApiVersions in a version that we do not know: v0, UNSUPPORTED_VERSION and the list (KIP-511).
void reply_unsupported_api_versions(PendingReply reply);

}  // namespace broker::api
