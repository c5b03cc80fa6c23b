// What /metrics shows: a registry of counters, histograms and gauges that others own and write.
// Sources with the same name and labels (one per reactor) are added up when scraped. Writers pay
// one relaxed store; nothing is collected until somebody asks. Text format by prometheus-cpp.
//
// Names: moldau_<what>_<unit>[_total], base units (seconds, bytes), one help text per name.
// Thread-safe. Callbacks run on the scraping thread: they read atomics or ask() a reactor.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/base/histogram.h"

namespace host {

class Metrics {
 public:
  using Labels = std::vector<std::pair<std::string, std::string>>;
  using Value = std::function<double()>;

  Metrics();
  ~Metrics();

  // Sources outlive the registry.
  void counter(const std::string& name, const std::string& help, Labels labels,
               const base::Counter& source);
  void counter(const std::string& name, const std::string& help, Labels labels, Value source);
  void gauge(const std::string& name, const std::string& help, Labels labels, Value source);
  // `source` counts nanoseconds and is shown in seconds, in buckets of powers of two.
  void histogram(const std::string& name, const std::string& help, Labels labels,
                 const base::Histogram& source);

  // A family whose label values come and go (topics, partitions): `collect` calls `emit` for each.
  using Emit = std::function<void(Labels, double)>;
  void gauges(const std::string& name, const std::string& help,
              std::function<void(const Emit&)> collect);
  void counters(const std::string& name, const std::string& help,
                std::function<void(const Emit&)> collect);

  // The whole page, text format 0.0.4.
  std::string text() const;

 private:
  class Page;
  std::unique_ptr<Page> page_;
};

// process_resident_memory_bytes, process_cpu_seconds_total, process_open_fds, process_max_fds,
// process_start_time_seconds, moldau_build_info{version}.
void add_process_metrics(Metrics& metrics);
// moldau_reactor_* of one reactor.
class Reactor;
void add_reactor_metrics(Metrics& metrics, const Reactor& reactor);

}  // namespace host
