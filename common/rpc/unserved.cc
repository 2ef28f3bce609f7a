#include "common/rpc/unserved.h"

#include <grpcpp/generic/async_generic_service.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "common/rpc/call_context.h"

namespace dragonfly::common::rpc {
namespace {

// Longer names are nobody's: an answer repeats no kilobytes of what it was sent.
constexpr size_t kMaxNameBytes = 128;

absl::Status NotServed(const std::string& method) {
  if (method.size() > kMaxNameBytes) {
    return absl::UnimplementedError("this method is not served by this version");
  }
  return absl::UnimplementedError(method + " is not served by this version");
}

// A call that ends before its first message. Holds itself until OnDone, gRPC's last word.
class Refusal final : public ::grpc::ServerGenericBidiReactor {
 public:
  static Refusal* Of(::grpc::GenericCallbackServerContext& context) {
    auto refusal = std::make_unique<Refusal>();
    refusal->Finish(EndCall(context, NotServed(context.method())));
    Refusal* reactor = refusal.get();
    reactor->self_ = std::move(refusal);
    return reactor;
  }

 private:
  void OnDone() override { auto last = std::move(self_); }

  std::unique_ptr<Refusal> self_;
};

class UnservedMethods final : public ::grpc::CallbackGenericService {
  ::grpc::ServerGenericBidiReactor* CreateReactor(
      ::grpc::GenericCallbackServerContext* context) override {
    return Refusal::Of(*context);
  }
};

}  // namespace

std::unique_ptr<::grpc::CallbackGenericService> MakeUnservedMethods() {
  return std::make_unique<UnservedMethods>();
}

}  // namespace dragonfly::common::rpc
