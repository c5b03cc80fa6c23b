// The metadata image as consumer groups look at it. Immutable; any thread.
#pragma once

#include <memory>

#include "broker/group/consumer_topics.h"
#include "common/meta/image.h"

namespace broker {

std::shared_ptr<const group::Topics> group_topics(meta::ImagePtr image);

}  // namespace broker
