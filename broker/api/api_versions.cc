// ApiVersions, versions 0-5. A client that asks in a version that we do not know is answered in
// version 0 with the list (KIP-511); one that reached a cluster or node other than it meant is told
// to bootstrap anew (KIP-1242).
#include <algorithm>
#include <array>

#include "broker/api/handlers.h"
#include "broker/api/table.h"
#include "common/meta/features.h"
#include "common/wire/msg/api_versions_request.h"
#include "common/wire/msg/api_versions_response.h"

namespace broker::api {
namespace {

using wire::ErrorCode;

void list_apis(wire::ApiVersionsResponse& response) {
  for (const ApiEntry& api : served_apis()) {
    response.api_keys.push_back({api.key, api.version_min, api.version_max});
  }
}

// Letters, digits, '.' and '-', beginning and ending with a letter or digit.
bool is_software_name(const std::string& text) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  return !text.empty() && plain(text.front()) && plain(text.back()) &&
         std::ranges::all_of(text, [&](char c) { return plain(c) || c == '.' || c == '-'; });
}

}  // namespace

void reply_unsupported_api_versions(PendingReply pending) {
  wire::ApiVersionsResponse response;
  response.error_code = ErrorCode::kUnsupportedVersion;
  list_apis(response);
  Reply<wire::ApiVersionsResponse> reply(std::move(pending.target), pending.slot,
                                         pending.correlation_id, 0);
  reply(response);
}

void api_versions(Context& context, const wire::ApiVersionsRequest& request,
                  Reply<wire::ApiVersionsResponse> reply) {
  wire::ApiVersionsResponse response;
  if (context.version >= 3 && (!is_software_name(request.client_software_name) ||
                               !is_software_name(request.client_software_version))) {
    response.error_code = ErrorCode::kInvalidRequest;
    return reply(response);
  }
  const bool other_cluster = request.cluster_id && *request.cluster_id != context.node.cluster_id;
  const bool other_node = request.node_id >= 0 && request.node_id != context.node.broker_id.value();
  if (other_cluster || other_node) {
    response.error_code = ErrorCode::kRebootstrapRequired;
    return reply(response);
  }
  list_apis(response);
  for (const meta::SupportedFeature& feature : meta::kSupportedFeatures) {
    // Before v4 clients reject a range that starts at 0 (KAFKA-17492).
    if (feature.min == 0 && context.version < 4) continue;
    response.supported_features.push_back({std::string(feature.name), feature.min, feature.max});
  }
  const auto image = context.node.image();
  response.finalized_features_epoch = image->offset().value();
  for (const auto& [name, level] : image->features()) {
    response.finalized_features.push_back({name, level, level});
  }
  reply(response);
}

}  // namespace broker::api
