// Why one attempt did not succeed, and whether another may.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "common/wire/error_code.h"

namespace cli {

struct Trouble {
  std::string what;
  std::string hint;
  bool retriable = true;
  // The cluster's own word, when it was its answer and not the network's.
  wire::ErrorCode code = wire::ErrorCode::kNone;
};

template <class T>
using Try = std::expected<T, Trouble>;

// The broker refused: "topic orders: Topic 'orders' already exists (TOPIC_ALREADY_EXISTS)".
// `message` is the broker's own text, if it sent one. Retriable when another attempt by a person
// at a prompt makes sense: an unknown topic does not appear by waiting.
Trouble refusal(std::string_view subject, wire::ErrorCode code,
                const std::optional<std::string>& message = std::nullopt);

// What to do about an error, or nothing.
std::string_view hint_for(wire::ErrorCode code);

}  // namespace cli
