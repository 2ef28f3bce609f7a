#include "scheduler/swarm/places.h"

#include <gtest/gtest.h>

#include <vector>

namespace dragonfly::scheduler::swarm {
namespace {

std::vector<Member> All(const Places& places, uint32_t stripe, Offer offer, uint32_t depth) {
  std::vector<Member> out;
  if (depth >= places.depths(stripe, offer)) return out;
  for (Member at = places.First(stripe, offer, depth); at != kNobody; at = places.Next(at, stripe))
    out.push_back(at);
  return out;
}

TEST(Places, FilesInTheOrderOfComing) {
  Places places;
  for (const Member member : {5U, 2U, 9U}) places.File(member, 0, Offer::kRoom, 3);
  EXPECT_EQ(All(places, 0, Offer::kRoom, 3), (std::vector<Member>{5, 2, 9}));
  EXPECT_TRUE(All(places, 1, Offer::kRoom, 3).empty());
  EXPECT_TRUE(All(places, 0, Offer::kLeafy, 3).empty());
}

TEST(Places, AMemberStandsOncePerStripe) {
  Places places;
  places.File(1, 0, Offer::kRoom, 2);
  places.File(1, 1, Offer::kRoom, 4);
  places.File(1, 0, Offer::kFull, 7);
  EXPECT_TRUE(All(places, 0, Offer::kRoom, 2).empty());
  EXPECT_EQ(All(places, 0, Offer::kFull, 7), std::vector<Member>{1});
  EXPECT_EQ(All(places, 1, Offer::kRoom, 4), std::vector<Member>{1});
  EXPECT_EQ(places.place(1, 0).depth, 7U);
}

TEST(Places, TheSamePlaceAgainKeepsTheOrder) {
  Places places;
  places.File(1, 0, Offer::kRoom, 2);
  places.File(2, 0, Offer::kRoom, 2);
  places.File(1, 0, Offer::kRoom, 2);
  EXPECT_EQ(All(places, 0, Offer::kRoom, 2), (std::vector<Member>{1, 2}));
}

TEST(Places, RemovesFromAnywhereInAList) {
  for (const Member gone : {1U, 2U, 3U}) {
    Places places;
    for (const Member member : {1U, 2U, 3U}) places.File(member, 1, Offer::kLeafy, 0);
    places.Remove(gone, 1);
    places.Remove(gone, 1);
    EXPECT_FALSE(places.filed(gone, 1));
    EXPECT_EQ(All(places, 1, Offer::kLeafy, 0).size(), 2U);
  }
}

TEST(Places, WhatIsVeryDeepStandsAtTheDeepest) {
  Places places;
  places.File(1, 0, Offer::kRoom, 5000);
  EXPECT_EQ(All(places, 0, Offer::kRoom, Places::kDeepest), std::vector<Member>{1});
}

TEST(Places, NobodyWhoWasNeverFiledIsThere) {
  const Places places;
  EXPECT_FALSE(places.filed(77, 1));
}

}  // namespace
}  // namespace dragonfly::scheduler::swarm
