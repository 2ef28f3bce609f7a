#include "dfdaemon/node/cluster_choice.h"

#include <gtest/gtest.h>

#include <vector>

namespace dragonfly::dfdaemon::node {
namespace {

using List = std::vector<ClusterChoice::Candidate>;

TEST(ClusterChoice, TakesTheClusterOfTheFirstThatServes) {
  ClusterChoice choice;
  choice.Look(List{}, true);
  EXPECT_FALSE(choice.chosen().has_value());
  choice.Look(List{{1, false}, {2, false}}, true);
  EXPECT_FALSE(choice.chosen().has_value());
  choice.Look(List{{1, false}, {2, true}, {1, true}}, true);
  EXPECT_EQ(choice.chosen(), 2U);
}

TEST(ClusterChoice, NeverLeavesAClusterThatIsDown) {
  ClusterChoice choice;
  choice.Look(List{{1, true}, {2, true}}, true);
  for (int i = 0; i < 100; ++i) {
    choice.Look(List{{1, false}, {2, true}}, true);
    choice.Look(List{{2, true}}, true);
    choice.Look(List{}, true);
  }
  EXPECT_EQ(choice.chosen(), 1U);
}

TEST(ClusterChoice, IsMovedByAnAdministratorAndByNothingLess) {
  ClusterChoice choice;
  choice.Look(List{{1, true}, {2, true}}, true);
  const List swapped = {{2, true}, {1, true}};
  for (int i = 1; i < ClusterChoice::kPatience; ++i) {
    choice.Look(swapped, true);
    EXPECT_EQ(choice.chosen(), 1U);
  }
  // Looks at the same answer do not count.
  for (int i = 0; i < 10; ++i) choice.Look(swapped, false);
  EXPECT_EQ(choice.chosen(), 1U);
  choice.Look(swapped, true);
  EXPECT_EQ(choice.chosen(), 2U);
}

TEST(ClusterChoice, CountsOnlyAnswersInARow) {
  ClusterChoice choice;
  choice.Look(List{{1, true}, {2, true}}, true);
  for (int i = 0; i < 20; ++i) {
    choice.Look(List{{2, true}, {1, true}}, true);
    choice.Look(List{{2, true}, {1, true}}, true);
    choice.Look(List{{1, true}, {2, true}}, true);
  }
  EXPECT_EQ(choice.chosen(), 1U) << "the order wanders";
  for (int i = 0; i < 20; ++i) {
    choice.Look(List{{2, true}, {1, true}}, true);
    choice.Look(List{{2, true}, {1, true}}, true);
    choice.Look(List{{2, true}, {1, false}}, true);
  }
  EXPECT_EQ(choice.chosen(), 1U) << "ours is not well";
  for (int i = 0; i < 20; ++i) {
    choice.Look(List{{2, true}, {1, true}}, true);
    choice.Look(List{{3, true}, {1, true}}, true);
  }
  EXPECT_EQ(choice.chosen(), 1U) << "not the same one";
  for (int i = 0; i < 20; ++i) choice.Look(List{{2, false}, {1, true}}, true);
  EXPECT_EQ(choice.chosen(), 1U) << "the better one is not well";
}

TEST(ClusterChoice, KeepsAndForgets) {
  ClusterChoice choice;
  choice.Remember(7);
  choice.Look(List{{1, true}}, true);
  EXPECT_EQ(choice.chosen(), 7U);
  choice.Forget();
  EXPECT_FALSE(choice.chosen().has_value());
  choice.Look(List{{1, true}}, false);
  EXPECT_EQ(choice.chosen(), 1U);
}

}  // namespace
}  // namespace dragonfly::dfdaemon::node
