// base::Diag on a file descriptor: one line per event, for people (`text`) or programs (`json`).
// Thread-safe; each line is one write. The same component and message more than ten times within a
// second is counted instead of written, and the count is told with the next line that passes.
//
//   2026-01-31T12:00:00.000Z WARN  log: segment rolled late topic=a partition=0
//   {"ts":"2026-01-31T12:00:00.000Z","level":"warn","component":"log","msg":"...","topic":"a"}
#pragma once

#include <atomic>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "common/base/diag.h"
#include "common/io/clock.h"

namespace host {

class ConsoleDiag final : public base::Diag {
 public:
  enum class Format { kText, kJson };
  struct Options {
    std::optional<Format> format;  // none: text on a terminal, JSON otherwise
    Level level = Level::kInfo;
    int descriptor = 1;  // not owned
    unsigned repeats_per_second_max = 10;
  };
  // `clock` outlives it.
  explicit ConsoleDiag(const io::Clock& clock) : ConsoleDiag(clock, Options{}) {}
  ConsoleDiag(const io::Clock& clock, Options options);

  void write(Level level, std::string_view component, std::string_view message,
             const Details& details) override;

  void set_level(Level level) { level_.store(level, std::memory_order_relaxed); }
  Level level() const { return level_.load(std::memory_order_relaxed); }
  // "debug", "info", "warn", "error".
  static std::optional<Level> parse_level(std::string_view name);
  static std::string_view level_name(Level level);

 private:
  struct Repeats {
    std::int64_t second = 0;
    unsigned count = 0;
    std::uint64_t suppressed = 0;
  };
  // How many were suppressed before this one, or nothing when this one is to be suppressed too.
  std::optional<std::uint64_t> admit(std::string_view component, std::string_view message,
                                     std::int64_t second);

  const io::Clock& clock_;
  const int descriptor_;
  const Format format_;
  const unsigned repeats_max_;
  std::atomic<Level> level_;
  std::mutex mutex_;
  std::unordered_map<std::string, Repeats> repeats_;
};

}  // namespace host
