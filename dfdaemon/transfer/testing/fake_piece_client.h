#pragma once

#include <map>
#include <mutex>

#include "common/net/endpoint.h"
#include "dfdaemon/transfer/piece_transfer.h"

namespace dragonfly::dfdaemon::transfer::testing {

// PieceClient without a network: takes pieces straight from providers, block by block, and holds
// heads against the request as every transport must. Runs in the conformance suite beside them.
//
// Threading: any thread; Fetch on any executor. A provider outlives the fetches from it.
class FakePieceClient final : public PieceClient {
 public:
  void AddParent(const common::net::Endpoint& endpoint, PieceProvider& provider);
  // Also ends what is being fetched from it, at the next block.
  void RemoveParent(const common::net::Endpoint& endpoint);

  common::async::Co<absl::Status> Fetch(common::async::CancelScope& scope, PieceTarget target,
                                        PieceRequest request, PieceSink& sink) override;

 private:
  PieceProvider* Find(const common::net::Endpoint& endpoint) const;  // null: none

  mutable std::mutex mutex_;  // guards parents_
  std::map<common::net::Endpoint, PieceProvider*> parents_;
};

}  // namespace dragonfly::dfdaemon::transfer::testing
