// The reference pages that are made from the code. After a change to a key or a metric:
//   DRAGONFLY_WRITE_REFERENCES=1 build/release/bin/unit_references

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include "common/config/schema.h"
#include "common/telemetry/metrics.h"
#include "common/trace/trace_metrics.h"
#include "dfdaemon/app/config_schema.h"
#include "dfdaemon/app/daemon_metrics.h"
#include "dfdaemon/upload/upload_metrics.h"
#include "manager/cache/cache_metrics.h"
#include "manager/service/manager_metrics.h"
#include "scheduler/app/config.h"
#include "scheduler/app/shard_metrics.h"
#include "scheduler/service/scheduler_metrics.h"

namespace dragonfly {
namespace {

// The page in docs/reference is `text`; written when asked to.
void ExpectPage(const std::string& name, const std::string& text) {
  const char* root = std::getenv("DRAGONFLY_SOURCE_DIR");
  const std::string path = std::string(root == nullptr ? "." : root) + "/docs/reference/" + name;
  if (std::getenv("DRAGONFLY_WRITE_REFERENCES") != nullptr) {
    std::ofstream out(path, std::ios::binary);
    ASSERT_TRUE(out << text) << path;
    return;
  }
  std::ifstream in(path, std::ios::binary);
  ASSERT_TRUE(in) << path << " is missing";
  std::stringstream page;
  page << in.rdbuf();
  EXPECT_EQ(page.str(), text) << path
                              << " is out of date: DRAGONFLY_WRITE_REFERENCES=1 unit_references";
}

TEST(References, KeysOfDfdaemonYaml) {
  dfdaemon::app::Config config;
  ExpectPage("dfdaemon-config.md",
             "# dfdaemon.yaml\n\nMade from `dfdaemon/app/config_schema.cc`. `dfdaemon "
             "--print-config` prints what is in force.\n\n" +
                 dfdaemon::app::MakeSchema(config, {}).PrintMarkdown());
}

TEST(References, KeysOfSchedulerYaml) {
  scheduler::app::Config config;
  ExpectPage(
      "scheduler-config.md",
      "# scheduler.yaml\n\nMade from `scheduler/app/config.cc`; case does not count in keys. "
      "`scheduler --print-config` prints what is in force.\n\n" +
          scheduler::app::MakeSchema(config, false).PrintMarkdown());
}

TEST(References, Metrics) {
  common::telemetry::Registry daemon;
  dfdaemon::app::DaemonMetrics daemon_metrics(daemon, "/");
  dfdaemon::app::AddTransportMetrics(daemon, {});  // is not scraped
  dfdaemon::upload::UploadMetrics upload_metrics(daemon);
  common::trace::TraceMetrics daemon_traces(daemon, "dragonfly_client");
  common::telemetry::Registry scheduling;
  scheduler::service::SchedulerMetrics scheduler_metrics(scheduling);
  scheduler::app::AddShardMetrics(scheduling, {});  // is not scraped
  common::trace::TraceMetrics scheduler_traces(scheduling, "dragonfly_scheduler");
  common::telemetry::Registry managing;
  manager::service::ManagerMetrics manager_metrics(managing);
  manager::cache::CacheMetrics cache_metrics(managing);
  common::trace::TraceMetrics manager_traces(managing, "dragonfly_manager");
  ExpectPage(
      "metrics.md",
      "# Metrics\n\nServed as text at `/metrics`, with the process's CPU seconds, memory and "
      "descriptors (`process_*`).\nMade from the code; names and labels that the original "
      "has too mean the same.\n\n## dfdaemon\n\n" +
          daemon.PrintMarkdown() + "\n## scheduler\n\n" + scheduling.PrintMarkdown() +
          "\n## manager\n\n" + managing.PrintMarkdown());
}

}  // namespace
}  // namespace dragonfly
