#include "common/http/headers.h"

#include <algorithm>
#include <array>

namespace dragonfly::common::http {
namespace {

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool IsTokenChar(char c) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         kMarks.find(c) != std::string_view::npos;
}

}  // namespace

bool SameName(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return Lower(x) == Lower(y); });
}

std::optional<std::string_view> Find(const HeaderList& headers, std::string_view name) {
  for (const auto& [key, value] : headers) {
    if (SameName(key, name)) return value;
  }
  return std::nullopt;
}

std::vector<std::string_view> FindAll(const HeaderList& headers, std::string_view name) {
  std::vector<std::string_view> out;
  for (const auto& [key, value] : headers) {
    if (SameName(key, name)) out.push_back(value);
  }
  return out;
}

bool IsFieldName(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, IsTokenChar);
}

bool IsFieldValue(std::string_view value) {
  return std::ranges::none_of(value, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && c != '\t') || byte == 0x7F;
  });
}

bool IsCredential(std::string_view name) {
  constexpr std::array<std::string_view, 5> kWhole = {"authorization", "cookie", "cookie2",
                                                      "proxy-authorization", "www-authenticate"};
  constexpr std::array<std::string_view, 9> kParts = {
      "token",      "key",     "secret",         "signature", "password",
      "credential", "session", "x-amz-security", "auth"};
  std::string lower(name);
  std::ranges::transform(lower, lower.begin(), Lower);
  if (std::ranges::find(kWhole, lower) != kWhole.end()) return true;
  return std::ranges::any_of(
      kParts, [&](std::string_view part) { return lower.find(part) != std::string::npos; });
}

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

}  // namespace dragonfly::common::http
