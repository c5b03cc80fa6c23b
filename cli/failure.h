// The one way a command gives up: a Failure travels to main, which prints it to stderr as one line
// and a hint, and ends with its exit code. docs/cli.md lists the codes.
#pragma once

#include <exception>
#include <string>
#include <utility>

namespace cli {

enum class Exit : int {
  kOk = 0,
  kFailure = 1,     // the cluster refused, or could not be reached in time
  kUsage = 2,       // the command line is wrong
  kBadConfig = 3,   // moldau dev: the configuration is wrong
  kDataLocked = 4,  // moldau dev: another process owns the data directory
  kCorrupt = 5,     // log dump: the file is damaged
};

class Failure : public std::exception {
 public:
  // `what` names the thing that failed, without a full stop; `hint` (may be empty) says what to do.
  explicit Failure(std::string what, std::string hint = {}, Exit exit = Exit::kFailure)
      : what_(std::move(what)), hint_(std::move(hint)), exit_(exit) {}

  const char* what() const noexcept override { return what_.c_str(); }
  const std::string& message() const { return what_; }
  const std::string& hint() const { return hint_; }
  Exit exit() const { return exit_; }

 private:
  std::string what_;
  std::string hint_;
  Exit exit_;
};

inline Failure usage_failure(std::string what, std::string hint = {}) {
  return Failure(std::move(what), std::move(hint), Exit::kUsage);
}

}  // namespace cli
