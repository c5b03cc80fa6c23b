// Lets the controller judge config overrides by the registry of common/config.
#pragma once

#include "common/config/broker_config.h"
#include "controller/cluster/config_rules.h"

namespace controller::shell {

// `given` are the values that the process was started with; copied.
cluster::ConfigRules config_rules(const config::GivenValues& given);

}  // namespace controller::shell
