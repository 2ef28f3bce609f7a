#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/os/env.h"
#include "common/trace/span_context.h"

namespace dragonfly::common::trace {

// The numbers are those of OTLP.
enum class SpanKind : uint8_t { kInternal = 1, kServer = 2, kClient = 3 };

using AttributeValue = std::variant<std::string, bool, int64_t, double>;
struct Attribute {
  std::string key;
  AttributeValue value;
};

// Names of attributes that people search for; the original's.
namespace keys {
inline constexpr std::string_view kHostId = "host_id";
inline constexpr std::string_view kTaskId = "task_id";
inline constexpr std::string_view kPeerId = "peer_id";
inline constexpr std::string_view kPieceId = "piece_id";
inline constexpr std::string_view kPieceLength = "piece_length";
inline constexpr std::string_view kParentId = "parent_id";
inline constexpr std::string_view kRemoteIp = "remote_ip";
inline constexpr std::string_view kContentLength = "content_length";
inline constexpr std::string_view kUrl = "url";
}  // namespace keys

// What is beyond is cut or left out, and counted in the span.
inline constexpr size_t kMaxNameBytes = 128;
inline constexpr size_t kMaxKeyBytes = 64;
inline constexpr size_t kMaxValueBytes = 512;
inline constexpr size_t kMaxAttributes = 32;
inline constexpr size_t kMaxEvents = 32;

struct SpanEvent {
  absl::Time at;
  std::string name;
};

// A span that has ended, on its way out.
struct FinishedSpan {
  SpanContext context;
  SpanContext::SpanId parent_id{};  // zeros: the root
  SpanKind kind = SpanKind::kInternal;
  std::string name;
  absl::Time started_at;
  absl::Time ended_at;
  std::vector<Attribute> attributes;
  std::vector<SpanEvent> events;
  uint32_t dropped_attributes = 0;
  uint32_t dropped_events = 0;
  absl::StatusCode code = absl::StatusCode::kOk;
  std::string status_message;
};

// Takes what has ended. Threading: any thread; must not block.
class SpanSink {
 public:
  virtual ~SpanSink() = default;
  virtual void Take(std::unique_ptr<FinishedSpan> span) = 0;
};

// A piece of work, from its making by a Tracer to its destruction. Without a recording (tracing is
// off, or the trace is not sampled) it only hands its context along, and every call is one branch.
//
// Values are cut to what is allowed, in UTF-8 that is right. URLs lose user names, queries and
// fragments, errors the secrets that common/log knows.
//
// Threading: like a plain value: one thread at a time, the thread of its end may be another one.
class Span {
 public:
  Span() = default;
  // Records nothing.
  explicit Span(SpanContext context) : context_(std::move(context)) {}
  Span(Span&& other) noexcept = default;
  Span& operator=(Span&& other) noexcept;
  Span(const Span&) = delete;
  Span& operator=(const Span&) = delete;
  ~Span() { End(); }

  bool recording() const { return recording_ != nullptr; }
  // What children and other processes are told.
  const SpanContext& context() const { return context_; }

  void SetText(std::string_view key, std::string_view value) {
    if (recording())
      Add(key, std::string(value.substr(
                   0, kMaxValueBytes + 4)));  // a character more: it is cut between them
  }
  void SetNumber(std::string_view key, int64_t value) {
    if (recording()) Add(key, value);
  }
  void SetFlag(std::string_view key, bool value) {
    if (recording()) Add(key, value);
  }
  void SetUrl(std::string_view url) {
    if (recording()) Add(keys::kUrl, BareUrl(url));
  }
  // Something that happened at a moment; a text of ours.
  void AddEvent(std::string_view name) {
    if (recording()) AddEventNow(name);
  }
  // How the work ended; the first error counts.
  void SetStatus(const absl::Status& status) {
    if (recording() && !status.ok()) Fail(status);
  }
  // Now, and not when it is destroyed. What is set later is lost.
  void End() {
    if (recording()) Finish();
  }

  // "scheme://host:port/path": what of a URL may be shown to strangers.
  static std::string BareUrl(std::string_view url);

 private:
  friend class Tracer;
  struct Recording {
    std::unique_ptr<FinishedSpan> span;
    std::shared_ptr<SpanSink> sink;  // shared by the tracer and its spans
    const os::Clock* clock = nullptr;
    absl::Time began;  // of Now(); started_at is the wall's
  };
  explicit Span(std::unique_ptr<Recording> recording);

  void Add(std::string_view key, AttributeValue value);
  void AddEventNow(std::string_view name);
  void Fail(const absl::Status& status);
  void Finish();

  SpanContext context_;
  std::unique_ptr<Recording> recording_;
};

}  // namespace dragonfly::common::trace
