// What listeners and advertised.listeners must agree on. Internal to this folder; the parsers are
// in broker_config.h.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "common/config/broker_config.h"

namespace config {

// What is wrong with advertised.listeners, or nothing: they must be listeners, and reachable.
std::optional<std::string> advertised_error(std::span<const Listener> advertised,
                                            std::span<const Listener> listeners);

}  // namespace config
