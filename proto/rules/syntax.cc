#include "proto/rules/syntax.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string>

namespace dragonfly::proto::rules {
namespace {

constexpr bool IsDigit(char c) { return c >= '0' && c <= '9'; }
constexpr bool IsAlpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
constexpr bool IsAlnum(char c) { return IsDigit(c) || IsAlpha(c); }
constexpr bool IsHex(char c) {
  return IsDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
constexpr bool IsControl(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }
constexpr bool IsAscii(char c) { return static_cast<unsigned char>(c) < 0x80; }
constexpr bool IsOneOf(char c, std::string_view set) {
  return set.find(c) != std::string_view::npos;
}

bool ValidEscapes(std::string_view text) {
  for (size_t at = text.find('%'); at != std::string_view::npos; at = text.find('%', at + 3)) {
    if (at + 2 >= text.size() || !IsHex(text[at + 1]) || !IsHex(text[at + 2])) return false;
  }
  return true;
}

// "" or ":" and a decimal port; a colon without digits means the scheme's default.
bool ValidOptionalPort(std::string_view text) {
  if (text.empty()) return true;
  if (text.front() != ':') return false;
  std::uint32_t port = 0;
  for (const char c : text.substr(1)) {
    if (!IsDigit(c)) return false;
    port = port * 10 + static_cast<std::uint32_t>(c - '0');
    if (port > 65535) return false;
  }
  return true;
}

bool IsAddress(int family, std::string_view text) {
  std::array<char, INET6_ADDRSTRLEN> buffer{};
  if (text.empty() || text.size() >= buffer.size()) return false;
  if (text.find('\0') != std::string_view::npos) return false;
  std::copy(text.begin(), text.end(), buffer.begin());
  std::array<unsigned char, sizeof(in6_addr)> address{};
  return inet_pton(family, buffer.data(), address.data()) == 1;
}

std::string_view NamedHostProblem(std::string_view host) {
  const size_t colon = host.rfind(':');
  if (colon != std::string_view::npos && !ValidOptionalPort(host.substr(colon))) {
    return "has a bad port";
  }
  if (!ValidEscapes(host)) return "has a bad percent escape in the host";
  for (size_t i = 0; i < host.size(); ++i) {
    const char c = host[i];
    if (c == '%') {
      // Escapes in a host are for bytes outside ASCII only.
      if (host[i + 1] < '8' && host.substr(i, 3) != "%25") {
        return "has an escaped ASCII character in the host";
      }
      i += 2;
    } else if (IsAscii(c) && !IsAlnum(c) && !IsOneOf(c, "-_.~!$&'()*+,;=:[]<>\"")) {
      return "has a character in the host that is not allowed there";
    }
  }
  return {};
}

std::string_view BracketedHostProblem(std::string_view host) {
  const size_t end = host.rfind(']');
  if (end == std::string_view::npos) return "has no ']' after the IPv6 address";
  if (!ValidOptionalPort(host.substr(end + 1))) return "has a bad port";
  std::string_view address = host.substr(1, end - 1);
  if (const size_t zone = address.find("%25"); zone != std::string_view::npos) {
    if (!ValidEscapes(address) || address.find(' ') != std::string_view::npos) {
      return "has a bad IPv6 zone";
    }
    address = address.substr(0, zone);
  }
  if (!IsAddress(AF_INET6, address)) return "has a bad IPv6 address between the brackets";
  return {};
}

std::string_view AuthorityProblem(std::string_view authority) {
  std::string_view host = authority;
  if (const size_t at = authority.rfind('@'); at != std::string_view::npos) {
    host = authority.substr(at + 1);
    const std::string_view user = authority.substr(0, at);
    if (!ValidEscapes(user)) return "has a bad percent escape in the user";
    for (const char c : user) {
      if (!IsAlnum(c) && !IsOneOf(c, "-._:~!$&'()*+,;=%@")) {
        return "has a character in the user that is not allowed there";
      }
    }
  }
  if (!host.empty() && host.front() == '[') return BracketedHostProblem(host);
  return NamedHostProblem(host);
}

// Length of the scheme; 0 where there is none.
size_t SchemeLength(std::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (IsAlpha(c)) continue;
    if (i > 0 && c == ':') return i;
    if (i == 0 || (!IsDigit(c) && !IsOneOf(c, "+-."))) return 0;
  }
  return 0;
}

struct Algorithm {
  std::string_view name;
  size_t digits;
};
constexpr std::array kHexAlgorithms = {
    Algorithm{"sha256", 64}, Algorithm{"sha512", 128}, Algorithm{"md5", 32},
    Algorithm{"sha1", 40},   Algorithm{"blake3", 64},
};

std::string_view Crc32Problem(std::string_view encoded) {
  if (encoded.empty() || encoded.size() > 10 ||
      !std::all_of(encoded.begin(), encoded.end(), IsDigit)) {
    return "has a crc32 that is not a decimal number of 1 to 10 digits";
  }
  std::uint64_t value = 0;
  for (const char c : encoded) value = value * 10 + static_cast<std::uint64_t>(c - '0');
  if (value > UINT32_MAX) return "has a crc32 above 4294967295";
  return {};
}

}  // namespace

std::string_view UriProblem(std::string_view text) {
  if (text.empty()) return "is empty";
  if (HasControl(text)) return "has a control character";
  const size_t scheme = SchemeLength(text);
  if (scheme == 0) return "has no scheme";

  std::string_view rest = text.substr(scheme + 1);
  if (const size_t hash = rest.find('#'); hash != std::string_view::npos) {
    if (!ValidEscapes(rest.substr(hash + 1))) return "has a bad percent escape in the fragment";
    rest = rest.substr(0, hash);
  }
  rest = rest.substr(0, rest.find('?'));
  if (rest.empty() || rest.front() != '/')
    return {};  // opaque: what follows is the scheme's business

  if (rest.substr(0, 2) == "//") {
    rest.remove_prefix(2);
    const std::string_view authority = rest.substr(0, rest.find('/'));
    if (const std::string_view problem = AuthorityProblem(authority); !problem.empty()) {
      return problem;
    }
    rest.remove_prefix(authority.size());
  }
  if (!ValidEscapes(rest)) return "has a bad percent escape in the path";
  return {};
}

std::string RedactUri(std::string_view text) {
  if (text.find('@') != std::string_view::npos) {
    const size_t scheme = SchemeLength(text);
    return scheme == 0 ? "..." : std::string(text.substr(0, scheme)) + ":...";
  }
  return std::string(text.substr(0, text.find_first_of("?#")));
}

std::string_view DigestProblem(std::string_view text) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos) return "has no ':' after the algorithm";
  const std::string_view name = text.substr(0, colon);
  const std::string_view encoded = text.substr(colon + 1);
  if (name == "crc32") return Crc32Problem(encoded);
  for (const Algorithm& algorithm : kHexAlgorithms) {
    if (name != algorithm.name) continue;
    if (encoded.size() != algorithm.digits) return "has the wrong length for its algorithm";
    if (!std::all_of(encoded.begin(), encoded.end(), IsHex)) return "is not hexadecimal";
    return {};
  }
  return "has an unknown algorithm";
}

bool IsIpLiteral(std::string_view text) {
  return IsAddress(AF_INET, text) || IsAddress(AF_INET6, text);
}

std::string_view HostnameProblem(std::string_view text) {
  if (text.size() > 253) return "is longer than 253 characters";
  if (!text.empty() && text.back() == '.') text.remove_suffix(1);
  if (text.empty()) return "is empty";
  while (true) {
    const size_t dot = text.find('.');
    const std::string_view label = text.substr(0, dot);
    if (label.empty()) return "has an empty label";
    if (label.size() > 63) return "has a label of more than 63 characters";
    if (label.front() == '-' || label.back() == '-') return "has a label with a hyphen at its end";
    for (const char c : label) {
      if (!IsAlnum(c) && c != '-') return "has a character other than letters, digits and hyphens";
    }
    if (dot == std::string_view::npos) return {};
    text.remove_prefix(dot + 1);
  }
}

bool IsHeaderName(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return IsAlnum(c) || IsOneOf(c, "!#$%&'*+-.^_`|~");
  });
}

bool IsHeaderValue(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) { return IsControl(c) && c != '\t'; });
}

bool HasControl(std::string_view text) { return std::any_of(text.begin(), text.end(), IsControl); }

}  // namespace dragonfly::proto::rules
