// Points in time as people type and read them; always UTC unless a zone is given. Pure: the caller
// tells the time.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/base/time.h"

namespace cli {

// Milliseconds since 1970 for
//   1767225600000            milliseconds since 1970
//   2026-01-01               midnight
//   2026-01-01T12:30[:05[.250]][Z|+02:00]   also with a space for the T
//   now, 15m, 2h, 7d         now, or that long before now (also with a leading '-')
// Nothing when it is none of these.
std::optional<base::WallMs> parse_when(std::string_view text, base::WallMs now);

// 2026-01-01T12:30:05.250Z; "-" for a negative time (Kafka's "no timestamp").
std::string format_when(base::WallMs at);

}  // namespace cli
