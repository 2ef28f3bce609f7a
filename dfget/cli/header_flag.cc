#include "dfget/cli/header_flag.h"

#include <algorithm>
#include <cctype>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string_view>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/log/redact.h"
#include "common/status/reason.h"
#include "common/status/strings.h"

namespace dragonfly::dfget::cli {
namespace {

using common::status::Invalid;
using common::status::StdView;
using common::status::Sv;

constexpr size_t kMaxFileBytes = size_t{64} << 10;
constexpr size_t kMaxHeaders = 128;

std::string_view Trim(std::string_view text) {
  return StdView(absl::StripAsciiWhitespace(Sv(text)));
}

// RFC 9110, 5.6.2.
bool IsToken(std::string_view text) {
  static constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
           kMarks.find(c) != std::string_view::npos;
  });
}

// Tab and everything from space on, DEL aside.
bool IsFieldValue(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte == '\t' || (byte >= 0x20 && byte != 0x7F);
  });
}

// `where` says where the line was given.
absl::Status AddHeader(std::string_view line, const std::string& where, HeaderMap& headers) {
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) {
    return Invalid(absl::StrCat(where, ": no colon; write it as 'Name: value'"));
  }
  const std::string_view name = line.substr(0, colon);
  const std::string_view value = Trim(line.substr(colon + 1));
  if (!IsToken(name)) {
    return Invalid(absl::StrCat(where,
                                ": the name before the colon is empty or has characters that"
                                " a header name cannot have; write it as 'Name: value'"));
  }
  if (!IsFieldValue(value)) {
    return Invalid(
        absl::StrCat(where, ": the value of ", Sv(name), " has control characters; remove them"));
  }
  std::string key = absl::AsciiStrToLower(Sv(name));
  if (key == "range") {
    return Invalid(
        absl::StrCat(where, ": Range is not supported by dfget; download the whole file"));
  }
  headers[std::move(key)] = std::string(value);
  if (headers.size() > kMaxHeaders) {
    return Invalid(absl::StrCat("--header: more than ", kMaxHeaders, " headers; give fewer"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadAll(const std::string& file) {
  std::ifstream stream;
  if (file != "-") {
    stream.open(file, std::ios::binary);
    if (!stream.is_open()) {
      return Invalid(absl::StrCat("--header @", file, ": cannot be read: ", std::strerror(errno)));
    }
  }
  std::istream& in = file == "-" ? std::cin : stream;
  std::string text(kMaxFileBytes + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(in.gcount()));
  if (in.bad()) return Invalid(absl::StrCat("--header @", file, ": cannot be read"));
  if (text.size() > kMaxFileBytes) {
    return Invalid(absl::StrCat("--header @", file, ": longer than ", kMaxFileBytes, " bytes"));
  }
  return text;
}

absl::Status AddFile(const std::string& file, HeaderMap& headers) {
  absl::StatusOr<std::string> text = ReadAll(file);
  if (!text.ok()) return text.status();
  std::string_view rest = *text;
  for (int number = 1; !rest.empty(); ++number) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = Trim(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.empty() || line.starts_with('#')) continue;
    absl::Status added =
        AddHeader(line, absl::StrCat("--header @", file, ", line ", number), headers);
    if (!added.ok()) return added;
  }
  return absl::OkStatus();
}

void Hide(char* begin, size_t length) { std::fill_n(begin, length, '*'); }

// "Name: value" with a secret name; hides the value.
bool HideHeader(char* text, std::vector<std::string>& names) {
  const std::string_view line(text);
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos || !common::log::IsSecretName(line.substr(0, colon))) {
    return false;
  }
  names.emplace_back(line.substr(0, colon));
  Hide(text + colon + 1, line.size() - colon - 1);
  return true;
}

// "scheme://user:password@host/": hides what stands before the '@'.
void HideUserinfo(char* text) {
  const std::string_view url(text);
  const size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return;
  const size_t begin = scheme + 3;
  const size_t end = std::min(url.find_first_of("/?#", begin), url.size());
  const size_t at = url.substr(0, end).rfind('@');
  if (at == std::string_view::npos || at < begin) return;
  Hide(text + begin, at - begin);
}

}  // namespace

absl::StatusOr<HeaderMap> ParseHeaders(const std::vector<std::string>& flags) {
  HeaderMap headers;
  for (const std::string& flag : flags) {
    absl::Status added = flag.starts_with('@') ? AddFile(flag.substr(1), headers)
                                               : AddHeader(flag, "--header", headers);
    if (!added.ok()) return added;
  }
  return headers;
}

std::vector<std::string> HideSecrets(int argc, char** argv) {
  constexpr std::string_view kLong = "--header=";
  std::vector<std::string> names;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument(argv[i]);
    const bool detached = argument == "-H" || argument == "--header";
    if (detached && i + 1 < argc) {
      ++i;
      HideHeader(argv[i], names);
    } else if (argument.starts_with(kLong)) {
      HideHeader(argv[i] + kLong.size(), names);
    } else if (argument.starts_with("-H")) {
      HideHeader(argv[i] + 2, names);
    } else {
      HideUserinfo(argv[i]);
    }
  }
  return names;
}

}  // namespace dragonfly::dfget::cli
