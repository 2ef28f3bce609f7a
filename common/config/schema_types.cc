// The types of value that a schema knows: how they are read and printed.

#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/config/schema.h"
#include "common/net/endpoint.h"
#include "common/status/parse.h"
#include "common/status/reason.h"
#include "common/status/strings.h"

namespace dragonfly::common::config {
namespace {

using status::ErrorReason;

absl::Status Wrong(const Value& value, std::string_view expected) {
  std::string got;
  switch (value.kind) {
    case Value::Kind::kNull:
      got = "nothing";
      break;
    case Value::Kind::kScalar:
      got = absl::StrCat("'", value.scalar.substr(0, 80), "'");
      break;
    case Value::Kind::kList:
      got = "a list";
      break;
    case Value::Kind::kMap:
      got = "a section";
      break;
  }
  return status::MakeStatus(absl::StatusCode::kInvalidArgument, ErrorReason::kInvalidArgument,
                            absl::StrCat(got, " is not ", status::Sv(expected)));
}

// In double quotes; control characters as \xXX, which a parser would fold or take for the end of
// the line.
std::string Quoted(std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out = "\"";
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      out += "\\x";
      out += kHex[byte >> 4U];
      out += kHex[byte & 0xFU];
      continue;
    }
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

}  // namespace

absl::Status Schema::ReadInteger(const Value& value, int64_t min, int64_t max, int64_t* number) {
  const std::string expected = absl::StrCat("a number from ", min, " to ", max);
  if (value.kind != Value::Kind::kScalar) return Wrong(value, expected);
  const std::optional<int64_t> read = status::ParseInteger<int64_t>(value.scalar);
  if (!read.has_value() || *read < min || *read > max) return Wrong(value, expected);
  *number = *read;
  return absl::OkStatus();
}

void Schema::Flag(std::string key, bool* member, std::string doc) {
  Add(
      std::move(key), "true or false", std::move(doc),
      [member](const Value& value) {
        if (value.kind != Value::Kind::kScalar) return Wrong(value, "true or false");
        if (value.scalar == "true" || value.scalar == "True" || value.scalar == "TRUE") {
          *member = true;
        } else if (value.scalar == "false" || value.scalar == "False" || value.scalar == "FALSE") {
          *member = false;
        } else {
          return Wrong(value, "true or false");
        }
        return absl::OkStatus();
      },
      [member] { return std::string(*member ? "true" : "false"); });
}

void Schema::Text(std::string key, std::string* member, std::string doc) {
  Add(
      std::move(key), "text", std::move(doc),
      [member](const Value& value) {
        if (value.kind != Value::Kind::kScalar) return Wrong(value, "a text");
        *member = value.scalar;
        return absl::OkStatus();
      },
      [member] { return member->empty() ? std::string() : Quoted(*member); });
}

void Schema::Choice(std::string key, std::string* member, std::vector<std::string> choices,
                    std::string doc) {
  const std::string type = absl::StrJoin(choices, ", ");
  Add(
      std::move(key), type, std::move(doc),
      [member, choices, type](const Value& value) {
        for (const std::string& choice : choices) {
          if (value.kind == Value::Kind::kScalar && value.scalar == choice) {
            *member = choice;
            return absl::OkStatus();
          }
        }
        return Wrong(value, absl::StrCat("one of ", type));
      },
      [member] { return *member; });
}

void Schema::Ip(std::string key, std::string* member, std::string doc) {
  Add(
      std::move(key), "IP address", std::move(doc),
      [member](const Value& value) {
        if (value.kind != Value::Kind::kScalar) return Wrong(value, "an IP address");
        if (!value.scalar.empty() && !net::IpAddress::Parse(value.scalar).ok()) {
          return Wrong(value, "an IP address such as 10.0.0.1 or fd00::1");
        }
        *member = value.scalar;
        return absl::OkStatus();
      },
      [member] { return member->empty() ? std::string() : Quoted(*member); });
}

void Schema::Port(std::string key, uint16_t* member, std::string doc) {
  Number<uint16_t>(std::move(key), member, 0, 65535, std::move(doc));
}

void Schema::Real(std::string key, double* member, double min, double max, std::string doc) {
  Add(
      std::move(key), "number", std::move(doc),
      [member, min, max](const Value& value) {
        const std::string expected = absl::StrCat("a number from ", min, " to ", max);
        if (value.kind != Value::Kind::kScalar) return Wrong(value, expected);
        const std::optional<double> read = status::ParseDouble(value.scalar);
        if (!read.has_value() || *read < min || *read > max) return Wrong(value, expected);
        *member = *read;
        return absl::OkStatus();
      },
      [member] { return absl::StrCat(*member); });
}

void Schema::Duration(std::string key, absl::Duration* member, absl::Duration min,
                      std::string doc) {
  Add(
      std::move(key), "duration", std::move(doc),
      [member, min](const Value& value) {
        const std::string expected = absl::StrCat(
            "a duration of at least ", status::DurationText(min), ", such as 30s or 1h 5m");
        if (value.kind != Value::Kind::kScalar) return Wrong(value, expected);
        absl::StatusOr<absl::Duration> read = status::ParseDuration(value.scalar);
        if (!read.ok() || *read < min) return Wrong(value, expected);
        *member = *read;
        return absl::OkStatus();
      },
      [member] { return status::DurationText(*member); });
}

void Schema::Size(std::string key, uint64_t* member, std::string doc) {
  Add(
      std::move(key), "size", std::move(doc),
      [member](const Value& value) {
        if (value.kind != Value::Kind::kScalar) return Wrong(value, "a number of bytes");
        absl::StatusOr<uint64_t> read = status::ParseByteSize(value.scalar);
        if (!read.ok()) return Wrong(value, "a number of bytes such as 4096, 64MiB or 50GB");
        *member = *read;
        return absl::OkStatus();
      },
      [member] { return status::ByteSizeText(*member); });
}

void Schema::Mode(std::string key, uint32_t* member, std::string doc) {
  Add(
      std::move(key), "octal mode", std::move(doc),
      [member](const Value& value) {
        constexpr std::string_view kExpected = "a file mode in octal, such as 0660";
        if (value.kind != Value::Kind::kScalar || value.scalar.empty() || value.scalar.size() > 5) {
          return Wrong(value, kExpected);
        }
        uint32_t mode = 0;
        for (char c : value.scalar) {
          if (c < '0' || c > '7') return Wrong(value, kExpected);
          mode = mode * 8 + static_cast<uint32_t>(c - '0');
        }
        if (mode > 0777) return Wrong(value, kExpected);
        *member = mode;
        return absl::OkStatus();
      },
      [member] {
        char text[16];
        std::snprintf(text, sizeof(text), "\"%04o\"", *member);
        return std::string(text);
      });
}

void Schema::TextList(std::string key, std::vector<std::string>* member, std::string doc) {
  Add(
      std::move(key), "list of texts", std::move(doc),
      [member](const Value& value) {
        if (value.kind != Value::Kind::kList) return Wrong(value, "a list");
        std::vector<std::string> texts;
        for (const Value& one : value.list) {
          if (one.kind != Value::Kind::kScalar) return Wrong(one, "a text");
          texts.push_back(one.scalar);
        }
        *member = std::move(texts);
        return absl::OkStatus();
      },
      [member] {
        std::vector<std::string> quoted;
        for (const std::string& text : *member) quoted.push_back(Quoted(text));
        return quoted.empty() ? std::string() : absl::StrCat("[", absl::StrJoin(quoted, ", "), "]");
      });
}

void Schema::TextMap(std::string key, std::map<std::string, std::string>* member, std::string doc) {
  Add(
      std::move(key), "map of texts", std::move(doc),
      [member](const Value& value) {
        if (value.kind != Value::Kind::kMap) return Wrong(value, "a section of texts");
        std::map<std::string, std::string> texts;
        for (const auto& [name, one] : value.map) {
          if (one.kind != Value::Kind::kScalar) return Wrong(one, "a text");
          texts[name] = one.scalar;
        }
        *member = std::move(texts);
        return absl::OkStatus();
      },
      [member] {
        std::vector<std::string> pairs;
        for (const auto& [name, text] : *member)
          pairs.push_back(absl::StrCat(Quoted(name), ": ", Quoted(text)));
        return pairs.empty() ? std::string() : absl::StrCat("{", absl::StrJoin(pairs, ", "), "}");
      });
}

}  // namespace dragonfly::common::config
