// The reference pages that are made from the code. After a change to a key or a metric:
//   DRAGONFLY_WRITE_REFERENCES=1 build/release/bin/unit_references

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include "common/config/schema.h"
#include "common/limit/limit_report.h"
#include "common/os/env.h"
#include "common/telemetry/metrics.h"
#include "common/trace/trace_metrics.h"
#include "dfdaemon/app/config_schema.h"
#include "dfdaemon/app/daemon_metrics.h"
#include "dfdaemon/upload/upload_metrics.h"
#include "manager/app/config.h"
#include "manager/cache/cache_metrics.h"
#include "manager/rest/open_api.h"
#include "manager/rest/rest_metrics.h"
#include "manager/rest/table.h"
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

// What is true of all routes, and where they differ from the original's.
constexpr const char* kRestPreface = R"(# REST API of the manager

Made from `manager/rest/table.cc`. The same as OpenAPI 3: `GET /swagger/doc.json`.

Paths, names and shapes are the original's. Where ours does something else, it says so here.

## Answers

Success is always 200, also for what was made; deletions, links and roles have no body. Every row has `id`, `created_at`,
`updated_at` and `is_del` (0). Times are RFC 3339 in UTC; one that nobody has set is `0001-01-01T00:00:00Z`. Lengths of time
are whole nanoseconds. `<`, `>` and `&` are escaped. A list without rows is `[]`, one of `clusters` is `null`.

| status | body | when |
|---|---|---|
| 422 | `{"errors": TEXT}` | a parameter, filter or field is wrong; names each with its value and rule |
| 400 | `{"message": "Bad Request"}` | a sign-in token without a usable `exp` |
| 401 | `{"message": "Unauthorized"}` | no credentials, or none that hold |
| 401 | `{"message": "permission deny"}` | known, and not allowed |
| 403 | `{"message": TEXT}` | a personal access token that is inactive, has expired or lacks the scope; a page of another origin |
| 404 | `{"message": "record not found"}` | |
| 404, 405 | `{"message": TEXT}` | no such route below `/api` and `/oapi` (the original redirects to `/`); elsewhere 301 to `/` |
| 409 | `{"message": "Conflict"}` | a name is taken |
| 409 | `{"message": TEXT}` | a row is still in use (the original: 500) |
| 413 | `{"message": TEXT}`, or plain text when the body was not read | a body of more than 1 MiB |
| 429 | `{"message": TEXT}` | too many attempts to sign in; `Retry-After` |
| 503 | `{"message": TEXT}` | busy, or the database is away; `Retry-After` |

`error` beside `message` has the detail. What goes wrong here is 500 and in the log only.

**Pages.** `page` (from 1) and `per_page` (10; at most 10,000,000). The header `Link` has `prev`, `next`, `first`, `last`; the
number of the last page is 0 when there are no rows. Filters are by equality; empty and 0 do not filter.

**PATCH** writes what is sent: a key with `false`, `0` or `""` is written, a key that is missing or `null` is not. (The original
takes the former for the latter, and a missing `is_default` for `false`.) An object or array is replaced whole. What must be
there in a creation cannot be emptied. Unknown keys are ignored.

**At most one cluster is the default**: making one the default ends it for the others.

## Signing in

`POST /api/v1/users/signin` answers a token and sets the cookie `jwt` (`HttpOnly`, `SameSite=Lax`, `Secure` over TLS). A token is
taken from the cookie, then from `Authorization: Bearer`, then from the query (`token`). What tokens, passwords, roles and
personal access tokens are is in [manager-auth.md](manager-auth.md).

* Signing out ends all sessions of the user, as a new password does; the original forgets the cookie only.
* A request that changes something and has a cookie must come from a page of the manager's own host, or of an origin on the
  list; so must signing in. No origin is allowed otherwise.
* Users see their own record and their own personal access tokens. `state` of a user is root's to change.
* A personal access token is shown by the call that makes it. Secrets of sign-in providers are never shown, nor are values of
  configurations with the name of a secret, but to root.
* Only root gives and changes the role `root`, and the last root keeps it.
* Changes are noted as audits with who, from where, what and the outcome; reading is not.

)";

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

TEST(References, KeysOfManagerYaml) {
  manager::app::Config config;
  ExpectPage("manager-config.md",
             "# manager.yaml\n\nMade from `manager/app/config.cc`; case does not count in keys. "
             "`manager --print-config` prints what is in force.\n\n" +
                 manager::app::MakeSchema(config, false).PrintMarkdown());
}

TEST(References, Metrics) {
  common::telemetry::Registry daemon;
  dfdaemon::app::DaemonMetrics daemon_metrics(daemon, "/");
  dfdaemon::app::AddTransportMetrics(daemon, {});  // is not scraped
  dfdaemon::upload::UploadMetrics upload_metrics(daemon);
  common::trace::TraceMetrics daemon_traces(daemon, "dragonfly_client");
  const common::os::Clock& clock = common::os::PosixEnv().clock();
  common::limit::LimitReport daemon_limits(daemon, "dragonfly_client", clock);
  common::telemetry::Registry scheduling;
  common::limit::LimitReport scheduler_limits(scheduling, "dragonfly_scheduler", clock);
  scheduler::service::SchedulerMetrics scheduler_metrics(scheduling);
  scheduler::app::AddShardMetrics(scheduling, {});  // is not scraped
  common::trace::TraceMetrics scheduler_traces(scheduling, "dragonfly_scheduler");
  common::telemetry::Registry managing;
  common::limit::LimitReport manager_limits(managing, "dragonfly_manager", clock);
  manager::service::ManagerMetrics manager_metrics(managing);
  manager::cache::CacheMetrics cache_metrics(managing);
  manager::rest::RestMetrics rest_metrics(managing);
  common::trace::TraceMetrics manager_traces(managing, "dragonfly_manager");
  ExpectPage(
      "metrics.md",
      "# Metrics\n\nServed as text at `/metrics`, with the process's CPU seconds, memory and "
      "descriptors (`process_*`).\nMade from the code; names and labels that the original "
      "has too mean the same.\n\n## dfdaemon\n\n" +
          daemon.PrintMarkdown() + "\n## scheduler\n\n" + scheduling.PrintMarkdown() +
          "\n## manager\n\n" + managing.PrintMarkdown());
}

TEST(References, RoutesOfTheManager) {
  ExpectPage("manager-rest.md", std::string(kRestPreface) +
                                    manager::rest::ReferencePage(manager::rest::MakeRoutes(false)));
}

}  // namespace
}  // namespace dragonfly
