#include "common/id/url_host.h"

#include <arpa/inet.h>
#include <idn2.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/id/text_codec.h"
#include "common/status/reason.h"
#include "common/status/strings.h"

namespace dragonfly::common::id {
namespace {

using status::StdView;
using status::Sv;

absl::Status RefuseHost(std::string_view host, std::string_view why) {
  return status::MakeStatus(
      absl::StatusCode::kInvalidArgument, status::ErrorReason::kInvalidArgument,
      StdView(absl::StrCat("host '", Sv(host.substr(0, 256)), "': ", Sv(why))));
}

bool IsForbidden(char c, bool domain) {
  constexpr std::string_view kForbidden("\0\t\n\r #/:<>?@[\\]^|", 17);
  const auto byte = static_cast<unsigned char>(c);
  if (kForbidden.find(c) != std::string_view::npos) return true;
  return domain && (byte < 0x20 || c == '%' || byte == 0x7F);
}

std::vector<std::string_view> SplitDots(std::string_view text) {
  std::vector<std::string_view> parts;
  while (true) {
    const size_t dot = text.find('.');
    parts.push_back(text.substr(0, dot));
    if (dot == std::string_view::npos) return parts;
    text.remove_prefix(dot + 1);
  }
}

// A part of a numeric IPv4 host: decimal, octal after "0", hexadecimal after "0x". Nothing for
// other texts; values beyond 32 bits saturate.
std::optional<uint64_t> Ipv4Number(std::string_view text) {
  if (text.empty()) return std::nullopt;
  unsigned base = 10;
  if (text.size() >= 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
    base = 16;
    text.remove_prefix(2);
  } else if (text.size() >= 2 && text[0] == '0') {
    base = 8;
    text.remove_prefix(1);
  }
  uint64_t value = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (!absl::ascii_isxdigit(byte)) return std::nullopt;
    const unsigned digit = absl::ascii_isdigit(byte)
                               ? static_cast<unsigned>(c - '0')
                               : static_cast<unsigned>(absl::ascii_tolower(byte) - 'a') + 10U;
    if (digit >= base) return std::nullopt;
    value = std::min<uint64_t>(value * base + digit, uint64_t{1} << 40U);
  }
  return value;
}

bool AllDigits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// Whether the host claims to be an IPv4 address: its last label is a number.
bool EndsInNumber(std::vector<std::string_view> parts) {
  if (parts.back().empty()) {
    if (parts.size() == 1) return false;
    parts.pop_back();
  }
  return AllDigits(parts.back()) || Ipv4Number(parts.back()).has_value();
}

absl::StatusOr<std::string> NormalizeIpv4(std::string_view host) {
  std::vector<std::string_view> parts = SplitDots(host);
  if (parts.back().empty() && parts.size() > 1) parts.pop_back();
  if (parts.size() > 4) return RefuseHost(host, "an IPv4 address has four numbers");
  uint64_t address = 0;
  for (size_t i = 0; i < parts.size(); ++i) {
    const auto number = Ipv4Number(parts[i]);
    if (!number) return RefuseHost(host, "ends in a number, but is no IPv4 address");
    const bool last = i + 1 == parts.size();
    const uint64_t limit = last ? uint64_t{1} << (8 * (5 - parts.size())) : 256;
    if (*number >= limit) return RefuseHost(host, "a number of the IPv4 address is too large");
    address += last ? *number : *number << (8 * (3 - i));
  }
  return absl::StrCat(address >> 24U, ".", (address >> 16U) & 255U, ".", (address >> 8U) & 255U,
                      ".", address & 255U);
}

// Groups in hexadecimal, the first longest run of two or more zero groups as "::". Unlike
// inet_ntop, never with dotted decimals at the end.
std::string Ipv6Text(const std::array<unsigned char, 16>& bytes) {
  std::array<unsigned, 8> groups{};
  for (size_t i = 0; i < 8; ++i) groups[i] = bytes[2 * i] * 256U + bytes[2 * i + 1];
  size_t best_start = 8;
  size_t best_length = 1;
  for (size_t i = 0; i < 8; ++i) {
    size_t length = 0;
    while (i + length < 8 && groups[i + length] == 0) ++length;
    if (length > best_length) {
      best_start = i;
      best_length = length;
    }
  }
  std::string text;
  for (size_t i = 0; i < 8; ++i) {
    if (i == best_start) {
      text += i == 0 ? "::" : ":";
      i += best_length - 1;
      continue;
    }
    absl::StrAppend(&text, absl::Hex(groups[i]));
    if (i != 7) text += ':';
  }
  return text;
}

absl::StatusOr<std::string> NormalizeIpv6(std::string_view host) {
  if (host.back() != ']') return RefuseHost(host, "the bracket is not closed");
  const std::string literal(host.substr(1, host.size() - 2));
  std::array<unsigned char, 16> bytes{};
  if (literal.find('\0') != std::string::npos ||
      inet_pton(AF_INET6, literal.c_str(), bytes.data()) != 1) {
    return RefuseHost(host, "is no IPv6 address; zones are not allowed in URLs");
  }
  return absl::StrCat("[", Ipv6Text(bytes), "]");
}

bool IsAscii(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) >= 0x80) return false;
  }
  return true;
}

absl::StatusOr<std::string> DomainToAscii(std::string_view domain) {
  if (IsAscii(domain)) return absl::AsciiStrToLower(Sv(domain));
  char* output = nullptr;
  const int result =
      idn2_to_ascii_8z(std::string(domain).c_str(), &output, IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT);
  const std::unique_ptr<char, void (*)(void*)> owner(output, idn2_free);
  if (result != IDN2_OK) return RefuseHost(domain, idn2_strerror(result));
  return std::string(output);
}

}  // namespace

absl::StatusOr<std::string> NormalizeHost(std::string_view host, bool special) {
  if (host.starts_with('[')) return NormalizeIpv6(host);
  if (!special) {
    for (const char c : host) {
      if (IsForbidden(c, false)) return RefuseHost(host, "has a character that no host may have");
    }
    std::string text;
    AppendPercentEncoded(host, EncodeSet::kControl, text);
    return text;
  }
  const std::string decoded = ReplaceInvalidUtf8(PercentDecode(host));
  for (const char c : decoded) {
    if (IsForbidden(c, true)) return RefuseHost(host, "has a character that no host may have");
  }
  auto ascii = DomainToAscii(decoded);
  if (!ascii.ok()) return ascii.status();
  if (ascii->empty()) return RefuseHost(host, "is empty");
  for (const char c : *ascii) {  // full-width forms turn into ASCII only now
    if (IsForbidden(c, true)) return RefuseHost(host, "has a character that no host may have");
  }
  if (EndsInNumber(SplitDots(*ascii))) return NormalizeIpv4(*ascii);
  return ascii;
}

}  // namespace dragonfly::common::id
