#include "manager/search/cluster_search.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string>
#include <vector>

namespace dragonfly::manager::search {
namespace {

using Clusters = std::vector<std::shared_ptr<const ClusterScopes>>;

std::shared_ptr<const ClusterScopes> Cluster(uint64_t id, const Scopes& scopes,
                                             bool is_default = false) {
  std::vector<Skipped> skipped;
  return std::make_shared<const ClusterScopes>(id, is_default, scopes, skipped);
}

Affinity AffinityOf(const Caller& caller, const Scopes& scopes, bool is_default = false) {
  const Clusters clusters = {Cluster(1, scopes, is_default)};
  return RankClusters(caller, clusters).front().affinity;
}

struct Row {
  const char* name;
  Caller caller;
  Scopes scopes;
  bool is_default;
  double score;
};

// docs/reference/cluster-search.md as rows.
const Row kRows[] = {
    {"nothing said", {}, {}, false, 0},
    {"default only", {}, {}, true, 0.01},
    {"everything",
     {"10.1.2.3", "web-1", "east", "a|b|c|d|e"},
     {"east", "a|b|c|d|e", {"10.0.0.0/8"}, {"^web"}},
     true,
     1.0},
    {"cidr", {"10.1.2.3", "", "", ""}, {"", "", {"10.0.0.0/8"}, {}}, false, 0.30},
    {"second cidr",
     {"10.1.2.3", "", "", ""},
     {"", "", {"192.0.2.0/24", "10.0.0.0/8"}, {}},
     false,
     0.30},
    {"outside", {"11.1.2.3", "", "", ""}, {"", "", {"10.0.0.0/8"}, {}}, false, 0},
    {"first of block", {"10.0.0.0", "", "", ""}, {"", "", {"10.0.0.0/8"}, {}}, false, 0.30},
    {"last of block", {"10.255.255.255", "", "", ""}, {"", "", {"10.0.0.0/8"}, {}}, false, 0.30},
    {"host bits do not count", {"10.9.9.9", "", "", ""}, {"", "", {"10.1.2.3/8"}, {}}, false, 0.30},
    {"all of v4", {"203.0.113.1", "", "", ""}, {"", "", {"0.0.0.0/0"}, {}}, false, 0.30},
    {"all of v4 is not v6", {"2001:db8::1", "", "", ""}, {"", "", {"0.0.0.0/0"}, {}}, false, 0},
    {"v6", {"fd00::1", "", "", ""}, {"", "", {"fd00::/8"}, {}}, false, 0.30},
    {"mapped caller", {"::ffff:10.1.2.3", "", "", ""}, {"", "", {"10.0.0.0/8"}, {}}, false, 0.30},
    {"mapped block", {"10.1.2.3", "", "", ""}, {"", "", {"::ffff:10.0.0.0/104"}, {}}, false, 0.30},
    {"mapped caller is not v6", {"::ffff:10.1.2.3", "", "", ""}, {"", "", {"::/0"}, {}}, false, 0},
    {"zone is in no block", {"fe80::1%1", "", "", ""}, {"", "", {"fe80::/10"}, {}}, false, 0},
    {"no address", {"10.1.2", "", "", ""}, {"", "", {"0.0.0.0/0", "::/0"}, {}}, false, 0},
    {"bare address is no block", {"10.1.2.3", "", "", ""}, {"", "", {"10.1.2.3"}, {}}, false, 0},
    {"bad block before a good one",
     {"10.1.2.3", "", "", ""},
     {"", "", {"10.0.0.0/33", "10.0.0.0/8"}, {}},
     false,
     0.30},
    {"hostname is searched", {"", "my-web-1", "", ""}, {"", "", {}, {"web-[0-9]"}}, false, 0.30},
    {"hostname anchored", {"", "my-web-1", "", ""}, {"", "", {}, {"^web"}}, false, 0},
    {"hostname case counts", {"", "WEB-1", "", ""}, {"", "", {}, {"web"}}, false, 0},
    {"hostname own flag", {"", "WEB-1", "", ""}, {"", "", {}, {"(?i)web"}}, false, 0.30},
    {"third pattern", {"", "db-1", "", ""}, {"", "", {}, {"^web", "^app", "^db"}}, false, 0.30},
    {"bad pattern before a good one",
     {"", "db-1", "", ""},
     {"", "", {}, {"(", "^db"}},
     false,
     0.30},
    {"look-ahead is not RE2", {"", "db-1", "", ""}, {"", "", {}, {"(?=db)"}}, false, 0},
    {"no hostname matches nothing", {"", "", "", ""}, {"", "", {}, {".*", ""}}, false, 0},
    {"same names of groups",
     {"", "b", "", ""},
     {"", "", {}, {"(?P<n>a)", "(?P<n>b)"}},
     false,
     0.30},
    {"idc", {"", "", "east", ""}, {"east", "", {}, {}}, false, 0.25},
    {"idc in any case", {"", "", "EAST", ""}, {"eaSt", "", {}, {}}, false, 0.25},
    {"idc in a list", {"", "", "west", ""}, {"east|West|north", "", {}, {}}, false, 0.25},
    {"idc is the whole list", {"", "", "east|west", ""}, {"EAST|west", "", {}, {}}, false, 0.25},
    {"list of the caller", {"", "", "east|west", ""}, {"east|west|north", "", {}, {}}, false, 0},
    {"idc beyond ASCII", {"", "", "zürich", ""}, {"ZÜRICH", "", {}, {}}, false, 0.25},
    {"idc part", {"", "", "eas", ""}, {"east", "", {}, {}}, false, 0},
    {"idc missing at the caller", {"", "", "", ""}, {"east||west", "", {}, {}}, false, 0},
    {"location equal", {"", "", "", "A|b"}, {"", "a|B", {}, {}}, false, 0.14},
    {"location 1 of 5", {"", "", "", "a|x"}, {"", "a|b", {}, {}}, false, 0.028},
    {"location 2 of 5", {"", "", "", "a|b|x"}, {"", "a|b|c", {}, {}}, false, 0.056},
    {"location prefix", {"", "", "", "a|b"}, {"", "a|b|c", {}, {}}, false, 0.056},
    {"location only leading", {"", "", "", "x|b|c"}, {"", "a|b|c", {}, {}}, false, 0},
    {"location 5 of 6", {"", "", "", "a|b|c|d|e|x"}, {"", "a|b|c|d|e|f", {}, {}}, false, 0.14},
    {"location 6 of 7", {"", "", "", "a|b|c|d|e|f|x"}, {"", "a|b|c|d|e|f|g", {}, {}}, false, 0.14},
    {"location missing", {"", "", "", ""}, {"", "a", {}, {}}, false, 0},
};

TEST(ClusterSearchTest, ScoresAsTheTableSays) {
  for (const Row& row : kRows) {
    EXPECT_DOUBLE_EQ(AffinityOf(row.caller, row.scopes, row.is_default).score(), row.score)
        << row.name;
  }
}

// The original adds up floating point numbers; ours are whole. Every sum must compare the same.
TEST(ClusterSearchTest, PointsCompareAsTheOriginalsSumsDo) {
  std::vector<std::pair<int, double>> sums;
  for (int bits = 0; bits < 16; ++bits) {
    for (int elements = 0; elements <= 5; ++elements) {
      const double sum = 0.3 * (bits & 1) + 0.3 * ((bits >> 1) & 1) + 0.25 * ((bits >> 2) & 1) +
                         0.14 * (elements / 5.0) + 0.01 * ((bits >> 3) & 1);
      const Affinity affinity = {(bits & 1) * 150, ((bits >> 1) & 1) * 150, ((bits >> 2) & 1) * 125,
                                 elements * 14, ((bits >> 3) & 1) * 5};
      EXPECT_NEAR(affinity.score(), sum, 1e-12);
      sums.emplace_back(affinity.points(), sum);
    }
  }
  for (const auto& [points, sum] : sums) {
    for (const auto& [other_points, other_sum] : sums) {
      if (points != other_points) {
        EXPECT_EQ(points < other_points, sum < other_sum) << points << " " << other_points;
      }
    }
  }
}

TEST(ClusterSearchTest, BestFirstAndEqualOnesById) {
  const Clusters clusters = {
      Cluster(9, {}),
      Cluster(4, {"", "", {"10.0.0.0/8"}, {}}),
      Cluster(7, {"", "", {}, {"web"}}),
      Cluster(2, {}, /*is_default=*/true),
      Cluster(3, {"east", "", {}, {}}),
      Cluster(1, {}),
  };
  std::vector<uint64_t> ids;
  for (const RankedCluster& ranked : RankClusters({"10.0.0.1", "web", "east", ""}, clusters)) {
    ids.push_back(ranked.cluster_id);
    EXPECT_EQ(clusters[ranked.index]->cluster_id(), ranked.cluster_id);
  }
  EXPECT_EQ(ids, (std::vector<uint64_t>{4, 7, 3, 2, 1, 9}));
}

TEST(ClusterSearchTest, KeepsClustersThatSuitInNothing) {
  const Clusters clusters = {Cluster(1, {"west", "z", {"192.0.2.0/24"}, {"^q"}})};
  EXPECT_EQ(RankClusters({"10.0.0.1", "web", "east", "a"}, clusters).size(), 1U);
  EXPECT_TRUE(RankClusters({"10.0.0.1", "web", "east", "a"}, {}).empty());
}

TEST(ClusterSearchTest, TellsWhatIsSkippedWhenACompiledClusterIsMade) {
  std::vector<Skipped> skipped;
  const std::string long_pattern(kMaxHostnamePatternBytes + 1, 'a');
  const ClusterScopes cluster(1, false,
                              {"",
                               "",
                               {"10.0.0.0/8", "10.0.0.1", "10.0.0.0/08", "x/8", "fe80::%1/64"},
                               {"ok", "(", long_pattern}},
                              skipped);
  ASSERT_EQ(skipped.size(), 6U);
  EXPECT_EQ(skipped[0].field, "scopes.cidrs[1]");
  EXPECT_EQ(skipped[0].value, "10.0.0.1");
  EXPECT_NE(skipped[0].why.find("10.1.2.3/32"), std::string::npos) << skipped[0].why;
  EXPECT_EQ(skipped[1].field, "scopes.cidrs[2]");
  EXPECT_EQ(skipped[2].field, "scopes.cidrs[3]");
  EXPECT_EQ(skipped[3].field, "scopes.cidrs[4]");
  EXPECT_EQ(skipped[4].field, "scopes.hostnames[1]");
  EXPECT_NE(skipped[4].why.find("RE2"), std::string::npos) << skipped[4].why;
  EXPECT_EQ(skipped[5].field, "scopes.hostnames[2]");
  EXPECT_LE(skipped[5].value.size(), 128U);
}

TEST(ClusterSearchTest, AThousandClustersCompileNothingPerCall) {
  Clusters clusters;
  for (uint64_t id = 1; id <= 1000; ++id) {
    const std::string number = std::to_string(id);
    clusters.push_back(Cluster(id, {"idc-" + number + "|zürich",
                                    "a|b|" + number,
                                    {"10." + std::to_string(id % 256) + ".0.0/16"},
                                    {"^web-" + number + "$", "db"}}));
  }
  const uint64_t compiled = CompiledPatterns();
  EXPECT_GE(compiled, 3000U);  // they are counted: two patterns and a name each
  const auto ranked = RankClusters({"10.5.0.1", "web-261", "IDC-261", "a|b|261"}, clusters);
  EXPECT_EQ(CompiledPatterns(), compiled);
  ASSERT_EQ(ranked.size(), 1000U);
  EXPECT_EQ(ranked[0].cluster_id, 261U);
  EXPECT_EQ(ranked[0].affinity, (Affinity{150, 150, 125, 70, 0}));
}

TEST(ClusterSearchTest, MatchesEvenWhenAllPatternsTogetherAreTooLarge) {
  std::vector<std::string> patterns;
  for (int i = 0; i < 20; ++i)
    patterns.push_back("[ab][a-c]{" + std::to_string(i) + "}x" + std::to_string(i));
  std::mt19937 random(7);
  std::string name;
  for (int i = 0; i < 200; ++i) name += "abc"[random() % 3];
  // The first two do not suffice to compile them together.
  for (const int64_t memory_bytes : {1 << 10, 1 << 15, 1 << 17, 1 << 23}) {
    std::vector<Skipped> skipped;
    const HostnamePatterns compiled(patterns, skipped, memory_bytes);
    EXPECT_TRUE(skipped.empty());
    EXPECT_TRUE(compiled.Match(name + "aaaaaaaaaaaaaaaaaaaax17")) << memory_bytes;
    EXPECT_FALSE(compiled.Match(name + "y")) << memory_bytes;
  }
}

TEST(ClusterSearchTest, NamesLongerThanAnyHostsHaveNoPattern) {
  const Scopes all = {"", "", {}, {"a"}};
  EXPECT_EQ(AffinityOf({"", std::string(kMaxHostnameBytes, 'a'), "", ""}, all).hostname, 150);
  EXPECT_EQ(AffinityOf({"", std::string(kMaxHostnameBytes + 1, 'a'), "", ""}, all).hostname, 0);
}

// Against the plain question, asked of each block in turn.
TEST(AddressSetTest, AgreesWithAskingEachBlock) {
  std::mt19937 random(11);
  for (int round = 0; round < 300; ++round) {
    std::vector<common::net::IpPrefix> blocks;
    const bool v6 = round % 2 == 0;
    const auto address = [&random, v6] {
      std::array<uint8_t, 16> bytes{};
      // Few values, so that blocks nest and touch.
      for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random() % 4);
      if (v6) return common::net::IpAddress::V6(bytes);
      return common::net::IpAddress::V4({bytes[0], bytes[1], bytes[2], bytes[3]});
    };
    for (size_t i = 0; i < 1 + random() % 12; ++i)
      blocks.push_back({address(), static_cast<int>(random() % (v6 ? 129 : 33))});
    const AddressSet set(blocks);
    EXPECT_LE(set.size(), blocks.size());
    for (int i = 0; i < 100; ++i) {
      const auto asked = address();
      bool expected = false;
      for (const auto& block : blocks) expected = expected || block.Contains(asked);
      EXPECT_EQ(set.Contains(asked), expected) << asked.ToString() << " round " << round;
    }
  }
}

}  // namespace
}  // namespace dragonfly::manager::search
