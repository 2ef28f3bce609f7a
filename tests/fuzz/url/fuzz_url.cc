// URLs and the ids made of them: what has been normalised stays as it is, and one name gives one
// id.

#include <algorithm>
#include <vector>

#include "common/http/url.h"
#include "common/id/task_id.h"
#include "common/id/url.h"
#include "tests/fuzz/fuzz.h"

namespace dragonfly::fuzz {
namespace {

namespace http = common::http;
namespace id = common::id;

void TryRequestUrl(std::string_view text, std::string_view location) {
  const auto parts = http::ParseUrl(text);
  if (!parts.ok()) return;
  FUZZ_CHECK(parts->scheme == "http" || parts->scheme == "https");
  FUZZ_CHECK(!parts->host.empty() && parts->port != 0);
  FUZZ_CHECK(http::SameOrigin(*parts, *parts));
  const auto resolved = http::Resolve(text, location);
  if (!resolved.ok()) return;
  FUZZ_CHECK(resolved->find('#') == std::string::npos);
  const auto again = http::Resolve(text, *resolved);
  FUZZ_CHECK(again.ok() && *again == *resolved);
}

void TryNormalised(std::string_view text) {
  const auto url = id::Url::Parse(text);
  if (!url.ok()) return;
  const std::string written = url->ToString();
  const auto again = id::Url::Parse(written);
  FUZZ_CHECK(again.ok());
  FUZZ_CHECK(again->ToString() == written);
  FUZZ_CHECK(std::ranges::all_of(written, [](char c) { return c >= 0x20 && c < 0x7f; }));
}

void TryTaskId(std::string_view text, const std::vector<std::string>& filtered) {
  const auto canonical = id::CanonicalUrl(text, filtered);
  id::StandardTask task;
  task.url = std::string(text);
  task.filtered_query_params = filtered;
  const auto key = id::StandardTaskKey(task);
  FUZZ_CHECK(key.ok() == canonical.ok());
  if (!key.ok()) return;
  FUZZ_CHECK(id::IsTaskId(key->id));
  const auto again = id::CanonicalUrl(*canonical, filtered);
  FUZZ_CHECK(again.ok());
  FUZZ_CHECK(*again == *canonical);
  task.url = *canonical;
  const auto same = id::StandardTaskKey(task);
  FUZZ_CHECK(same.ok() && *same == *key);
}

void TryQuery(std::string_view query) {
  const std::vector<id::QueryPair> pairs = id::ParseQuery(query);
  const std::vector<id::QueryPair> again = id::ParseQuery(id::SerializeQuery(pairs));
  FUZZ_CHECK(std::ranges::equal(pairs, again, [](const auto& a, const auto& b) {
    return a.key == b.key && a.value == b.value;
  }));
}

}  // namespace
}  // namespace dragonfly::fuzz

// A URL, and in the second line the location of a redirect or a query.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace dragonfly::fuzz;
  const auto [url, second] = LinesOf(data, size);
  TryRequestUrl(url, second);
  TryNormalised(url);
  TryTaskId(url, {});
  TryTaskId(url, id::DefaultFilteredQueryParams());
  TryQuery(second);
  return 0;
}
