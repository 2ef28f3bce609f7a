// The journal of a data directory: whatever is in it, the store opens or says why not, serves no
// wrong piece, and works afterwards.

#include <memory>
#include <string>
#include <vector>

#include "common/digest/crc32.h"
#include "common/log/log.h"
#include "common/os/simulated_env.h"
#include "dfdaemon/storage/journal_record.h"
#include "dfdaemon/storage/open_store.h"
#include "tests/fuzz/fuzz.h"

namespace dragonfly::fuzz {
namespace {

namespace storage = dfdaemon::storage;
using common::os::SimulatedEnv;
using storage::ContentStore;
using storage::TaskKey;

constexpr size_t kContentBytes = 1024;
constexpr uint64_t kMaxServedBytes = 1 << 20;

void Append(std::string& bytes, uint32_t number) {
  for (unsigned i = 0; i < 4; ++i) bytes += static_cast<char>((number >> (8 * i)) & 0xFFU);
}

// Records with right checksums around payloads from the input: a fuzzer does not find a checksum.
std::string Framed(FuzzedDataProvider& input) {
  std::string journal = storage::EncodeSegmentHeader();
  while (input.remaining_bytes() > 0) {
    std::string body(1, static_cast<char>(input.ConsumeIntegralInRange<uint8_t>(0, 9)));
    // The id of most tasks, so that records speak of each other.
    if (input.ConsumeBool()) {
      body += static_cast<char>(input.ConsumeIntegralInRange<uint8_t>(0, 3));
      Append(body, 64);
      body += std::string(64, input.ConsumeBool() ? 'a' : 'b');
    }
    body += input.ConsumeBytesAsString(input.ConsumeIntegralInRange<size_t>(0, 160));
    Append(journal, static_cast<uint32_t>(body.size() - 1));
    Append(journal, common::digest::Crc32(body));
    journal += body;
  }
  return journal;
}

// As an earlier run would have left it: the names survive a power failure too.
void PutFile(SimulatedEnv& env, const std::string& folder, const std::string& name,
             std::string_view bytes) {
  FUZZ_CHECK(env.SafeMkdir(folder).ok());
  auto file = env.Open(folder + "/" + name, common::os::OpenMode::kCreate);
  FUZZ_CHECK(file.ok());
  FUZZ_CHECK((*file)->WriteAt(0, BytesOf(bytes)).ok());
  FUZZ_CHECK((*file)->SyncData().ok());
  FUZZ_CHECK((*file)->Close().ok());
  FUZZ_CHECK(env.SyncDirectory(folder).ok());
}

// What decodes encodes to something that decodes to the same.
void TryRecords(std::string_view journal) {
  auto rest = BytesOf(journal);
  if (!storage::CheckSegmentHeader(rest).ok()) return;
  rest = rest.subspan(storage::kSegmentHeaderBytes);
  size_t consumed = 0;
  while (const auto record = storage::DecodeRecord(rest, &consumed)) {
    FUZZ_CHECK(consumed > storage::kRecordHeaderBytes && consumed <= rest.size());
    const std::string written = storage::EncodeRecord(*record);
    size_t again_bytes = 0;
    const auto again = storage::DecodeRecord(BytesOf(written), &again_bytes);
    FUZZ_CHECK(again.has_value() && again_bytes == written.size());
    FUZZ_CHECK(again->index() == record->index());
    FUZZ_CHECK(storage::EncodeRecord(*again) == written);
    rest = rest.subspan(consumed);
  }
}

absl::StatusOr<std::unique_ptr<ContentStore>> Open(SimulatedEnv& env) {
  storage::StoreOptions options;
  options.dir = "/data";
  options.keep = true;
  options.journal_rewrite_bytes = 512;
  return storage::OpenStore(env, options);
}

// A piece that was hashed when it was opened has the checksum that it is announced with.
void TryServe(ContentStore& store, bool hashed) {
  for (const TaskKey& key : store.List()) {
    const auto task = store.Find(key);
    FUZZ_CHECK(task.ok());
    (void)(*task)->frontier();
    (void)(*task)->complete();
    const std::vector<storage::PieceNumber> pieces = (*task)->FinishedPieces();
    for (size_t i = 0; i < pieces.size() && i < 8; ++i) {
      const auto reader = (*task)->OpenPiece(pieces[i]);
      if (!reader.ok()) continue;
      const storage::PieceInfo& info = (*reader)->info();
      FUZZ_CHECK(info.number == pieces[i]);
      if (info.length > kMaxServedBytes) continue;
      std::vector<std::byte> bytes(static_cast<size_t>(info.length));
      const bool read = (*reader)->ReadAt(0, bytes).ok();
      if (!hashed) continue;
      FUZZ_CHECK(read);
      FUZZ_CHECK(common::digest::Crc32(bytes) == info.crc32);
    }
  }
}

void WriteTask(ContentStore& store, const TaskKey& key) {
  storage::CreateOptions create;
  create.url = "http://origin/new";
  create.piece_length = kContentBytes;
  create.content_length = kContentBytes;
  const auto task = store.Create(key, create);
  FUZZ_CHECK(task.ok());
  auto writer = (*task)->Begin(0);
  FUZZ_CHECK(writer.ok());
  const std::string content(kContentBytes, 'n');
  FUZZ_CHECK((*writer)->Write(BytesOf(content), true).ok());
  const auto piece =
      (*writer)->Commit(common::digest::Crc32(content), "",
                        dfdaemon::core::TrafficType::kBackToSource, absl::ZeroDuration());
  FUZZ_CHECK(piece.ok());
}

void CheckTask(ContentStore& store, const TaskKey& key) {
  const auto task = store.Find(key);
  FUZZ_CHECK(task.ok());
  FUZZ_CHECK((*task)->complete());
  std::vector<std::byte> bytes(kContentBytes);
  const auto reader = (*task)->OpenPiece(0);
  FUZZ_CHECK(reader.ok());
  FUZZ_CHECK((*reader)->ReadAt(0, bytes).ok());
  FUZZ_CHECK(bytes == std::vector<std::byte>(kContentBytes, std::byte{'n'}));
}

void TryRecovery(std::string_view journal, bool says_durable) {
  SimulatedEnv env;
  PutFile(env, "/data/journal", "00000001.log", journal);
  for (const char id : {'a', 'b'}) {
    const std::string name(64, id);
    PutFile(env, "/data/content/tasks/" + name.substr(0, 3), name, std::string(kContentBytes, id));
  }
  auto store = Open(env);
  if (!store.ok()) {
    FUZZ_CHECK(!storage::CheckSegmentHeader(BytesOf(journal)).ok());
    return;
  }
  TryServe(**store, !says_durable);
  const TaskKey key{common::id::TaskKind::kPersistent, std::string(64, '9')};
  FUZZ_CHECK((*store)->Delete(key).ok());
  WriteTask(**store, key);
  CheckTask(**store, key);
  FUZZ_CHECK((*store)->Sync().ok());
  const std::vector<TaskKey> tasks = (*store)->List();
  store->reset();
  env.Crash(SimulatedEnv::Unsynced::kLost);

  auto again = Open(env);
  FUZZ_CHECK(again.ok());
  CheckTask(**again, key);
  FUZZ_CHECK((*again)->List() == tasks);
}

}  // namespace
}  // namespace dragonfly::fuzz

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  // A warning for every journal that ends early would be all that the run does.
  dragonfly::common::log::SetLevel(dragonfly::common::log::Level::kOff);
  return 0;
}

// The first byte chooses: the bytes of a journal as they are, or payloads of records.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace dragonfly::fuzz;
  FuzzedDataProvider input(data, size);
  const bool framed = input.ConsumeBool();
  const std::string journal = framed ? Framed(input) : input.ConsumeRemainingBytesAsString();
  TryRecords(journal);
  bool says_durable = false;
  auto rest = BytesOf(journal);
  if (storage::CheckSegmentHeader(rest).ok()) {
    rest = rest.subspan(storage::kSegmentHeaderBytes);
    size_t consumed = 0;
    while (const auto record = storage::DecodeRecord(rest, &consumed)) {
      says_durable = says_durable || std::holds_alternative<storage::DurableRecord>(*record);
      rest = rest.subspan(consumed);
    }
  }
  TryRecovery(journal, says_durable);
  return 0;
}
