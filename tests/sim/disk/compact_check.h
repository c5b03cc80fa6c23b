// What must hold for a compacted log, whatever was going on.
#pragma once

#include <optional>
#include <string>

#include "broker/log/log.h"
#include "tests/sim/disk/compact_workload.h"

namespace sim {

// A reader that takes every record in order comes to the value of each key that all records ever
// given come to, aborted ones aside; what is there is what was given, at its offset; nothing is
// missing above what was compacted; tombstones stay their time; producers are known.
std::optional<std::string> check_compacted(broker::Log& log, const CompactModel& model);

// Everything about the log that recovery decides, as text: equal for equal logs.
std::string describe_compacted(broker::Log& log);

}  // namespace sim
