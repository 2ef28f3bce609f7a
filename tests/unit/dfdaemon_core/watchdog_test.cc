// No download is without progress for longer than `progress_timeout` without changing something,
// and its timeline says what. The random worlds hold this too (world.h).

#include <algorithm>
#include <string>

#include "tests/unit/dfdaemon_core/kind_test.h"

namespace dragonfly::dfdaemon::core {
namespace {

class WatchdogTest : public KindTest {
 protected:
  // All other bounds are out of the way.
  static CoreOptions Patient() {
    CoreOptions options;
    options.answer_timeout = absl::Hours(1);
    options.parent_timeout = absl::Hours(1);
    options.piece_timeout = absl::Hours(2);
    options.offer_timeout = absl::Hours(1);
    options.source_timeout = absl::Hours(1);
    options.stall_limit = absl::Hours(3);
    return options;
  }
};
DF_FOR_ALL_KINDS(WatchdogTest);

bool Tells(const Play& play, const std::string& what) {
  const auto& entries = play.core.explain().entries();
  return std::any_of(entries.begin(), entries.end(), [&](const TimelineEntry& entry) {
    return entry.what.find(what) != std::string::npos;
  });
}

TEST_P(WatchdogTest, ASchedulerThatIsSilentIsLeft) {
  Play play = New({}, Patient());
  play.Feed(Want(1));
  EXPECT_FALSE(Has<Register>(play.Wait(absl::Seconds(29))));
  EXPECT_TRUE(Has<Register>(play.Wait(absl::Seconds(2))));
  EXPECT_TRUE(Tells(play, "nothing came for 30s"));
}

TEST_P(WatchdogTest, ParentsThatHangAreExchanged) {
  Play play = New({}, Patient());
  play.BeginWith({ParentOf("a", 9), ParentOf("b", 9)});
  const StartFetch fetch = Of<StartFetch>(play.Offer("a", {0}))[0];
  play.Wait(absl::Seconds(20));
  play.Feed(FetchProgress{fetch.fetch, 1000});
  EXPECT_FALSE(Has<CloseParent>(play.Wait(absl::Seconds(29))));
  const Actions actions = play.Wait(absl::Seconds(2));
  EXPECT_EQ(Of<CloseParent>(actions).size(), 2U);
  ASSERT_EQ(Of<ReportReschedule>(actions).size(), 1U);
  EXPECT_EQ(Of<ReportReschedule>(actions)[0].bad_parents, (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(Tells(play, "parent a given up: nothing came for 30s"));
}

TEST_P(WatchdogTest, ParentsThatOnlyBeginPiecesAreExchanged) {
  Play play = New({}, Patient());
  ParentInfo parent = PassingParent("a", 9);
  play.BeginWith({parent});
  const StartFetch fetch = Of<StartFetch>(play.OfferBegun("a", {0}))[0];
  play.Blocks(fetch, 2, 2);
  play.Fail(fetch, ErrorReason::kInternal);  // the rest never comes, and it can't be asked for
  EXPECT_TRUE(Has<ReportReschedule>(play.Wait(absl::Seconds(31))));
}

TEST_P(WatchdogTest, AnOriginThatHangsIsOpenedAgain) {
  Play play = New({}, Patient());
  play.Feed(Want(1));
  play.Feed(AnswerSource{"read it", 0, 1});
  Actions actions = play.Wait(absl::Seconds(29));
  EXPECT_FALSE(Has<CloseSource>(actions));
  actions = play.Wait(absl::Seconds(10));
  EXPECT_TRUE(Has<CloseSource>(actions));
  EXPECT_TRUE(Has<OpenSource>(actions));
}

TEST_P(WatchdogTest, OurOwnLimiterIsNoReasonToChangeAnything) {
  Play play = New({}, Patient());
  play.BeginWith({ParentOf("a", 9)});
  const StartFetch fetch = Of<StartFetch>(play.Offer("a", {0}))[0];
  for (int i = 0; i < 20; ++i) {
    play.Feed(FetchProgress{fetch.fetch, 0});
    EXPECT_FALSE(Has<CloseParent>(play.Wait(absl::Seconds(20))));
  }
}

}  // namespace
}  // namespace dragonfly::dfdaemon::core
