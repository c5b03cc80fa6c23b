#include "common/host/metrics.h"

#include <prometheus/check_names.h>
#include <prometheus/collectable.h>
#include <prometheus/text_serializer.h>

#include <cmath>
#include <limits>
#include <map>
#include <mutex>
#include <sstream>

#include "common/base/check.h"

namespace host {
namespace {

// Bounds that are shown: 2^14 ns (16 us) to 2^35 ns (34 s). Each is a bound of the histogram too.
constexpr unsigned kFirstShown = 14;
constexpr unsigned kLastShown = 35;

struct Source {
  Metrics::Labels labels;
  Metrics::Value value;  // counters, gauges
  const base::Histogram* histogram = nullptr;
};

struct Family {
  std::string help;
  prometheus::MetricType type = prometheus::MetricType::Untyped;
  std::vector<Source> sources;
  std::vector<std::function<void(const Metrics::Emit&)>> collectors;
};

prometheus::ClientMetric labelled(const Metrics::Labels& labels) {
  prometheus::ClientMetric metric;
  for (const auto& [name, value] : labels) metric.label.push_back({name, value});
  return metric;
}

prometheus::ClientMetric::Histogram shown(const base::HistogramSnapshot& snapshot) {
  prometheus::ClientMetric::Histogram out;
  out.sample_count = snapshot.count;
  out.sample_sum = static_cast<double>(snapshot.sum) * 1e-9;
  std::size_t index = 0;
  std::uint64_t below = 0;
  for (unsigned bit = kFirstShown; bit <= kLastShown; ++bit) {
    while (index < snapshot.buckets.size() && base::Histogram::last_of(index) < (1ULL << bit)) {
      below += snapshot.buckets[index++];
    }
    out.bucket.push_back({below, std::ldexp(1e-9, static_cast<int>(bit))});
  }
  out.bucket.push_back({snapshot.count, std::numeric_limits<double>::infinity()});
  return out;
}

prometheus::MetricFamily collect(const std::string& name, const Family& family) {
  std::map<Metrics::Labels, double> values;
  std::map<Metrics::Labels, base::HistogramSnapshot> histograms;
  for (const Source& source : family.sources) {
    if (source.histogram != nullptr) {
      histograms[source.labels] += source.histogram->snapshot();
    } else {
      values[source.labels] += source.value();
    }
  }
  for (const auto& collector : family.collectors) {
    collector([&](Metrics::Labels labels, double value) { values[std::move(labels)] += value; });
  }
  prometheus::MetricFamily out{name, family.help, family.type, {}};
  for (const auto& [labels, value] : values) {
    out.metric.push_back(labelled(labels));
    if (family.type == prometheus::MetricType::Counter) {
      out.metric.back().counter.value = value;
    } else {
      out.metric.back().gauge.value = value;
    }
  }
  for (const auto& [labels, snapshot] : histograms) {
    out.metric.push_back(labelled(labels));
    out.metric.back().histogram = shown(snapshot);
  }
  return out;
}

}  // namespace

class Metrics::Page final : public prometheus::Collectable {
 public:
  void add(const std::string& name, const std::string& help, prometheus::MetricType type,
           Source source) {
    const std::lock_guard lock(mutex_);
    family(name, help, type).sources.push_back(std::move(source));
  }
  void add(const std::string& name, const std::string& help, prometheus::MetricType type,
           std::function<void(const Emit&)> collector) {
    const std::lock_guard lock(mutex_);
    family(name, help, type).collectors.push_back(std::move(collector));
  }

  std::vector<prometheus::MetricFamily> Collect() const override {
    const std::lock_guard lock(mutex_);
    std::vector<prometheus::MetricFamily> out;
    for (const auto& [name, family] : families_) out.push_back(collect(name, family));
    return out;
  }

 private:
  Family& family(const std::string& name, const std::string& help, prometheus::MetricType type) {
    CHECK(prometheus::CheckMetricName(name));
    const auto [at, is_new] = families_.try_emplace(name, Family{help, type, {}, {}});
    CHECK(at->second.help == help);
    CHECK(at->second.type == type);
    return at->second;
  }

  mutable std::mutex mutex_;
  std::map<std::string, Family> families_;
};

Metrics::Metrics() : page_(std::make_unique<Page>()) {}
Metrics::~Metrics() = default;

void Metrics::counter(const std::string& name, const std::string& help, Labels labels,
                      const base::Counter& source) {
  counter(name, help, std::move(labels), [&source] { return static_cast<double>(source.value()); });
}
void Metrics::counter(const std::string& name, const std::string& help, Labels labels,
                      Value source) {
  page_->add(name, help, prometheus::MetricType::Counter,
             Source{std::move(labels), std::move(source)});
}
void Metrics::gauge(const std::string& name, const std::string& help, Labels labels, Value source) {
  page_->add(name, help, prometheus::MetricType::Gauge,
             Source{std::move(labels), std::move(source)});
}
void Metrics::histogram(const std::string& name, const std::string& help, Labels labels,
                        const base::Histogram& source) {
  page_->add(name, help, prometheus::MetricType::Histogram,
             Source{std::move(labels), nullptr, &source});
}
void Metrics::gauges(const std::string& name, const std::string& help,
                     std::function<void(const Emit&)> collector) {
  page_->add(name, help, prometheus::MetricType::Gauge, std::move(collector));
}
void Metrics::counters(const std::string& name, const std::string& help,
                       std::function<void(const Emit&)> collector) {
  page_->add(name, help, prometheus::MetricType::Counter, std::move(collector));
}

std::string Metrics::text() const {
  std::ostringstream out;
  prometheus::TextSerializer().Serialize(out, page_->Collect());
  return std::move(out).str();
}

}  // namespace host
