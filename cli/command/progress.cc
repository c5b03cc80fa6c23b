#include "cli/command/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

namespace cli {
namespace {

constexpr std::chrono::seconds kLineEvery{10};

}  // namespace

std::optional<std::chrono::seconds> estimate_left(std::chrono::milliseconds elapsed,
                                                  std::int64_t done, std::int64_t left) {
  if (done <= 0 || left < 0) return std::nullopt;
  const double each = static_cast<double>(elapsed.count()) / static_cast<double>(done);
  const double rest_ms = each * static_cast<double>(left);
  return std::chrono::seconds(static_cast<std::int64_t>(rest_ms / 1000.0 + 0.999));
}

std::string human_duration(std::chrono::seconds duration) {
  const std::int64_t seconds = duration.count();
  if (seconds < 100) return fmt::format("{} s", seconds);
  if (seconds < 100 * 60) return fmt::format("{} min", (seconds + 59) / 60);
  return fmt::format("{} h", (seconds + 3599) / 3600);
}

Progress::Progress(Context& context, std::string subject)
    : context_(context), subject_(std::move(subject)) {}

Progress::~Progress() {
  if (on_line_) std::fputc('\n', stderr);
}

void Progress::update(std::int64_t left, const std::string& note, const std::string& estimate) {
  if (context_.json()) return;
  const auto now = Deadline::Clock::now();
  total_ = std::max(total_, left);
  if (total_ == 0) return;
  const bool in_place = context_.stderr_is_terminal();
  if (!in_place && left > 0 && told_ && now - *told_ < kLineEvery) return;
  told_ = now;
  const std::int64_t done = total_ - left;
  std::string line = fmt::format("{}: {} of {} done", subject_, done, total_);
  const auto elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(now - began_);
  if (!estimate.empty()) {
    line += ", " + estimate;
  } else if (auto rest = estimate_left(elapsed, done, left); rest && left > 0) {
    line += fmt::format(", about {} left", human_duration(*rest));
  }
  if (!note.empty()) line += "; " + note;
  if (!in_place) return context_.remark(line);
  fmt::print(stderr, "\r\x1b[K{}", line);
  std::fflush(stderr);
  on_line_ = true;
}

}  // namespace cli
