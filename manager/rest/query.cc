#include "manager/rest/query.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/log/redact.h"
#include "common/status/parse.h"
#include "common/status/reason.h"
#include "common/status/strings.h"

namespace dragonfly::manager::rest {
namespace {

using common::status::Invalid;
using common::status::Sv;

constexpr size_t kMaxParameters = 100;
constexpr size_t kMaxShownQueryBytes = 32;
constexpr uint64_t kDefaultPageSize = 10;

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = absl::ascii_tolower(static_cast<unsigned char>(c));
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

absl::StatusOr<uint64_t> NumberOf(const Query& query, std::string_view name, uint64_t absent,
                                  uint64_t max) {
  const std::string_view text = query.Get(name);
  if (text.empty()) return absent;
  const std::optional<uint64_t> value = common::status::ParseInteger<uint64_t>(text);
  if (!value || *value > max) {
    return Invalid(absl::StrCat(Sv(name), " is '", Sv(text.substr(0, kMaxShownQueryBytes)),
                                "'; write a whole number from 1 to ", max));
  }
  return *value == 0 ? absent : *value;
}

}  // namespace

std::optional<std::string> PercentDecode(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      if (i + 2 >= text.size()) return std::nullopt;
      const int high = HexDigit(text[i + 1]);
      const int low = HexDigit(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      c = static_cast<char>(high * 16 + low);
      i += 2;
    } else if (c == '+' && plus_is_space) {
      c = ' ';
    }
    if (c == '\0') return std::nullopt;
    out += c;
  }
  return out;
}

std::string PercentEncode(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (absl::ascii_isalnum(byte) || c == '-' || c == '_' || c == '.' || c == '~') {
      out += c;
    } else {
      out += '%';
      out += kDigits[byte >> 4U];
      out += kDigits[byte & 0xFU];
    }
  }
  return out;
}

Query Query::Parse(std::string_view text) {
  Query query;
  while (!text.empty() && query.values_.size() < kMaxParameters) {
    const size_t end = std::min(text.find('&'), text.size());
    const std::string_view pair = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const size_t equals = std::min(pair.find('='), pair.size());
    const auto name = PercentDecode(pair.substr(0, equals), true);
    const auto value =
        PercentDecode(equals == pair.size() ? std::string_view() : pair.substr(equals + 1), true);
    if (name && value && !name->empty()) query.values_.emplace(*name, *value);
  }
  return query;
}

std::string_view Query::Get(std::string_view name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? std::string_view() : std::string_view(found->second);
}

void Query::Set(std::string name, std::string value) {
  values_.insert_or_assign(std::move(name), std::move(value));
}

std::string Query::Encode() const {
  std::string out;
  for (const auto& [name, value] : values_)
    absl::StrAppend(&out, out.empty() ? "" : "&", PercentEncode(name), "=", PercentEncode(value));
  return out;
}

std::string Query::Redacted() const {
  Query shown = *this;
  for (auto& [name, value] : shown.values_) {
    if (name == "code" || common::log::IsSecretName(name)) value = "***";
  }
  return shown.Encode();
}

absl::StatusOr<store::Page> PageOf(const Query& query) {
  const absl::StatusOr<uint64_t> number =
      NumberOf(query, "page", 1, std::numeric_limits<int32_t>::max());
  if (!number.ok()) return number.status();
  const absl::StatusOr<uint64_t> size =
      NumberOf(query, "per_page", kDefaultPageSize, store::kMaxPageSize);
  if (!size.ok()) return size.status();
  return store::Page{*number, *size};
}

std::string LinkHeader(std::string_view path, const Query& query, store::Page page,
                       uint64_t total) {
  const uint64_t last = total / page.size + (total % page.size == 0 ? 0 : 1);
  const auto entry = [&](uint64_t number, const char* relation) {
    Query target = query;
    target.Set("page", std::to_string(number));
    target.Set("per_page", std::to_string(page.size));
    return absl::StrCat("<", Sv(path), "?", target.Redacted(), ">;rel=", relation);
  };
  return absl::StrCat(entry(std::max<uint64_t>(page.number, 2) - 1, "prev"), ",",
                      entry(page.number == last ? last : page.number + 1, "next"), ",",
                      entry(1, "first"), ",", entry(last, "last"));
}

absl::StatusOr<int64_t> ParseId(std::string_view text, std::string_view what) {
  const std::optional<int64_t> id = common::status::ParseInteger<int64_t>(text);
  if (id && *id > 0) return *id;
  return Invalid(absl::StrCat(Sv(what), " is '", Sv(text.substr(0, kMaxShownQueryBytes)),
                              "'; write the id of a row: a whole number from 1 on"));
}

}  // namespace dragonfly::manager::rest
