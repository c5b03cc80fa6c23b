#include "broker/node/node.h"

#include "broker/node/metadata_follower.h"

namespace broker {

std::shared_ptr<const meta::Image> Node::image() const { return metadata->image(); }

}  // namespace broker
