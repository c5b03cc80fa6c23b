// How far a long operation is: one line in place on a terminal, a line every ten seconds elsewhere,
// on stderr; nothing with --json.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "cli/client/deadline.h"
#include "cli/command/context.h"

namespace cli {

// How long the rest takes if it goes on as it did. Nothing before anything is done. Pure.
std::optional<std::chrono::seconds> estimate_left(std::chrono::milliseconds elapsed,
                                                  std::int64_t done, std::int64_t left);
// "40 s", "12 min", "3 h".
std::string human_duration(std::chrono::seconds duration);

class Progress {
 public:
  // `subject` begins every line.
  Progress(Context& context, std::string subject);
  ~Progress();  // ends the line on a terminal
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // `left` of what was `left` at first is still to do; `note` (may be empty) follows. `estimate`:
  // how much is left and how long that takes, where somebody knows better than by counting.
  void update(std::int64_t left, const std::string& note, const std::string& estimate = "");

 private:
  Context& context_;
  std::string subject_;
  Deadline::Clock::time_point began_ = Deadline::Clock::now();
  std::optional<Deadline::Clock::time_point> told_;
  std::int64_t total_ = 0;
  bool on_line_ = false;
};

}  // namespace cli
