#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "common/trace/span.h"

namespace dragonfly::common::trace::testing {

// Keeps what has ended. Threading: any thread.
class RecordedSpans final : public SpanSink {
 public:
  void Take(std::unique_ptr<FinishedSpan> span) override {
    const std::lock_guard lock(mutex_);
    spans_.push_back(std::move(span));
  }
  // In the order of their ends; they live as long as this.
  std::vector<const FinishedSpan*> spans() const {
    const std::lock_guard lock(mutex_);
    std::vector<const FinishedSpan*> out;
    for (const auto& span : spans_) out.push_back(span.get());
    return out;
  }
  std::vector<const FinishedSpan*> Named(std::string_view name) const {
    std::vector<const FinishedSpan*> out = spans();
    std::erase_if(out, [name](const FinishedSpan* span) { return span->name != name; });
    return out;
  }

 private:
  mutable std::mutex mutex_;  // guards spans_
  std::vector<std::unique_ptr<FinishedSpan>> spans_;
};

inline const AttributeValue* Find(const FinishedSpan& span, std::string_view key) {
  for (const Attribute& attribute : span.attributes) {
    if (attribute.key == key) return &attribute.value;
  }
  return nullptr;
}

inline std::string TextOf(const FinishedSpan& span, std::string_view key) {
  const AttributeValue* value = Find(span, key);
  const auto* text = value == nullptr ? nullptr : std::get_if<std::string>(value);
  return text == nullptr ? "(none)" : *text;
}

}  // namespace dragonfly::common::trace::testing
