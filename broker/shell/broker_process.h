// moldau-broker: one broker over the real seams, its controllers in other processes. Made and run
// by main's thread; everything else happens on its reactors.
#pragma once

#include "common/base/diag.h"
#include "common/config/broker_config.h"
#include "common/host/system_clock.h"

namespace broker::shell {

// Exit codes beyond 0 and 1 (docs/cli.md).
inline constexpr int kExitBadConfig = 3;
inline constexpr int kExitDirectoryInUse = 4;
inline constexpr int kExitDamagedData = 5;

// Runs until SIGINT or SIGTERM; the exit code. Call with signals blocked, before any thread exists.
int run_broker(const config::BrokerConfig& config, base::Diag& diag, host::SystemClock& clock);

}  // namespace broker::shell
