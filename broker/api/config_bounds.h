// What a broker has to say to configs of groups before the controller is asked: the bounds
// group.consumer.min/max.* are each broker's own. Pure; the image is of the caller's moment.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "broker/node/node.h"
#include "common/config/def.h"

namespace broker::api {

// Why the resource may not have these configs, all of them; nothing when it may. What else is wrong
// with them is the controller's to say.
std::optional<std::string> out_of_bounds(const Node& node, const meta::Image& image,
                                         std::int8_t type, const std::string& name,
                                         const config::Overrides& configs);

}  // namespace broker::api
