// moldau broker drain|resume|remove|may-restart: taking brokers out of service without harm.
#pragma once

#include <cstdint>

#include "cli/command/context.h"

namespace cli {

struct DrainOptions {
  std::int32_t id = -1;
  bool no_wait = false;
};
struct BrokerOptions {
  std::int32_t id = -1;
  bool yes = false;
};

void drain_broker(const DrainOptions& options, Context& context);
void resume_broker(const BrokerOptions& options, Context& context);
void remove_broker(const BrokerOptions& options, Context& context);
// The exit code says whether it may.
void may_restart_broker(const BrokerOptions& options, Context& context);

}  // namespace cli
