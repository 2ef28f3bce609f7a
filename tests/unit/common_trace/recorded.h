#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "common/trace/span.h"

namespace dragonfly::common::trace {

// Keeps what has ended.
class Recorded final : public SpanSink {
 public:
  void Take(std::unique_ptr<FinishedSpan> span) override {
    const std::lock_guard lock(mutex_);
    spans.push_back(std::move(span));
  }
  std::vector<std::unique_ptr<FinishedSpan>> spans;

 private:
  std::mutex mutex_;  // guards spans
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

}  // namespace dragonfly::common::trace
