// What a check says: fine, or an error code with a sentence.
#pragma once

#include <expected>
#include <string>
#include <utility>

#include "common/wire/error_code.h"
#include "proto/controller.pb.h"

namespace controller::cluster {

struct Refusal {
  wire::ErrorCode code;
  std::string message;
};
template <class T>
using Verdict = std::expected<T, Refusal>;

inline std::unexpected<Refusal> refuse(wire::ErrorCode code, std::string message) {
  return std::unexpected(Refusal{code, std::move(message)});
}
inline void set_error(proto::Error* error, const Refusal& refusal) {
  error->set_code(static_cast<std::int16_t>(refusal.code));
  error->set_message(refusal.message);
}

}  // namespace controller::cluster
