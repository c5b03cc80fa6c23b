#include "cli/command/copying.h"

#include <fmt/format.h>

#include "cli/command/progress.h"
#include "cli/text/quantity.h"

namespace cli {

std::string human_copying(const proto::CopyProgress& progress) {
  if (progress.bytes_left() <= 0) return "";
  std::string text = fmt::format("{} left", human_bytes(progress.bytes_left()));
  if (progress.has_seconds_left()) {
    text += fmt::format(", about {} at {}/s",
                        human_duration(std::chrono::seconds(progress.seconds_left())),
                        human_bytes(progress.bytes_per_second()));
  }
  return text;
}

Json copying_json(const proto::CopyProgress& progress) {
  return {{"bytes_left", progress.bytes_left()},
          {"bytes_per_second", progress.bytes_per_second()},
          {"seconds_left",
           progress.has_seconds_left() ? Json(progress.seconds_left()) : Json(nullptr)}};
}

}  // namespace cli
