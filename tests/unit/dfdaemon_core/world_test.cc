// Properties that hold in every world: each request is finished exactly once, with success only if
// all its bytes are there; nothing is opened twice, closed unopened or left open; no wait is
// without a deadline, and none is long without a change that is told; the rules of a shaped swarm
// hold; and it all comes to an end. DRAGONFLY_WORLD_SEED=n runs one world,
// DRAGONFLY_WORLDS=n that many.

#include <cstdlib>
#include <string>

#include "tests/unit/dfdaemon_core/kind_test.h"
#include "tests/unit/dfdaemon_core/world.h"

namespace dragonfly::dfdaemon::core {
namespace {

constexpr uint64_t kWorlds = 20'000;

uint64_t NumberFrom(const char* variable, uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

class WorldTest : public KindTest {
 protected:
  void RunWorlds(WorldMode mode, uint64_t worlds);
};
DF_FOR_ALL_KINDS(WorldTest);

void WorldTest::RunWorlds(WorldMode mode, uint64_t worlds) {
  const uint64_t only = NumberFrom("DRAGONFLY_WORLD_SEED", 0);
  const uint64_t first = only != 0 ? only : 1;
  const uint64_t last = only != 0 ? only : NumberFrom("DRAGONFLY_WORLDS", worlds);
  int failed = 0;
  for (uint64_t seed = first; seed <= last && failed < 5; ++seed) {
    World world(GetParam(), seed, mode);
    const std::string complaint = world.Run();
    if (complaint.empty()) continue;
    ++failed;
    std::string history;
    for (const std::string& line : world.History()) history += "\n  " + line;
    ADD_FAILURE() << "DRAGONFLY_WORLD_SEED=" << seed << ": " << complaint << history;
  }
}

TEST_P(WorldTest, EveryRequestEndsOnceAndRightly) { RunWorlds(WorldMode::kAny, kWorlds); }

TEST_P(WorldTest, WhoseParentsTogetherHaveEverythingFinishes) {
  RunWorlds(WorldMode::kLive, kWorlds / 5);
}

TEST_P(WorldTest, WhereEverythingHangsSomethingIsChangedAllTheSame) {
  RunWorlds(WorldMode::kHung, kWorlds / 20);
}

TEST_P(WorldTest, TheSameSeedGivesTheSameWorld) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    World one(GetParam(), seed);
    World two(GetParam(), seed);
    one.Run();
    two.Run();
    EXPECT_EQ(one.History(), two.History()) << seed;
  }
}

}  // namespace
}  // namespace dragonfly::dfdaemon::core
