#pragma once

#include <cstdint>

#include "dfdaemon/core/download_core.h"
#include "dfdaemon/core/download_event.h"

namespace dragonfly::sim {

// What DownloadCore may say and hear about blocks and steals: each is used if the core's types have
// the field, and left out if not, so that a simulation fits whatever the core can.

template <typename OfferType>
constexpr bool HearsOfBegun() {
  return requires(OfferType offer) { offer.whole; };
}
template <typename OfferType>
void SetWhole(OfferType& offer, bool whole) {
  if constexpr (HearsOfBegun<OfferType>()) offer.whole = whole;
}
template <typename Parent>
void SetSpeaksBlocks(Parent& parent, bool blocks) {
  if constexpr (requires { parent.blocks; }) parent.blocks = blocks;
}
template <typename Parent>
void SetSpeaksKeepalive(Parent& parent, bool keepalive) {
  if constexpr (requires { parent.keepalive; }) parent.keepalive = keepalive;
}
// Of FetchProgress and FetchFailed: blocks at the front of the piece that stay.
template <typename FetchNews>
void SetKept(FetchNews& news, uint32_t blocks) {
  if constexpr (requires { news.kept_blocks; }) news.kept_blocks = blocks;
}
template <typename Fetch>
bool IsSteal(const Fetch& fetch) {
  if constexpr (requires { fetch.steal; }) {
    return fetch.steal;
  } else {
    return false;
  }
}
template <typename Fetch>
uint32_t FirstBlock(const Fetch& fetch) {
  if constexpr (requires { fetch.first_block; }) {
    return fetch.first_block;
  } else {
    return 0;
  }
}
template <typename Options>
void SetDownlink(Options& options, uint64_t bits_per_second) {
  if constexpr (requires { options.downlink_bps; }) options.downlink_bps = bits_per_second;
}

}  // namespace dragonfly::sim
