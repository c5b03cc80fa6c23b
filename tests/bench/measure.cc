#include "tests/bench/measure.h"

#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <string>

#include "tests/bench/client.h"

namespace bench {
namespace {

constexpr std::int64_t kNsPerSecond = 1'000'000'000;

std::int64_t read_clock_ns(clockid_t clock) {
  timespec now{};
  if (clock_gettime(clock, &now) != 0) fail("cannot read a clock: is the broker gone?");
  return now.tv_sec * kNsPerSecond + now.tv_nsec;
}

double seconds_of(clockid_t clock) { return static_cast<double>(read_clock_ns(clock)) / 1e9; }

// Busy seconds of all CPUs: everything in the first line of /proc/stat but idle and iowait.
double machine_busy_s() {
  std::ifstream file("/proc/stat");
  std::string name;
  file >> name;
  double ticks = 0;
  double value = 0;
  for (int field = 0; field < 8 && file >> value; ++field) {
    const bool idle = field == 3 || field == 4;
    if (!idle) ticks += value;
  }
  return ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
}

}  // namespace

std::int64_t monotonic_ns() { return read_clock_ns(CLOCK_MONOTONIC); }

void sleep_until_ns(std::int64_t at) {
  const timespec until{.tv_sec = at / kNsPerSecond, .tv_nsec = at % kNsPerSecond};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr) == EINTR) {
  }
}

void ask_for_exact_timers() { prctl(PR_SET_TIMERSLACK, 1UL); }

Measurement::Measurement(int broker_pid) : with_broker_(broker_pid != 0) {
  // The CPU clock of a process counts what utime + stime of /proc/PID/stat count, in nanoseconds
  // instead of ticks, of all its threads, ended ones too.
  if (with_broker_ && clock_getcpuclockid(broker_pid, &broker_clock_) != 0) {
    fail("no process " + std::to_string(broker_pid));
  }
  start_ = read();
}

Measurement::Reading Measurement::read() const {
  return {.at_ns = monotonic_ns(),
          .broker_s = with_broker_ ? seconds_of(broker_clock_) : 0,
          .client_s = seconds_of(CLOCK_PROCESS_CPUTIME_ID),
          .machine_s = machine_busy_s()};
}

nlohmann::json Measurement::stop() const {
  const Reading end = read();
  const double broker_s = end.broker_s - start_.broker_s;
  const double client_s = end.client_s - start_.client_s;
  return {{"seconds", static_cast<double>(end.at_ns - start_.at_ns) / 1e9},
          {"broker_cpu_s", broker_s},
          {"client_cpu_s", client_s},
          {"other_cpu_s", end.machine_s - start_.machine_s - broker_s - client_s}};
}

}  // namespace bench
