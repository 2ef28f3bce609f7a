// What a manager once answered, as a file: it is believed only as it was written, and what is
// written is read.

#include <memory>
#include <string>
#include <vector>

#include "common/digest/crc32.h"
#include "common/manager/saved_answer.h"
#include "common/os/simulated_env.h"
#include "tests/fuzz/fuzz.h"

namespace dragonfly::fuzz {
namespace {

using common::manager::SavedAnswer;
using common::os::SimulatedEnv;

constexpr char kFolder[] = "/data";
constexpr char kPath[] = "/data/answer";

void Put(SimulatedEnv& env, std::string_view bytes) {
  FUZZ_CHECK(env.SafeMkdir(kFolder).ok());
  auto file = env.Open(kPath, common::os::OpenMode::kCreate);
  FUZZ_CHECK(file.ok());
  FUZZ_CHECK((*file)->WriteAt(0, BytesOf(bytes)).ok());
  FUZZ_CHECK((*file)->Close().ok());
}

std::string Contents(SimulatedEnv& env) {
  auto file = env.Open(kPath, common::os::OpenMode::kRead);
  FUZZ_CHECK(file.ok());
  const auto info = (*file)->Stat();
  FUZZ_CHECK(info.ok());
  std::string bytes(info->size, '\0');
  const auto read = (*file)->ReadAt(0, std::as_writable_bytes(std::span(bytes)));
  FUZZ_CHECK(read.ok() && *read == bytes.size());
  return bytes;
}

// There is one way to write an answer, so a file that is believed is written again byte by byte.
void TryFile(std::string_view bytes) {
  SimulatedEnv env;
  Put(env, bytes);
  const SavedAnswer saved(env, kPath, "fuzz");
  const auto parts = saved.Read();
  if (!parts.ok()) {
    FUZZ_CHECK(absl::IsInvalidArgument(parts.status()));
    return;
  }
  FUZZ_CHECK(saved.Write(*parts).ok());
  FUZZ_CHECK(Contents(env) == bytes);
  const SavedAnswer of_another_kind(env, kPath, "fuz");
  FUZZ_CHECK(!of_another_kind.Read().ok());
}

// A checksum that is right: a fuzzer does not find one.
std::string Framed(std::string_view rest) {
  std::string bytes = "dragonfly-saved 1 fuzz\n";
  bytes += rest;
  const uint32_t crc = common::digest::Crc32(bytes);
  for (unsigned i = 0; i < 4; ++i) bytes += static_cast<char>((crc >> (8 * i)) & 0xFFU);
  return bytes;
}

void TryParts(FuzzedDataProvider& input) {
  std::vector<std::string> parts;
  while (input.remaining_bytes() > 0 && parts.size() < 8) {
    parts.push_back(input.ConsumeRandomLengthString(64));
  }
  SimulatedEnv env;
  const SavedAnswer saved(env, kPath, "fuzz");
  FUZZ_CHECK(saved.Write(parts).ok());
  const auto read = saved.Read();
  FUZZ_CHECK(read.ok() && *read == parts);
  // A bit that has turned is noticed.
  std::string bytes = Contents(env);
  const size_t at = input.ConsumeIntegralInRange<size_t>(0, bytes.size() - 1);
  bytes[at] = static_cast<char>(bytes[at] ^ 1);
  Put(env, bytes);
  FUZZ_CHECK(!saved.Read().ok());
}

}  // namespace
}  // namespace dragonfly::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace dragonfly::fuzz;
  const std::string_view text = TextOf(data, size);
  TryFile(text);
  TryFile(Framed(text));
  FuzzedDataProvider input(data, size);
  TryParts(input);
  return 0;
}
