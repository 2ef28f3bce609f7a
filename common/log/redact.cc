#include "common/log/redact.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string>
#include <string_view>

namespace dragonfly::common::log {
namespace {

// Parts of squeezed names (lower case, without '-' and '_').
constexpr std::array<std::string_view, 14> kSecretParts = {
    "authorization", "cookie", "password",   "passwd",     "secret", "accesskey", "token",
    "signature",     "xamz",   "credential", "privatekey", "apikey", "xgoog",     "qak"};

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return lower;
}

bool IsNameCharacter(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || c == '.';
}

size_t EndOfUrl(std::string_view text, size_t from) {
  return std::min(text.find_first_of(" \t\r\n\"'<>", from), text.size());
}

// `rest` is what stands behind "://".
std::string RedactUrlRest(std::string_view rest) {
  std::string out;
  const size_t authority_end = std::min(rest.find_first_of("/?#"), rest.size());
  const size_t at = rest.substr(0, authority_end).rfind('@');
  if (at != std::string_view::npos) {
    out += kRedacted;
    rest.remove_prefix(at);
  }
  const size_t question = rest.find('?');
  if (question == std::string_view::npos) return out += rest;
  out += rest.substr(0, question + 1);
  std::string_view query = rest.substr(question + 1);
  const size_t hash = std::min(query.find('#'), query.size());
  const std::string_view fragment = query.substr(hash);
  query = query.substr(0, hash);
  while (true) {
    const size_t amp = query.find('&');
    const std::string_view pair = query.substr(0, amp);
    const size_t equals = pair.find('=');
    if (equals != std::string_view::npos && IsSecretName(pair.substr(0, equals))) {
      out += pair.substr(0, equals + 1);
      out += kRedacted;
    } else {
      out += pair;
    }
    if (amp == std::string_view::npos) break;
    out += '&';
    query.remove_prefix(amp + 1);
  }
  return out += fragment;
}

// Where a secret value that begins at `from` ends: with its quote, or at what separates fields. The
// value of a header ("Authorization: Bearer abc") has a word of its own before the secret.
size_t EndOfValue(std::string_view text, size_t from) {
  size_t end = std::min(text.find_first_of(" \t\r\n\"'<>&,;}", from), text.size());
  const std::string word = Lower(text.substr(from, end - from));
  if ((word == "bearer" || word == "basic") && end < text.size() && text[end] == ' ') {
    end = std::min(text.find_first_of(" \t\r\n\"'<>&,;}", end + 1), text.size());
  }
  return end;
}

// A name in front of position `at` (a ':' or '='), with or without quotes.
std::string_view NameBefore(std::string_view text, size_t at) {
  size_t end = at;
  if (end > 0 && (text[end - 1] == '"' || text[end - 1] == '\'')) --end;
  size_t begin = end;
  while (begin > 0 && IsNameCharacter(text[begin - 1])) --begin;
  return text.substr(begin, end - begin);
}

}  // namespace

bool IsSecretName(std::string_view name) {
  std::string squeezed;
  for (char c : Lower(name)) {
    if (c != '-' && c != '_') squeezed += c;
  }
  if (squeezed == "sig") return true;
  return std::any_of(kSecretParts.begin(), kSecretParts.end(), [&squeezed](std::string_view part) {
    return squeezed.find(part) != std::string::npos;
  });
}

std::string RedactUrl(std::string_view url) {
  const size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return std::string(url);
  return std::string(url.substr(0, scheme + 3)) + RedactUrlRest(url.substr(scheme + 3));
}

std::string RedactText(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    if (text.compare(i, 3, "://") == 0) {
      const size_t end = EndOfUrl(text, i + 3);
      out += "://";
      out += RedactUrlRest(text.substr(i + 3, end - i - 3));
      i = end;
      continue;
    }
    const char c = text[i];
    out += c;
    ++i;
    if ((c == ':' || c == '=') && IsSecretName(NameBefore(text, i - 1))) {
      while (i < text.size() && (text[i] == ' ' || text[i] == '"' || text[i] == '\''))
        out += text[i++];
      const size_t end = EndOfValue(text, i);
      if (end > i) out += kRedacted;
      i = end;
    } else if (c == ' ' && i >= 6) {
      // Credentials without a name in front; words of plain text are shorter.
      const std::string before = Lower(text.substr(i >= 7 ? i - 7 : 0, i >= 7 ? 6 : i - 1));
      const size_t end = EndOfUrl(text, i);
      if ((before.ends_with("bearer") || before.ends_with("basic")) && end - i >= 8) {
        out += kRedacted;
        i = end;
      }
    }
  }
  return out;
}

}  // namespace dragonfly::common::log
