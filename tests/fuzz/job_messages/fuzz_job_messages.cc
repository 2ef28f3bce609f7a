// What lies in a job queue: any message is read or refused, and what was read is written and read
// as the same.

#include "common/job/messages.h"
#include "common/job/signature.h"
#include "tests/fuzz/fuzz.h"

namespace dragonfly::fuzz {
namespace {

namespace job = common::job;

void TrySignature(std::string_view text) {
  const auto signature = job::ParseSignature(text);
  if (!signature.ok()) return;
  FUZZ_CHECK(job::SalvageUuid(text) == signature->uuid);
  const auto again = job::ParseSignature(job::SignatureJson(*signature));
  FUZZ_CHECK(again.ok() && again->uuid == signature->uuid && again->name == signature->name);
  FUZZ_CHECK(again->argument == signature->argument);
}

void TryState(std::string_view text) {
  const auto state = job::ParseTaskState(text);
  if (!state.ok()) return;
  const auto again = job::ParseTaskState(job::TaskStateJson(*state));
  FUZZ_CHECK(again.ok() && again->state == state->state && again->error == state->error);
}

void TryRequests(std::string_view text) {
  const auto preheat = job::ParsePreheatRequest(text);
  if (preheat.ok()) {
    const auto again = job::ParsePreheatRequest(job::PreheatRequestJson(*preheat));
    FUZZ_CHECK(again.ok() && *again == *preheat);
  }
  const auto task = job::ParseTaskRequest(text);
  if (task.ok()) {
    const auto again = job::ParseTaskRequest(job::TaskRequestJson(*task));
    FUZZ_CHECK(again.ok() && *again == *task);
  }
}

}  // namespace
}  // namespace dragonfly::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace dragonfly::fuzz;
  const std::string_view text = TextOf(data, size);
  TrySignature(text);
  TryState(text);
  TryRequests(text);
  return 0;
}
