// The scopes of a scheduler cluster: any text is read, what was read is written and read as the
// same, and no cluster gets more points than there are.

#include <memory>
#include <vector>

#include "manager/search/cluster_search.h"
#include "manager/search/scopes.h"
#include "tests/fuzz/fuzz.h"

namespace dragonfly::fuzz {
namespace {

namespace search = manager::search;
using ClusterPointer = std::shared_ptr<const search::ClusterScopes>;

constexpr int kAllPoints = 500;

ClusterPointer MakeCluster(uint64_t id, const search::Scopes& scopes) {
  std::vector<search::Skipped> skipped;
  auto cluster = std::make_shared<const search::ClusterScopes>(id, id == 1, scopes, skipped);
  for (const search::Skipped& one : skipped) {
    FUZZ_CHECK(!one.field.empty() && !one.why.empty());
    FUZZ_CHECK(one.value.size() <= 128);
  }
  return cluster;
}

search::Scopes ReadAgain(std::string_view text) {
  std::vector<search::Skipped> skipped;
  const search::Scopes scopes = search::ReadScopes(text, skipped);
  for (const search::Skipped& one : skipped) FUZZ_CHECK(one.value.size() <= 128);
  const std::string written = search::ScopesJson(scopes);
  std::vector<search::Skipped> none;
  FUZZ_CHECK(search::ReadScopes(written, none) == scopes);
  FUZZ_CHECK(none.empty());
  return scopes;
}

void TryRank(const search::Scopes& scopes, const search::Caller& caller) {
  const std::vector<ClusterPointer> clusters = {MakeCluster(1, {}), MakeCluster(2, scopes),
                                                MakeCluster(3, scopes)};
  const auto ranked = search::RankClusters(caller, clusters);
  FUZZ_CHECK(ranked.size() == clusters.size());
  for (size_t i = 0; i < ranked.size(); ++i) {
    FUZZ_CHECK(ranked[i].affinity.points() >= 0 && ranked[i].affinity.points() <= kAllPoints);
    FUZZ_CHECK(clusters[ranked[i].index]->cluster_id() == ranked[i].cluster_id);
    if (i == 0) continue;
    const int before = ranked[i - 1].affinity.points();
    FUZZ_CHECK(
        before > ranked[i].affinity.points() ||
        (before == ranked[i].affinity.points() && ranked[i - 1].cluster_id < ranked[i].cluster_id));
  }
}

}  // namespace
}  // namespace dragonfly::fuzz

// Lines: address, host name, IDC, location of the caller; the rest is the scopes.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace dragonfly::fuzz;
  std::string_view rest = TextOf(data, size);
  const auto line = [&rest] {
    const size_t end = std::min(rest.find('\n'), rest.size());
    std::string text(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return text;
  };
  search::Caller caller;
  caller.ip = line();
  caller.hostname = line();
  caller.idc = line();
  caller.location = line();
  TryRank(ReadAgain(rest), caller);
  return 0;
}
