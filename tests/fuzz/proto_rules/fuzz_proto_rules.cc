// Messages from anybody: they are refused with a reason or they are taken, and taken for what they
// are again after they were passed on.

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "proto/dfdaemon_v2.pb.h"
#include "proto/manager_v2.pb.h"
#include "proto/rules/validate.h"
#include "proto/scheduler_v2.pb.h"
#include "tests/fuzz/fuzz.h"

namespace dragonfly::fuzz {
namespace {

using google::protobuf::Message;

// What the first byte of an input chooses from: the deepest requests first, then every other that a
// method of a service takes, from the network or from a program beside us.
std::vector<const Message*> Prototypes() {
  std::vector<const Message*> out = {&::scheduler::v2::AnnouncePeerRequest::default_instance(),
                                     &::scheduler::v2::AnnounceHostRequest::default_instance(),
                                     &::dfdaemon::v2::DownloadTaskRequest::default_instance(),
                                     &::dfdaemon::v2::SyncPiecesRequest::default_instance(),
                                     &::manager::v2::UpdateSchedulerRequest::default_instance(),
                                     &::manager::v2::ListSchedulersRequest::default_instance()};
  const std::array<const google::protobuf::FileDescriptor*, 3> files = {
      out[0]->GetDescriptor()->file(), out[2]->GetDescriptor()->file(),
      out[4]->GetDescriptor()->file()};
  for (const auto* file : files) {
    for (int s = 0; s < file->service_count(); ++s) {
      for (int m = 0; m < file->service(s)->method_count(); ++m) {
        const Message* request =
            google::protobuf::MessageFactory::generated_factory()->GetPrototype(
                file->service(s)->method(m)->input_type());
        if (std::ranges::find(out, request) == out.end()) out.push_back(request);
      }
    }
  }
  FUZZ_CHECK(out.size() > 6 && out.size() <= 256);
  return out;
}

const Message& Prototype(uint8_t choice) {
  static const std::vector<const Message*> kPrototypes = Prototypes();
  return *kPrototypes[choice % kPrototypes.size()];
}

void TryMessage(const Message& prototype, std::string_view bytes) {
  const std::unique_ptr<Message> message(prototype.New());
  if (!message->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
  const absl::Status verdict = proto::rules::Validate(*message);
  FUZZ_CHECK(verdict.ok() || absl::IsInvalidArgument(verdict));
  // Who is refused learns which field it was and what to send.
  FUZZ_CHECK(verdict.ok() || verdict.message().find(": ") != absl::string_view::npos);

  const std::unique_ptr<Message> passed_on(prototype.New());
  FUZZ_CHECK(passed_on->ParseFromString(message->SerializeAsString()));
  const absl::Status again = proto::rules::Validate(*passed_on);
  FUZZ_CHECK(again.code() == verdict.code());
}

}  // namespace
}  // namespace dragonfly::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  dragonfly::fuzz::TryMessage(dragonfly::fuzz::Prototype(data[0]),
                              dragonfly::fuzz::TextOf(data + 1, size - 1));
  return 0;
}
