#include "common/rpc/extensions.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

namespace dragonfly::common::rpc {
namespace {

constexpr size_t kMaxExtensions = 32;
constexpr size_t kMaxNameLength = 32;

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

struct Parsed {
  std::string_view name;
  int version = 0;
};

std::optional<Parsed> ParseOne(std::string_view text) {
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos || slash == 0 || slash > kMaxNameLength) return std::nullopt;
  Parsed parsed;
  parsed.name = text.substr(0, slash);
  const bool name_is_plain = std::all_of(parsed.name.begin(), parsed.name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
  const std::string_view digits = text.substr(slash + 1);
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), parsed.version);
  const bool is_number = error == std::errc() && end == digits.data() + digits.size();
  if (!name_is_plain || !is_number || parsed.version < 1 || parsed.version > 9999) {
    return std::nullopt;
  }
  return parsed;
}

}  // namespace

ExtensionSet::ExtensionSet(std::initializer_list<std::string_view> extensions) {
  for (std::string_view extension : extensions) Add(extension);
}

void ExtensionSet::Add(std::string_view extension) {
  const std::optional<Parsed> parsed = ParseOne(extension);
  if (!parsed.has_value() || versions_.size() >= kMaxExtensions) return;
  versions_.emplace(parsed->name, parsed->version);
}

ExtensionSet ExtensionSet::Parse(std::string_view text) {
  ExtensionSet out;
  while (!text.empty()) {
    const size_t comma = std::min(text.find(','), text.size());
    out.Add(Trim(text.substr(0, comma)));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return out;
}

std::string ExtensionSet::ToString() const {
  std::string out;
  for (const auto& [name, version] : versions_) {
    if (!out.empty()) out += ',';
    out += name + '/' + std::to_string(version);
  }
  return out;
}

bool ExtensionSet::Has(std::string_view extension) const {
  const std::optional<Parsed> parsed = ParseOne(extension);
  if (!parsed.has_value()) return false;
  const auto found = versions_.find(parsed->name);
  return found != versions_.end() && found->second == parsed->version;
}

ExtensionSet ExtensionSet::Intersect(const ExtensionSet& other) const {
  ExtensionSet out;
  for (const auto& [name, version] : versions_) {
    const auto found = other.versions_.find(name);
    if (found != other.versions_.end()) {
      out.versions_.emplace(name, std::min(version, found->second));
    }
  }
  return out;
}

}  // namespace dragonfly::common::rpc
