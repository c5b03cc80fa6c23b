// The metrics of the process itself and of its reactors.
#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <memory>

#include "common/host/metrics.h"
#include "common/host/reactor.h"
#include "common/host/system_clock.h"

#ifndef MOLDAU_VERSION
#error "common/host/CMakeLists.txt defines MOLDAU_VERSION"
#endif

namespace host {
namespace {

double resident_bytes() {
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen("/proc/self/statm", "re"), &fclose);
  unsigned long total = 0;
  unsigned long resident = 0;
  if (file == nullptr || std::fscanf(file.get(), "%lu %lu", &total, &resident) != 2) return 0;
  return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double open_descriptors() {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir("/proc/self/fd"), &closedir);
  if (directory == nullptr) return 0;
  int count = -3;  // ".", ".." and this directory
  while (readdir(directory.get()) != nullptr) ++count;
  return count;
}

double descriptors_max() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<double>(limit.rlim_cur);
}

}  // namespace

void add_process_metrics(Metrics& metrics) {
  const double started = static_cast<double>(SystemClock().wall_ms()) / 1'000;
  metrics.gauge("process_resident_memory_bytes", "Memory of the process in RAM.", {},
                resident_bytes);
  metrics.counter("process_cpu_seconds_total", "User and system CPU time.", {}, cpu_seconds);
  metrics.gauge("process_open_fds", "Open file descriptors.", {}, open_descriptors);
  metrics.gauge("process_max_fds", "Limit of open file descriptors.", {}, descriptors_max);
  metrics.gauge("process_start_time_seconds", "When the process started, since 1970.", {},
                [started] { return started; });
  metrics.gauge("moldau_build_info", "1; its label says which release runs.",
                {{"version", MOLDAU_VERSION}}, [] { return 1.0; });
}

void add_reactor_metrics(Metrics& metrics, const Reactor& reactor) {
  const ReactorStats& stats = reactor.stats();
  // Adds up to their number.
  metrics.gauge("moldau_reactors", "Event loops, one thread each.", {}, [] { return 1.0; });
  metrics.gauge("moldau_connections", "Open client and peer connections.", {},
                [&reactor] { return static_cast<double>(reactor.connection_count()); });
  metrics.counter("moldau_connections_accepted_total", "Connections that were let in.", {},
                  stats.connections_accepted);
  metrics.counter("moldau_connections_refused_total",
                  "Connections closed at once because the limit was reached.", {},
                  stats.connections_refused);
  metrics.counter("moldau_connections_closed_total", "Connections that ended.", {},
                  stats.connections_closed);
  metrics.counter("moldau_accept_pauses_total",
                  "Times that accepting rested because no file descriptor was left.", {},
                  stats.accept_pauses);
  metrics.counter("moldau_network_received_bytes_total", "Bytes received.", {},
                  stats.bytes_received);
  metrics.counter("moldau_network_sent_bytes_total", "Bytes sent.", {}, stats.bytes_sent);
  metrics.counter("moldau_reactor_turns_total", "Turns of the event loops.", {}, stats.turns);
  metrics.counter("moldau_reactor_wakes_total", "Wakes of the event loops by other threads.", {},
                  stats.posts_from_outside);
  metrics.histogram("moldau_reactor_turn_seconds", "Time that one turn kept an event loop busy.",
                    {}, stats.turn_ns);
}

}  // namespace host
