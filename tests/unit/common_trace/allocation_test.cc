// What tracing costs where it is off, or where a trace is not recorded: no memory.

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "absl/status/status.h"
#include "common/os/env.h"
#include "common/trace/testing/recorded_spans.h"
#include "common/trace/tracer.h"

namespace {
std::atomic<uint64_t> allocations{0};
}  // namespace

void* operator new(size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t /*size*/) noexcept { std::free(memory); }

namespace dragonfly::common::trace {
namespace {

using testing::RecordedSpans;

// What Download does for a piece.
void OnePiece(const Tracer& tracer, const SpanContext& parent) {
  Span span = tracer.StartIfRecorded("download_piece", SpanKind::kClient, parent);
  if (span.recording()) span.SetText(keys::kPieceId, std::string(100, 'x'));
  const SpanContext told = span.recording() ? span.context() : parent;
  span.SetText(keys::kParentId, "a-parent-with-a-name-that-is-long-enough");
  span.SetNumber(keys::kPieceLength, 1);
  span.SetUrl("http://origin/a/path/that/is/long/enough?query");
  span.SetStatus(absl::OkStatus());
  span.End();
  ASSERT_EQ(told.valid(), parent.valid());
}

uint64_t AllocationsOf(const Tracer& tracer, const SpanContext& parent) {
  OnePiece(tracer, parent);
  const uint64_t before = allocations.load();
  for (int i = 0; i < 1000; ++i) OnePiece(tracer, parent);
  return allocations.load() - before;
}

TEST(Allocation, OffAllocatesNothingForAPiece) {
  const Tracer off;
  EXPECT_EQ(AllocationsOf(off, SpanContext()), 0U);
  const auto parent = SpanContext::Parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                                         "a-vendor=with-a-state-that-is-long-enough");
  EXPECT_EQ(AllocationsOf(off, *parent), 0U);
}

TEST(Allocation, ATraceThatIsNotRecordedAllocatesNothing) {
  os::Env& env = os::PosixEnv();
  const Tracer on(std::make_shared<RecordedSpans>(), env, 1);
  EXPECT_EQ(AllocationsOf(on, SpanContext::NewTrace(env, false)), 0U);
  // The counter counts.
  EXPECT_GT(AllocationsOf(on, SpanContext::NewTrace(env, true)), 1000U);
}

}  // namespace
}  // namespace dragonfly::common::trace
