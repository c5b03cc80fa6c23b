// What operators read: one line per event, with a level, a component and key=value details. Pure
// code has none; nodes are handed a Diag, shells decide where lines go and in which format.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace base {

class Diag {
 public:
  enum class Level { kDebug, kInfo, kWarn, kError };
  using Details = std::vector<std::pair<std::string_view, std::string>>;

  virtual ~Diag() = default;
  // Any thread. `component` is the folder or object that speaks ("log", "raft", "session").
  virtual void write(Level level, std::string_view component, std::string_view message,
                     const Details& details) = 0;

  void debug(std::string_view component, std::string_view message, const Details& details = {}) {
    write(Level::kDebug, component, message, details);
  }
  void info(std::string_view component, std::string_view message, const Details& details = {}) {
    write(Level::kInfo, component, message, details);
  }
  void warn(std::string_view component, std::string_view message, const Details& details = {}) {
    write(Level::kWarn, component, message, details);
  }
  void error(std::string_view component, std::string_view message, const Details& details = {}) {
    write(Level::kError, component, message, details);
  }
};

// Drops everything: for tests.
class SilentDiag final : public Diag {
 public:
  void write(Level, std::string_view, std::string_view, const Details&) override {}
};

}  // namespace base
