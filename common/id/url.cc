#include "common/id/url.h"

#include <algorithm>
#include <array>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/id/text_codec.h"
#include "common/id/url_host.h"
#include "common/status/parse.h"
#include "common/status/reason.h"
#include "common/status/strings.h"

namespace dragonfly::common::id {
namespace {

using status::StdView;
using status::Sv;

struct SpecialScheme {
  std::string_view name;
  uint16_t port;  // 0: none
};
constexpr std::array<SpecialScheme, 6> kSpecialSchemes = {
    {{"http", 80}, {"https", 443}, {"ws", 80}, {"wss", 443}, {"ftp", 21}, {"file", 0}}};

const SpecialScheme* FindSpecial(std::string_view scheme) {
  for (const SpecialScheme& special : kSpecialSchemes) {
    if (special.name == scheme) return &special;
  }
  return nullptr;
}

// What may be shown of a URL that could not be parsed: no query, no credentials.
std::string Shown(std::string_view text) {
  text = text.substr(0, std::min(text.find_first_of("?#"), size_t{200}));
  if (const size_t at = text.rfind('@'); at != std::string_view::npos) {
    const size_t scheme_end = text.find("://");
    const size_t start = scheme_end == std::string_view::npos ? 0 : scheme_end + 3;
    return absl::StrCat(Sv(text.substr(0, start)), "***", Sv(text.substr(at)));
  }
  return std::string(text);
}

absl::Status Refuse(std::string_view text, std::string_view why) {
  return status::MakeStatus(absl::StatusCode::kInvalidArgument,
                            status::ErrorReason::kInvalidArgument,
                            StdView(absl::StrCat("URL '", Shown(text), "': ", Sv(why))));
}

// Control characters and spaces around the text, and tabs and line ends anywhere, do not count.
std::string Trimmed(std::string_view text) {
  const auto is_edge = [](char c) { return static_cast<unsigned char>(c) <= 0x20; };
  while (!text.empty() && is_edge(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_edge(text.back())) text.remove_suffix(1);
  std::string out(text);
  std::erase_if(out, [](char c) { return c == '\t' || c == '\n' || c == '\r'; });
  return out;
}

// "." and ".." may be written with %2e.
size_t DotsOf(std::string_view segment) {
  size_t dots = 0;
  while (!segment.empty() && dots < 3) {
    if (segment.front() == '.') {
      segment.remove_prefix(1);
    } else if (segment.size() >= 3 && segment[0] == '%' && segment[1] == '2' &&
               (segment[2] == 'e' || segment[2] == 'E')) {
      segment.remove_prefix(3);
    } else {
      return 0;
    }
    ++dots;
  }
  return segment.empty() && dots <= 2 ? dots : 0;
}

// `raw` begins with a slash or is empty. Slash-separated segments, dots resolved, encoded.
std::string NormalizePath(std::string_view raw, bool special) {
  std::vector<std::string> segments;
  const std::string_view slashes = special ? "/\\" : "/";
  if (!raw.empty()) raw.remove_prefix(1);
  while (true) {
    const size_t end = raw.find_first_of(slashes);
    const std::string_view segment = raw.substr(0, end);
    const bool last = end == std::string_view::npos;
    const size_t dots = DotsOf(segment);
    if (dots == 2 && !segments.empty()) segments.pop_back();
    if (dots == 0) {
      AppendPercentEncoded(segment, EncodeSet::kPath, segments.emplace_back());
    } else if (last) {
      segments.emplace_back();  // "/a/." is "/a/"
    }
    if (last) break;
    raw.remove_prefix(end + 1);
  }
  std::string path;
  for (const std::string& segment : segments) path.append("/").append(segment);
  return path;
}

class Parser {
 public:
  explicit Parser(std::string_view text) : original_(text), text_(Trimmed(text)), rest_(text_) {}

  absl::StatusOr<Url> Run() {
    if (!IsValidUtf8(text_)) return Refuse(original_, "is not UTF-8 text");
    if (absl::Status s = TakeScheme(); !s.ok()) return s;
    TakeQueryAndFragment();
    if (special_ != nullptr) {
      std::replace(
          text_.begin() + (rest_.data() - text_.data()),
          text_.begin() + (rest_.data() - text_.data()) + static_cast<std::ptrdiff_t>(rest_.size()),
          '\\', '/');
    }
    if (special_ != nullptr && special_->port != 0) {
      // Any number of slashes, none included, leads to the authority.
      rest_.remove_prefix(std::min(rest_.find_first_not_of('/'), rest_.size()));
      if (absl::Status s = TakeAuthority(); !s.ok()) return s;
    } else if (rest_.starts_with("//")) {
      rest_.remove_prefix(2);
      if (absl::Status s = TakeAuthority(); !s.ok()) return s;
    } else if (special_ != nullptr) {
      url_.host = "";  // file:/x
    }
    TakePath();
    return std::move(url_);
  }

 private:
  absl::Status TakeScheme() {
    const size_t colon = rest_.find(':');
    if (colon == std::string_view::npos || colon == 0) {
      return Refuse(original_, "has no scheme; write for example https://host/path");
    }
    url_.scheme = absl::AsciiStrToLower(Sv(rest_.substr(0, colon)));
    const auto is_letter = [](char c) { return c >= 'a' && c <= 'z'; };
    const auto is_scheme = [&is_letter](char c) {
      return is_letter(c) || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
    };
    if (!is_letter(url_.scheme.front()) ||
        !std::all_of(url_.scheme.begin(), url_.scheme.end(), is_scheme)) {
      return Refuse(original_, "has no scheme; write for example https://host/path");
    }
    special_ = FindSpecial(url_.scheme);
    rest_.remove_prefix(colon + 1);
    return absl::OkStatus();
  }

  void TakeQueryAndFragment() {
    if (const size_t hash = rest_.find('#'); hash != std::string_view::npos) {
      url_.fragment.emplace();
      AppendPercentEncoded(rest_.substr(hash + 1), EncodeSet::kFragment, *url_.fragment);
      rest_ = rest_.substr(0, hash);
    }
    if (const size_t mark = rest_.find('?'); mark != std::string_view::npos) {
      url_.query.emplace();
      AppendPercentEncoded(rest_.substr(mark + 1),
                           special_ != nullptr ? EncodeSet::kSpecialQuery : EncodeSet::kQuery,
                           *url_.query);
      rest_ = rest_.substr(0, mark);
    }
  }

  absl::Status TakeAuthority() {
    const size_t end = std::min(rest_.find('/'), rest_.size());
    std::string_view authority = rest_.substr(0, end);
    rest_.remove_prefix(end);
    const size_t at = authority.rfind('@');
    if (at != std::string_view::npos) {
      TakeUserinfo(authority.substr(0, at));
      authority.remove_prefix(at + 1);
    }
    const size_t bracket = authority.rfind(']');
    const size_t colon = authority.find(
        ':', bracket == std::string_view::npos || !authority.starts_with('[') ? 0 : bracket);
    const std::string_view host = authority.substr(0, colon);
    const bool is_file = special_ != nullptr && special_->port == 0;
    if (host.empty() && (colon != std::string_view::npos || at != std::string_view::npos ||
                         (special_ != nullptr && !is_file))) {
      return Refuse(original_, "has no host");
    }
    if (!host.empty()) {
      auto normalized = NormalizeHost(host, special_ != nullptr);
      if (!normalized.ok()) return Refuse(original_, status::MessageOf(normalized.status()));
      url_.host = *std::move(normalized);
      if (is_file && url_.host == "localhost") url_.host = "";
    } else {
      url_.host = "";
    }
    if (colon == std::string_view::npos) return absl::OkStatus();
    return TakePort(authority.substr(colon + 1), is_file);
  }

  void TakeUserinfo(std::string_view userinfo) {
    const size_t colon = userinfo.find(':');
    AppendPercentEncoded(userinfo.substr(0, colon), EncodeSet::kUserinfo, url_.username);
    if (colon == std::string_view::npos) return;
    AppendPercentEncoded(userinfo.substr(colon + 1), EncodeSet::kUserinfo, url_.password);
  }

  absl::Status TakePort(std::string_view digits, bool is_file) {
    if (digits.empty() && !is_file) return absl::OkStatus();
    // ParseInteger takes leading zeros, as it must here.
    const auto port = status::ParseInteger<uint16_t>(digits);
    if (!port || is_file) return Refuse(original_, "the port is not a number from 0 to 65535");
    if (special_ == nullptr || special_->port != *port) url_.port = *port;
    return absl::OkStatus();
  }

  void TakePath() {
    if (!url_.host && !rest_.starts_with('/')) {  // opaque, like "mailto:x"
      AppendPercentEncoded(rest_, EncodeSet::kControl, url_.path);
      return;
    }
    if (rest_.empty() && special_ == nullptr) return;
    url_.path = NormalizePath(rest_, special_ != nullptr);
    if (url_.path.empty()) url_.path = "/";
  }

  const std::string_view original_;
  std::string text_;
  std::string_view rest_;
  const SpecialScheme* special_ = nullptr;
  Url url_;
};

}  // namespace

absl::StatusOr<Url> Url::Parse(std::string_view text) { return Parser(text).Run(); }

std::string Url::ToString() const {
  std::string text = absl::StrCat(scheme, ":");
  if (host) {
    text += "//";
    if (!username.empty() || !password.empty()) {
      text += username;
      if (!password.empty()) absl::StrAppend(&text, ":", password);
      text += '@';
    }
    text += *host;
    if (port) absl::StrAppend(&text, ":", *port);
  } else if (path.starts_with("//")) {
    text += "/.";  // else the path would be read as a host
  }
  text += path;
  if (query) absl::StrAppend(&text, "?", *query);
  if (fragment) absl::StrAppend(&text, "#", *fragment);
  return text;
}

uint16_t Url::EffectivePort() const {
  if (port) return *port;
  const SpecialScheme* special = FindSpecial(scheme);
  return special == nullptr ? uint16_t{0} : special->port;
}

std::vector<QueryPair> ParseQuery(std::string_view query) {
  const auto decode = [](std::string_view text) {
    std::string plain(text);
    std::replace(plain.begin(), plain.end(), '+', ' ');
    return ReplaceInvalidUtf8(PercentDecode(plain));
  };
  std::vector<QueryPair> pairs;
  while (!query.empty()) {
    const size_t end = std::min(query.find('&'), query.size());
    const std::string_view piece = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (piece.empty()) continue;
    const size_t equals = piece.find('=');
    pairs.push_back({decode(piece.substr(0, equals)),
                     equals == std::string_view::npos ? "" : decode(piece.substr(equals + 1))});
  }
  return pairs;
}

std::string SerializeQuery(const std::vector<QueryPair>& pairs) {
  std::string out;
  const auto append = [&out](std::string_view text) {
    for (const char c : text) {
      const auto byte = static_cast<unsigned char>(c);
      if (absl::ascii_isalnum(byte) || c == '*' || c == '-' || c == '.' || c == '_') {
        out += c;
      } else if (c == ' ') {
        out += '+';
      } else {
        out += '%';
        out += kHexDigits[byte >> 4U];
        out += kHexDigits[byte & 15U];
      }
    }
  };
  for (const QueryPair& pair : pairs) {
    if (!out.empty()) out += '&';
    append(pair.key);
    out += '=';
    append(pair.value);
  }
  return out;
}

absl::StatusOr<std::string> CanonicalUrl(std::string_view url,
                                         const std::vector<std::string>& filtered_query_params) {
  auto parsed = Url::Parse(url);
  if (!parsed.ok()) return parsed.status();
  std::vector<QueryPair> pairs = ParseQuery(parsed->query.value_or(""));
  std::erase_if(pairs, [&filtered_query_params](const QueryPair& pair) {
    return std::find(filtered_query_params.begin(), filtered_query_params.end(), pair.key) !=
           filtered_query_params.end();
  });
  if (pairs.empty()) {
    parsed->query.reset();
    // Blanks at the end of "mailto:x ?" were inside; now nothing is behind them, and they do not
    // count.
    if (!parsed->host && !parsed->path.starts_with('/') && !parsed->fragment) {
      while (parsed->path.ends_with(' ')) parsed->path.pop_back();
    }
  } else {
    parsed->query = SerializeQuery(pairs);
  }
  std::string text = parsed->ToString();
  // Also when the slash at the end belongs to a fragment: so do the nodes that we must agree with.
  if (parsed->path == "/") {
    while (text.ends_with('/')) text.pop_back();
  }
  return text;
}

}  // namespace dragonfly::common::id
