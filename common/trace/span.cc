#include "common/trace/span.h"

#include <algorithm>

#include "common/log/redact.h"
#include "common/status/strings.h"

namespace dragonfly::common::trace {
namespace {

// OTLP's texts are UTF-8: what is not becomes '?', and nothing is cut within a character.
std::string Clean(std::string_view text, size_t most) {
  std::string out;
  out.reserve(std::min(text.size(), most));
  size_t at = 0;
  while (at < text.size()) {
    const auto lead = static_cast<unsigned char>(text[at]);
    size_t length = lead < 0x80                   ? 1
                    : lead >= 0xc2 && lead < 0xe0 ? 2
                    : lead >= 0xe0 && lead < 0xf0 ? 3
                    : lead >= 0xf0 && lead < 0xf5 ? 4
                                                  : 0;
    bool good = length != 0 && at + length <= text.size();
    for (size_t i = 1; good && i < length; ++i) {
      const auto next = static_cast<unsigned char>(text[at + i]);
      good = (next & 0xc0U) == 0x80;
      // Overlong forms, surrogates, beyond the last character.
      if (i == 1 && good) {
        good = !(lead == 0xe0 && next < 0xa0) && !(lead == 0xed && next >= 0xa0) &&
               !(lead == 0xf0 && next < 0x90) && !(lead == 0xf4 && next >= 0x90);
      }
    }
    if (!good) length = 1;
    if (out.size() + length > most) break;
    if (good && (length > 1 || lead >= 0x20)) {
      out.append(text, at, length);
    } else {
      out += '?';
    }
    at += length;
  }
  return out;
}

}  // namespace

Span::Span(std::unique_ptr<Recording> recording)
    : context_(recording->span->context), recording_(std::move(recording)) {}

Span& Span::operator=(Span&& other) noexcept {
  if (this == &other) return *this;
  End();
  context_ = std::move(other.context_);
  recording_ = std::move(other.recording_);
  return *this;
}

std::string Span::BareUrl(std::string_view url) {
  url = url.substr(0, url.find_first_of("?#"));
  const size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return std::string(url.substr(0, kMaxValueBytes));
  std::string out(url.substr(0, scheme + 3));
  std::string_view rest = url.substr(scheme + 3);
  const size_t at = rest.substr(0, rest.find('/')).rfind('@');
  if (at != std::string_view::npos) rest.remove_prefix(at + 1);
  out += rest.substr(0, kMaxValueBytes);
  return out;
}

void Span::Add(std::string_view key, AttributeValue value) {
  FinishedSpan& span = *recording_->span;
  if (std::string* text = std::get_if<std::string>(&value)) *text = Clean(*text, kMaxValueBytes);
  const std::string name = Clean(key, kMaxKeyBytes);
  for (Attribute& attribute : span.attributes) {
    if (attribute.key != name) continue;
    attribute.value = std::move(value);
    return;
  }
  if (span.attributes.size() >= kMaxAttributes) {
    ++span.dropped_attributes;
    return;
  }
  span.attributes.push_back({name, std::move(value)});
}

void Span::AddEventNow(std::string_view name) {
  FinishedSpan& span = *recording_->span;
  if (span.events.size() >= kMaxEvents) {
    ++span.dropped_events;
    return;
  }
  const absl::Duration since = recording_->clock->Now() - recording_->began;
  span.events.push_back({span.started_at + since, Clean(name, kMaxNameBytes)});
}

void Span::Fail(const absl::Status& status) {
  FinishedSpan& span = *recording_->span;
  if (span.code != absl::StatusCode::kOk) return;
  span.code = status.code();
  // The secrets go first: a cut could hide what makes one known.
  span.status_message =
      Clean(common::log::RedactText(common::status::MessageOf(status)), kMaxValueBytes);
}

void Span::Finish() {
  const std::unique_ptr<Recording> recording = std::move(recording_);
  // By the monotonic clock: no span ends before it began.
  FinishedSpan& span = *recording->span;
  span.ended_at = span.started_at + (recording->clock->Now() - recording->began);
  recording->sink->Take(std::move(recording->span));
}

}  // namespace dragonfly::common::trace
