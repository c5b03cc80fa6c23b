// Between the wire's values and those of the control plane.
#pragma once

#include <algorithm>
#include <chrono>
#include <expected>
#include <optional>
#include <string>

#include "broker/node/controller_client.h"
#include "common/base/time.h"
#include "common/base/uuid.h"
#include "common/wire/error_code.h"
#include "proto/controller.pb.h"

namespace broker::api {

inline base::Uuid from_proto(const proto::Uuid& id) { return {id.high(), id.low()}; }
inline void to_proto(const base::Uuid& id, proto::Uuid* out) {
  out->set_high(id.high);
  out->set_low(id.low);
}

inline void set_error(const proto::Error& error, wire::ErrorCode& code,
                      std::optional<std::string>& message) {
  code = static_cast<wire::ErrorCode>(error.code());
  if (code != wire::ErrorCode::kNone) message = error.message();
}

// Why nothing of a call was tried: no controller, or its refusal of the whole; else kNone.
template <class Reply>
CallError whole_error(const std::expected<Reply, CallError>& reply) {
  if (!reply) return reply.error();
  return {static_cast<wire::ErrorCode>(reply->error().code()), reply->error().message()};
}

// How long a client's request may take; it names any number.
inline base::Duration timeout_of(std::int32_t timeout_ms) {
  return std::chrono::milliseconds(std::clamp(timeout_ms, 100, 300'000));
}

}  // namespace broker::api
