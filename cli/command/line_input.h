// Lines of the standard input, as they come: tells a line that is there from one to wait for, so
// that what was read can be sent in the meantime.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace cli {

class LineInput {
 public:
  // `descriptor` is not owned.
  explicit LineInput(int descriptor) : descriptor_(descriptor) {}

  enum class State { kLine, kNothingYet, kEnd };
  // Takes the next line, without its newline; a last line without one counts. kNothingYet when none
  // came within `wait` (nothing: waits for ever). Throws Failure when the input cannot be read or a
  // line is over 64 MiB, and Interrupted.
  State next(std::string& line, std::optional<std::chrono::milliseconds> wait);
  // Of the line that next() gave last, from 1.
  std::size_t number() const { return number_; }

 private:
  bool take_line(std::string& line);

  int descriptor_;
  std::string buffer_;
  std::size_t start_ = 0;    // of what has not been given out
  std::size_t scanned_ = 0;  // no newline before it
  bool end_ = false;
  std::size_t number_ = 0;
};

}  // namespace cli
