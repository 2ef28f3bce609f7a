#include "common/manager/saved_answer.h"

#include <cstdint>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/digest/crc32.h"
#include "common/status/reason.h"
#include "common/status/strings.h"

namespace dragonfly::common::manager {
namespace {

using status::ErrorReason;
using status::MakeStatus;
using status::Sv;

constexpr size_t kNumberBytes = 4;

void AppendNumber(std::string& out, uint32_t number) {
  for (unsigned shift = 0; shift < 32; shift += 8) {
    out.push_back(static_cast<char>((number >> shift) & 0xFFU));
  }
}

// The first four bytes of `from`, which has them.
uint32_t NumberAt(std::string_view from) {
  uint32_t number = 0;
  for (size_t i = 0; i < kNumberBytes; ++i) {
    number |= uint32_t{static_cast<unsigned char>(from[i])} << (8 * i);
  }
  return number;
}

absl::Status NotBelieved(std::string_view path, std::string_view why) {
  return MakeStatus(absl::StatusCode::kInvalidArgument, ErrorReason::kInvalidArgument,
                    absl::StrCat(Sv(path), ": ", Sv(why)));
}

std::string FolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

SavedAnswer::SavedAnswer(os::Env& env, std::string path, std::string kind)
    : env_(env), path_(std::move(path)), kind_(std::move(kind)) {}

std::string SavedAnswer::Header() const { return absl::StrCat("dragonfly-saved 1 ", kind_, "\n"); }

absl::Status SavedAnswer::WriteNew(const std::string& path, std::string_view bytes) const {
  absl::StatusOr<std::unique_ptr<os::File>> file = env_.Open(path, os::OpenMode::kCreate, 0600);
  if (!file.ok()) return file.status();
  absl::Status done = (*file)->Truncate(0);  // of an earlier attempt
  if (done.ok()) done = (*file)->WriteAt(0, std::as_bytes(std::span(bytes.data(), bytes.size())));
  if (done.ok()) done = (*file)->SyncData();
  absl::Status closed = (*file)->Close();
  return done.ok() ? closed : done;
}

absl::Status SavedAnswer::Write(const std::vector<std::string>& parts) const {
  std::string bytes = Header();
  for (const std::string& part : parts) {
    if (part.size() > kMaxBytes || bytes.size() + part.size() + 2 * kNumberBytes > kMaxBytes) {
      return MakeStatus(absl::StatusCode::kResourceExhausted, ErrorReason::kOverloaded,
                        absl::StrCat(path_, ": the answer is larger than 16 MiB and is not kept"));
    }
    AppendNumber(bytes, static_cast<uint32_t>(part.size()));
    bytes += part;
  }
  AppendNumber(bytes, digest::Crc32(bytes));
  const std::string folder = FolderOf(path_);
  absl::Status done = env_.SafeMkdir(folder, 0700);
  const std::string fresh = path_ + ".new";
  if (done.ok()) done = WriteNew(fresh, bytes);
  if (done.ok()) done = env_.Rename(fresh, path_);
  if (!done.ok()) return done;
  return env_.SyncDirectory(folder);
}

absl::StatusOr<std::vector<std::string>> SavedAnswer::Read() const {
  absl::StatusOr<std::unique_ptr<os::File>> file = env_.Open(path_, os::OpenMode::kRead);
  if (!file.ok()) return file.status();
  absl::StatusOr<os::FileInfo> info = (*file)->Stat();
  if (!info.ok()) return info.status();
  if (!info->is_regular() || info->size > kMaxBytes) {
    return NotBelieved(path_, "is no file of at most 16 MiB");
  }
  std::string bytes(info->size, '\0');
  absl::StatusOr<size_t> read =
      (*file)->ReadAt(0, std::as_writable_bytes(std::span(bytes.data(), bytes.size())));
  if (!read.ok()) return read.status();
  bytes.resize(*read);

  const std::string header = Header();
  std::string_view rest = bytes;
  if (!rest.starts_with(header)) return NotBelieved(path_, "was not written by this version");
  if (rest.size() < header.size() + kNumberBytes) return NotBelieved(path_, "is cut off");
  const size_t checked = rest.size() - kNumberBytes;
  if (digest::Crc32(rest.substr(0, checked)) != NumberAt(rest.substr(checked))) {
    return NotBelieved(path_, "the checksum is wrong");
  }
  rest = rest.substr(header.size(), checked - header.size());
  std::vector<std::string> parts;
  while (!rest.empty()) {
    const size_t length = rest.size() < kNumberBytes ? 0 : NumberAt(rest);
    if (rest.size() < kNumberBytes || length > rest.size() - kNumberBytes) {
      return NotBelieved(path_, "a part is cut off");
    }
    parts.emplace_back(rest.substr(kNumberBytes, length));
    rest.remove_prefix(kNumberBytes + length);
  }
  return parts;
}

}  // namespace dragonfly::common::manager
