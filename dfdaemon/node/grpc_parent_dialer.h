#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/async/runtime.h"
#include "common/net/egress_policy.h"
#include "common/os/env.h"
#include "common/rpc/channel_pool.h"
#include "common/rpc/extensions.h"
#include "dfdaemon/node/dial_guard.h"
#include "dfdaemon/node/node_identity.h"
#include "dfdaemon/node/parent_link.h"
#include "dfdaemon/node/per_core.h"

namespace dragonfly::dfdaemon::node {

// Links to parents over gRPC: SyncPieces for what they have, SyncHost for how busy they are. The
// RPCs of the three kinds of task differ in name only.
//
// Lifecycle: constructed, used, Stop (ends every stream), destroyed. What is passed in outlives it;
// the runtime must still run at Stop.
class GrpcParentDialer : public ParentDialer {
 public:
  struct Options {
    NodeIdentity identity;
    DialGuard::Options guard;
    uint16_t default_piece_port = 4005;  // of parents that do not tell theirs
    bool offer_keepalive = true;         // extension keepalive/1
    bool offer_tls = false;              // extension piece-tls/1: this node has a certificate
    bool require_tls = false;            // leave parents that do not speak it
  };
  GrpcParentDialer(common::async::Runtime& runtime, common::rpc::ChannelPool& channels,
                   common::os::Env& env, const common::net::EgressPolicy& policy, Options options);
  ~GrpcParentDialer() override;

  // Blocks for at most a moment. Not from a thread of the runtime.
  void Stop();

  std::unique_ptr<ParentLink> Open(common::async::Executor executor, common::id::TaskKey key,
                                   core::ParentInfo parent,
                                   std::vector<core::PieceNumber> interested,
                                   common::trace::SpanContext trace,
                                   std::function<void(ParentNews)> on_news) override;

 private:
  struct State;
  class Link;
  common::async::Co<void> FollowPieces(std::shared_ptr<State> state);
  common::async::Co<void> FollowLoad(std::shared_ptr<State> state);
  template <typename Req, typename Resp, typename Method>
  common::async::Co<absl::Status> ReadPieces(std::shared_ptr<State> state, Method method);
  common::async::Co<absl::Status> ReadPiecesOfKind(std::shared_ptr<State> state);
  absl::Status SetTarget(State& state, const std::string& ip, int32_t port,
                         const common::rpc::ExtensionSet& agreed);

  common::rpc::ChannelPool& channels_;
  common::os::Env& env_;
  const Options options_;
  DialGuard guard_;
  PerCore cores_;
};

}  // namespace dragonfly::dfdaemon::node
