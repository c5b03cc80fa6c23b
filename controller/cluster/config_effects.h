// What a change of overrides means for partitions: the ELR was kept under the old
// min.insync.replicas and says nothing under a new one (KIP-966); a topic that now allows unclean
// elections gets leaders.
#pragma once

#include <string>
#include <vector>

#include "controller/cluster/decide.h"

namespace controller::cluster {

// `after`: the overrides of that resource as they will be.
void follow_config_change(proto::ConfigResource kind, const std::string& name,
                          const meta::Configs& after, const meta::Image& image,
                          const Settings& settings, std::vector<proto::Record>& out);

}  // namespace controller::cluster
