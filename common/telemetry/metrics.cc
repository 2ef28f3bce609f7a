#include "common/telemetry/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/summary.h>
#include <prometheus/text_serializer.h>

#include <map>
#include <mutex>
#include <sstream>
#include <utility>

#include "common/telemetry/process_metrics.h"

namespace dragonfly::common::telemetry {
namespace {

struct CounterOver final : Counter {
  explicit CounterOver(prometheus::Counter& counter) : counter_(counter) {}
  void Add(double amount) override { counter_.Increment(amount); }
  double Value() const override { return counter_.Value(); }
  prometheus::Counter& counter_;
};

struct GaugeOver final : Gauge {
  explicit GaugeOver(prometheus::Gauge& gauge) : gauge_(gauge) {}
  void Set(double value) override { gauge_.Set(value); }
  void Add(double amount) override { gauge_.Increment(amount); }
  prometheus::Gauge& gauge_;
};

template <typename Native>
struct DistributionOver final : Distribution {
  explicit DistributionOver(Native& native) : native_(native) {}
  void Observe(double value) override { native_.Observe(value); }
  Native& native_;
};

// Native: prometheus::Counter and friends; Over: the adapter above; `make` adds a label set to the
// family.
template <typename Facade, typename Native, typename Over>
class FamilyOver final : public Family<Facade> {
 public:
  using Make = std::function<Native&(prometheus::Family<Native>&, const prometheus::Labels&)>;

  FamilyOver(prometheus::Family<Native>& family, FamilyOptions options, Make make)
      : family_(family), options_(std::move(options)), make_(std::move(make)) {}

  Facade& With(const std::vector<std::string>& values) override {
    std::lock_guard lock(mutex_);
    const auto found = children_.find(values);
    if (found != children_.end()) return *found->second;
    if (children_.size() < options_.max_label_sets) return Create(values);
    const std::vector<std::string> other(options_.labels.size(), "other");
    const auto overflow = children_.find(other);
    return overflow != children_.end() ? *overflow->second : Create(other);
  }

 private:
  Facade& Create(const std::vector<std::string>& values) {
    prometheus::Labels labels;
    for (size_t i = 0; i < options_.labels.size() && i < values.size(); ++i) {
      labels.emplace(options_.labels[i], values[i]);
    }
    auto child = std::make_unique<Over>(make_(family_, labels));
    return *children_.emplace(values, std::move(child)).first->second;
  }

  prometheus::Family<Native>& family_;
  const FamilyOptions options_;
  const Make make_;
  std::mutex mutex_;  // guards children_
  std::map<std::vector<std::string>, std::unique_ptr<Facade>> children_;
};

using CounterFamily = FamilyOver<Counter, prometheus::Counter, CounterOver>;
using GaugeFamily = FamilyOver<Gauge, prometheus::Gauge, GaugeOver>;
using HistogramFamily =
    FamilyOver<Distribution, prometheus::Histogram, DistributionOver<prometheus::Histogram>>;
using SummaryFamily =
    FamilyOver<Distribution, prometheus::Summary, DistributionOver<prometheus::Summary>>;

}  // namespace

struct Registry::Impl {
  prometheus::Registry native;
  // With the mutex held.
  void Note(const FamilyOptions& options, const char* type) {
    std::string labels;
    for (const std::string& label : options.labels) {
      labels += (labels.empty() ? "`" : ", `") + label + "`";
    }
    pages[options.name] = "| `" + options.name + "` | " + type + " | " +
                          (labels.empty() ? "-" : labels) + " | " + options.help + " |\n";
  }

  mutable std::mutex mutex;                  // guards what follows
  std::map<std::string, std::string> pages;  // name -> its line of the reference page
  std::vector<std::unique_ptr<Family<Counter>>> counters;
  std::vector<std::unique_ptr<Family<Gauge>>> gauges;
  std::vector<std::unique_ptr<Family<Distribution>>> distributions;
  std::vector<std::function<void()>> updates;
};

Registry::Registry() : impl_(std::make_unique<Impl>()) {}
Registry::~Registry() = default;

Family<Counter>& Registry::AddCounter(FamilyOptions options) {
  auto& native =
      prometheus::BuildCounter().Name(options.name).Help(options.help).Register(impl_->native);
  std::lock_guard lock(impl_->mutex);
  impl_->Note(options, "counter");
  impl_->counters.push_back(std::make_unique<CounterFamily>(
      native, std::move(options),
      [](auto& family, const auto& labels) -> prometheus::Counter& { return family.Add(labels); }));
  return *impl_->counters.back();
}

Family<Gauge>& Registry::AddGauge(FamilyOptions options) {
  auto& native =
      prometheus::BuildGauge().Name(options.name).Help(options.help).Register(impl_->native);
  std::lock_guard lock(impl_->mutex);
  impl_->Note(options, "gauge");
  impl_->gauges.push_back(std::make_unique<GaugeFamily>(
      native, std::move(options),
      [](auto& family, const auto& labels) -> prometheus::Gauge& { return family.Add(labels); }));
  return *impl_->gauges.back();
}

Family<Distribution>& Registry::AddHistogram(FamilyOptions options, std::vector<double> buckets) {
  auto& native =
      prometheus::BuildHistogram().Name(options.name).Help(options.help).Register(impl_->native);
  std::lock_guard lock(impl_->mutex);
  impl_->Note(options, "histogram");
  impl_->distributions.push_back(std::make_unique<HistogramFamily>(
      native, std::move(options),
      [buckets = std::move(buckets)](auto& family, const auto& labels) -> prometheus::Histogram& {
        return family.Add(labels, buckets);
      }));
  return *impl_->distributions.back();
}

Family<Distribution>& Registry::AddSummary(FamilyOptions options) {
  auto& native =
      prometheus::BuildSummary().Name(options.name).Help(options.help).Register(impl_->native);
  std::lock_guard lock(impl_->mutex);
  impl_->Note(options, "summary");
  impl_->distributions.push_back(std::make_unique<SummaryFamily>(
      native, std::move(options), [](auto& family, const auto& labels) -> prometheus::Summary& {
        return family.Add(labels, prometheus::Summary::Quantiles{
                                      {0.5, 0.05}, {0.9, 0.01}, {0.95, 0.005}, {0.99, 0.001}});
      }));
  return *impl_->distributions.back();
}

Counter& Registry::AddPlainCounter(std::string name, std::string help) {
  return AddCounter({std::move(name), std::move(help)}).With({});
}

Gauge& Registry::AddPlainGauge(std::string name, std::string help) {
  return AddGauge({std::move(name), std::move(help)}).With({});
}

void Registry::OnScrape(std::function<void()> update) {
  std::lock_guard lock(impl_->mutex);
  impl_->updates.push_back(std::move(update));
}

std::string Registry::Scrape() const {
  std::vector<std::function<void()>> updates;
  {
    std::lock_guard lock(impl_->mutex);
    updates = impl_->updates;
  }
  for (const std::function<void()>& update : updates) update();
  return prometheus::TextSerializer().Serialize(impl_->native.Collect()) + ProcessMetricsText();
}

std::string Registry::PrintMarkdown() const {
  std::string out = "| name | type | labels | meaning |\n|---|---|---|---|\n";
  std::lock_guard lock(impl_->mutex);
  for (const auto& [name, line] : impl_->pages) out += line;
  return out;
}

std::vector<double> ExponentialBuckets(double first, double factor, size_t count) {
  std::vector<double> buckets;
  for (size_t i = 0; i < count; ++i, first *= factor) buckets.push_back(first);
  return buckets;
}

}  // namespace dragonfly::common::telemetry
