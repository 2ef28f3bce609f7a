#include <gtest/gtest.h>

#include <string>

#include "common/telemetry/metrics.h"
#include "common/telemetry/process_metrics.h"

namespace dragonfly::common::telemetry {
namespace {

TEST(Registry, PrintsFamiliesWithLabels) {
  Registry registry;
  registry.AddCounter({"traffic", "bytes", {"type"}}).With({"REMOTE_PEER"}).Add(3);
  registry.AddPlainGauge("running", "now").Set(2);
  registry.AddHistogram({"took", "ms", {}}, ExponentialBuckets(1, 2, 3)).With({}).Observe(3);
  registry.AddSummary({"quantiles", "ms", {}}).With({}).Observe(5);
  const std::string page = registry.Scrape();
  EXPECT_NE(page.find("traffic{type=\"REMOTE_PEER\"} 3"), std::string::npos) << page;
  EXPECT_NE(page.find("running 2"), std::string::npos);
  EXPECT_NE(page.find("took_bucket{le=\"4\"} 1"), std::string::npos);
  EXPECT_NE(page.find("quantiles{quantile=\"0.99\"} 5"), std::string::npos);
  EXPECT_NE(page.find("process_cpu_seconds_total "), std::string::npos);
}

TEST(Registry, Sec_D43_LabelSetsAreBounded) {
  Registry registry;
  Family<Counter>& family = registry.AddCounter({"tags", "by tag", {"tag"}, 3});
  for (int i = 0; i < 100; ++i) family.With({"tag-" + std::to_string(i)}).Add();
  const std::string page = registry.Scrape();
  EXPECT_NE(page.find("tags{tag=\"other\"} 97"), std::string::npos) << page;
  EXPECT_EQ(page.find("tag-50"), std::string::npos);
}

TEST(Registry, ScrapeBringsGaugesUpToDate) {
  Registry registry;
  Gauge& gauge = registry.AddPlainGauge("disk", "bytes");
  registry.OnScrape([&gauge] { gauge.Set(7); });
  EXPECT_NE(registry.Scrape().find("disk 7"), std::string::npos);
}

TEST(ProcessUsage, KnowsThisProcess) {
  const ProcessUsage usage = ReadProcessUsage();
  EXPECT_GT(usage.resident_bytes, 1U << 20U);
  EXPECT_GE(usage.peak_resident_bytes, usage.resident_bytes);
  EXPECT_GE(usage.open_descriptors, 3U);
  EXPECT_GE(usage.threads, 1U);
}

}  // namespace
}  // namespace dragonfly::common::telemetry
