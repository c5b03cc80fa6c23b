// What must hold for a log after a crash, whatever was going on.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "broker/log/log.h"
#include "common/base/random.h"
#include "tests/sim/disk/log_workload.h"

namespace sim {

// What the log serves, batch by batch from its start, by base offset.
struct Contents {
  std::map<std::int64_t, base::Bytes> batches;
  std::optional<std::string> violation;
};
Contents read_all(broker::Log& log);

// Compares a log that was just opened with what it was told before: everything acknowledged is
// there byte for byte, nothing is there that was never given, the start did not fall, indexes lead
// where a scan leads, producers, epochs and aborted transactions are those of the batches.
std::optional<std::string> check_log(broker::Log& log, const LogModel& model, base::Random& random);

// Everything about a log that recovery decides, as text: equal for equal logs.
std::string describe_log(broker::Log& log);

}  // namespace sim
