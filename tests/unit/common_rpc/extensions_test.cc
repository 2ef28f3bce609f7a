#include "common/rpc/extensions.h"

#include <gtest/gtest.h>

namespace dragonfly::common::rpc {
namespace {

TEST(ExtensionSetTest, ParsesAndFormatsInOneOrder) {
  const ExtensionSet set = ExtensionSet::Parse("keepalive/1, blocks/2 ,\tstripes/1");
  EXPECT_EQ(set.ToString(), "blocks/2,keepalive/1,stripes/1");
  EXPECT_TRUE(set.Has(kKeepalive));
  EXPECT_FALSE(set.Has(kBlocks)) << "another version";
  EXPECT_FALSE(set.Has(kSlice));
  EXPECT_EQ(ExtensionSet::Parse(set.ToString()), set);
}

TEST(ExtensionSetTest, TheEmptySetIsTheEmptyString) {
  EXPECT_EQ(ExtensionSet().ToString(), "");
  EXPECT_TRUE(ExtensionSet::Parse("").empty());
  EXPECT_FALSE(ExtensionSet().Has(""));
}

TEST(ExtensionSetTest, LeavesOutWhatIsMalformed) {
  for (std::string_view bad :
       {"blocks", "blocks/", "/1", "blocks/0", "blocks/-1", "blocks/1x", "Blocks/1", "blo cks/1",
        "blocks/10000", "blocks/99999999999999999999", ",,,", "b\xC3\xA4/1"}) {
    EXPECT_TRUE(ExtensionSet::Parse(bad).empty()) << bad;
  }
  EXPECT_EQ(ExtensionSet::Parse("x,blocks/1,y/").ToString(), "blocks/1");
  EXPECT_EQ(ExtensionSet::Parse("blocks/1,blocks/2").ToString(), "blocks/1") << "the first counts";
}

TEST(ExtensionSetTest, IsBounded) {
  std::string many;
  for (int i = 0; i < 1000; ++i) many += "e" + std::to_string(i) + "/1,";
  const std::string text = ExtensionSet::Parse(many).ToString();
  EXPECT_EQ(std::count(text.begin(), text.end(), ','), 31);
}

TEST(ExtensionSetTest, IntersectsByNameInTheLowerVersion) {
  const ExtensionSet ours = {kBlocks, kStripes, "slice/3"};
  const ExtensionSet theirs = ExtensionSet::Parse("stripes/1,slice/2,other/1");
  EXPECT_EQ(ours.Intersect(theirs).ToString(), "slice/2,stripes/1");
  EXPECT_EQ(theirs.Intersect(ours), ours.Intersect(theirs));
  EXPECT_TRUE(ours.Intersect(ExtensionSet()).empty());
}

}  // namespace
}  // namespace dragonfly::common::rpc
