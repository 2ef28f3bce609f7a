#pragma once

// A generated service of which only some methods are served. Includes gRPC: for service sources
// only.
//
//   using Served = rpc::OnlyMarked<pb::Scheduler::WithCallbackMethod_StatPeer<
//       pb::Scheduler::WithCallbackMethod_StatTask<rpc::AllMethods<pb::Scheduler>>>>;
//   struct Impl final : Served { ... StatPeer(...) override ... StatTask(...) override };
//
// The generated CallbackService registers every method, which a compiler pays with half a second
// each and a program with its code. Here the others are known to nobody, and Server answers
// UNIMPLEMENTED with the name of the method, as it does for a service that it has never heard of.

#include <google/protobuf/descriptor.h>
#include <grpcpp/impl/codegen/service_type.h>

#include <cstddef>
#include <vector>

namespace dragonfly::common::rpc {

// The generated service `Rpc` before any method is marked as served: the innermost of the bases.
template <typename Rpc>
class AllMethods : public Rpc::Service {
 protected:
  AllMethods() {
    const google::protobuf::ServiceDescriptor* service =
        google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(
            Rpc::service_full_name());
    for (int i = 0; i < service->method_count(); ++i) unmarked_.push_back(this->GetHandler(i));
  }

  // Forgets each method that still has the handler it was born with. Its number is its place in the
  // service; a handler that replaced it was made while it lived, so the addresses differ.
  void ForgetUnmarked() {
    for (size_t i = 0; i < unmarked_.size(); ++i) {
      const int method = static_cast<int>(i);
      if (this->GetHandler(method) == unmarked_[i]) this->MarkMethodGeneric(method);
    }
    unmarked_.clear();
  }

 private:
  std::vector<::grpc::internal::MethodHandler*> unmarked_;  // by number; for comparison only
};

// `Base` with what WithCallbackMethod_... and WithRawCallbackMethod_... have marked, and nothing
// else.
template <typename Base>
class OnlyMarked : public Base {
 protected:
  OnlyMarked() { this->ForgetUnmarked(); }
};

}  // namespace dragonfly::common::rpc
