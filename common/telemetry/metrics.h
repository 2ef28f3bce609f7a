#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace dragonfly::common::telemetry {

// Metrics in the exposition format of Prometheus, without its headers. Names and labels are
// upstream's, so that dashboards keep working (docs/reference/metrics.md).
//
// A family has a bounded number of label sets (label values may come from users): what is beyond it
// is counted under the value "other" for every label.
//
// Threading: everything from any thread. Families and what With returns live as long as the
// Registry.

class Counter {
 public:
  virtual ~Counter() = default;
  virtual void Add(double amount = 1) = 0;  // not negative
  virtual double Value() const = 0;
};

class Gauge {
 public:
  virtual ~Gauge() = default;
  virtual void Set(double value) = 0;
  virtual void Add(double amount) = 0;
};

// A histogram or a summary.
class Distribution {
 public:
  virtual ~Distribution() = default;
  virtual void Observe(double value) = 0;
};

template <typename T>
class Family {
 public:
  virtual ~Family() = default;
  // `values` in the order of the label names; as many as there are names.
  virtual T& With(const std::vector<std::string>& values) = 0;
};

struct FamilyOptions {
  std::string name;
  std::string help;
  std::vector<std::string> labels = {};
  size_t max_label_sets = 500;
};

class Registry {
 public:
  Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;
  ~Registry();

  // Each name once.
  Family<Counter>& AddCounter(FamilyOptions options);
  Family<Gauge>& AddGauge(FamilyOptions options);
  // `buckets`: upper bounds, ascending.
  Family<Distribution>& AddHistogram(FamilyOptions options, std::vector<double> buckets);
  // Quantiles 0.5, 0.9, 0.95 and 0.99 of the last minutes.
  Family<Distribution>& AddSummary(FamilyOptions options);

  // Without labels.
  Counter& AddPlainCounter(std::string name, std::string help);
  Gauge& AddPlainGauge(std::string name, std::string help);

  // Called before each Scrape, to bring gauges up to date.
  void OnScrape(std::function<void()> update);
  // The whole page: families, and the process's CPU seconds, memory and descriptors.
  std::string Scrape() const;
  // The reference page: name, type, labels and meaning of every family, by name.
  std::string PrintMarkdown() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// 1 ms, 2 ms, 4 ms, ... as upstream's histograms have them: first * factor^i, `count` of them.
std::vector<double> ExponentialBuckets(double first, double factor, size_t count);

}  // namespace dragonfly::common::telemetry
