// moldau-controller: one controller over the real seams, the others and the brokers in processes of
// their own. Made and run by main's thread; everything else happens on its reactor.
#pragma once

#include "common/base/diag.h"
#include "common/config/broker_config.h"
#include "common/host/system_clock.h"

namespace controller::shell {

// Exit codes beyond 0 and 1 (docs/cli.md).
inline constexpr int kExitBadConfig = 3;
inline constexpr int kExitDirectoryInUse = 4;
inline constexpr int kExitDamagedData = 5;

// Runs until SIGINT or SIGTERM; the exit code. Call with signals blocked, before any thread exists.
int run_controller(const config::BrokerConfig& config, base::Diag& diag, host::SystemClock& clock);

}  // namespace controller::shell
