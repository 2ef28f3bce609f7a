#include "dfdaemon/source/testing/drive.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

namespace dragonfly::dfdaemon::source::testing {
namespace {

using common::async::CancelScope;
using common::async::Co;
using common::async::Executor;

template <typename T>
using Slot = std::optional<absl::StatusOr<T>>;

Co<void> Stat(Executor executor, Source* source, SourceRequest request, absl::Duration timeout,
              Slot<SourceHead>* out) {
  CancelScope scope(executor, timeout);
  out->emplace(co_await source->Stat(scope, std::move(request)));
}

Co<void> Read(Executor executor, Source* source, SourceRequest request,
              std::optional<core::ByteRange> range, absl::Duration timeout, uint64_t limit,
              Slot<Drained>* out) {
  CancelScope scope(executor, timeout);
  auto stream = co_await source->Read(scope, std::move(request), range);
  if (!stream.ok()) {
    out->emplace(stream.status());
    co_return;
  }
  Drained result;
  result.head = (*stream)->head();
  std::vector<std::byte> buffer(64 * 1024);
  while (result.bytes.size() < limit) {
    auto got = co_await (*stream)->Read(scope, buffer);
    if (!got.ok()) {
      result.end = got.status();
      break;
    }
    const size_t kept = static_cast<size_t>(std::min<uint64_t>(*got, limit - result.bytes.size()));
    for (size_t i = 0; i < kept; ++i) result.bytes.push_back(std::to_integer<char>(buffer[i]));
  }
  out->emplace(std::move(result));
}

Co<void> List(Executor executor, Source* source, SourceRequest request,
              Slot<std::vector<SourceEntry>>* out) {
  CancelScope scope(executor, absl::Seconds(30));
  out->emplace(co_await source->List(scope, std::move(request)));
}

Co<void> Put(Executor executor, Source* source, SourceRequest request, std::string path,
             uint64_t length, absl::Status* out) {
  CancelScope scope(executor, absl::Seconds(30));
  *out = co_await source->Put(scope, std::move(request), std::move(path), length);
}

}  // namespace

absl::StatusOr<SourceHead> StatNow(Executor executor, Source& source, SourceRequest request,
                                   absl::Duration timeout) {
  Slot<SourceHead> result;
  common::async::RunToEnd(executor,
                          [&] { return Stat(executor, &source, request, timeout, &result); });
  return std::move(*result);
}

absl::StatusOr<Drained> ReadNow(Executor executor, Source& source, SourceRequest request,
                                std::optional<core::ByteRange> range, absl::Duration timeout,
                                uint64_t limit) {
  Slot<Drained> result;
  common::async::RunToEnd(
      executor, [&] { return Read(executor, &source, request, range, timeout, limit, &result); });
  return std::move(*result);
}

absl::StatusOr<std::vector<SourceEntry>> ListNow(Executor executor, Source& source,
                                                 SourceRequest request) {
  Slot<std::vector<SourceEntry>> result;
  common::async::RunToEnd(executor, [&] { return List(executor, &source, request, &result); });
  return std::move(*result);
}

absl::Status PutNow(Executor executor, Source& source, SourceRequest request, std::string path,
                    uint64_t length) {
  absl::Status result;
  common::async::RunToEnd(executor,
                          [&] { return Put(executor, &source, request, path, length, &result); });
  return result;
}

}  // namespace dragonfly::dfdaemon::source::testing
