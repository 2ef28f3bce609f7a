#include "manager/search/cluster_search.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/strings.h"

namespace dragonfly::manager::search {
namespace {

using common::net::IpAddress;
using common::net::IpPrefix;

constexpr int kCidrPoints = 150;
constexpr int kHostnamePoints = 150;
constexpr int kIdcPoints = 125;
constexpr int kLocationElementPoints = 14;
constexpr int kDefaultPoints = 5;
constexpr size_t kMaxLocationElements = 5;
constexpr char kSeparator = '|';

std::vector<std::string_view> Split(std::string_view text) {
  std::vector<std::string_view> elements;
  for (size_t at = 0;;) {
    const size_t end = text.find(kSeparator, at);
    elements.push_back(text.substr(at, end - at));
    if (end == std::string_view::npos) return elements;
    at = end + 1;
  }
}

std::vector<FoldedName> Folded(std::string_view text) {
  std::vector<FoldedName> names;
  if (text.empty()) return names;
  for (const std::string_view element : Split(text)) names.emplace_back(element);
  return names;
}

AddressSet Blocks(const std::vector<std::string>& cidrs, std::vector<Skipped>& skipped) {
  std::vector<IpPrefix> blocks;
  for (size_t i = 0; i < cidrs.size(); ++i) {
    const auto block = ParseCidr(cidrs[i]);
    if (block.ok()) {
      blocks.push_back(*block);
    } else {
      skipped.push_back({absl::StrCat("scopes.cidrs[", i, "]"), cidrs[i].substr(0, 128),
                         std::string(common::status::MessageOf(block.status()))});
    }
  }
  return AddressSet(blocks);
}

std::optional<IpAddress> AddressOf(const Caller& caller) {
  const auto address = IpAddress::Parse(caller.ip);
  if (!address.ok()) return std::nullopt;
  return Unmapped(*address);
}

}  // namespace

ClusterScopes::ClusterScopes(uint64_t cluster_id, bool is_default, const Scopes& scopes,
                             std::vector<Skipped>& skipped)
    : cluster_id_(cluster_id),
      is_default_(is_default),
      blocks_(Blocks(scopes.cidrs, skipped)),
      hostnames_(scopes.hostnames, skipped),
      idcs_(Folded(scopes.idc)),
      location_path_(Folded(scopes.location)) {
  if (idcs_.size() > 1) idcs_.emplace_back(scopes.idc);
}

int ClusterScopes::IdcPoints(std::string_view idc) const {
  if (idc.empty()) return 0;
  const bool matches = std::any_of(idcs_.begin(), idcs_.end(),
                                   [idc](const FoldedName& name) { return name.Equals(idc); });
  return matches ? kIdcPoints : 0;
}

int ClusterScopes::LocationPoints(std::string_view location) const {
  if (location.empty() || location_path_.empty()) return 0;
  const std::vector<std::string_view> path = Split(location);
  const size_t common_length = std::min(path.size(), location_path_.size());
  size_t equal = 0;
  while (equal < common_length && location_path_[equal].Equals(path[equal])) ++equal;
  if (equal == path.size() && equal == location_path_.size()) equal = kMaxLocationElements;
  return static_cast<int>(std::min(equal, kMaxLocationElements)) * kLocationElementPoints;
}

Affinity ClusterScopes::AffinityTo(const Caller& caller,
                                   const std::optional<IpAddress>& address) const {
  Affinity affinity;
  affinity.cidr = address && blocks_.Contains(*address) ? kCidrPoints : 0;
  affinity.hostname = hostnames_.Match(caller.hostname) ? kHostnamePoints : 0;
  affinity.idc = IdcPoints(caller.idc);
  affinity.location = LocationPoints(caller.location);
  affinity.default_cluster = is_default_ ? kDefaultPoints : 0;
  return affinity;
}

std::vector<RankedCluster> RankClusters(
    const Caller& caller, std::span<const std::shared_ptr<const ClusterScopes>> clusters) {
  const std::optional<IpAddress> address = AddressOf(caller);
  std::vector<RankedCluster> ranked;
  ranked.reserve(clusters.size());
  for (size_t i = 0; i < clusters.size(); ++i) {
    ranked.push_back({clusters[i]->cluster_id(), i, clusters[i]->AffinityTo(caller, address)});
  }
  std::sort(ranked.begin(), ranked.end(), [](const RankedCluster& a, const RankedCluster& b) {
    return std::make_tuple(-a.affinity.points(), a.cluster_id, a.index) <
           std::make_tuple(-b.affinity.points(), b.cluster_id, b.index);
  });
  return ranked;
}

}  // namespace dragonfly::manager::search
