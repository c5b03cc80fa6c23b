// What is read off the machine around the measured part of a run: monotonic time, the CPU time of
// another process, and the machine's as a whole (to see who else was working).
#pragma once

#include <cstdint>
#include <ctime>
#include <nlohmann/json.hpp>

namespace bench {

std::int64_t monotonic_ns();

// Sleeps until `monotonic_ns()` reaches it; with the least timer slack the kernel grants.
void sleep_until_ns(std::int64_t at);
void ask_for_exact_timers();

// Measures from its construction to `stop`.
class Measurement {
 public:
  // `broker_pid` 0: without the broker's CPU.
  explicit Measurement(int broker_pid);

  // {seconds, broker_cpu_s, client_cpu_s, other_cpu_s}: CPU seconds, user + system, of all threads.
  // Other is what the rest of the machine did meanwhile; it grows with interference.
  nlohmann::json stop() const;

 private:
  struct Reading {
    std::int64_t at_ns = 0;
    double broker_s = 0;
    double client_s = 0;
    double machine_s = 0;
  };
  Reading read() const;

  bool with_broker_;
  clockid_t broker_clock_ = CLOCK_MONOTONIC;
  Reading start_;
};

}  // namespace bench
