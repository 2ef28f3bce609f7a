#include "dfget/cli/error_block.h"

#include <unistd.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/log/redact.h"
#include "common/status/reason.h"
#include "common/status/strings.h"

namespace dragonfly::dfget::cli {
namespace {

using common::status::Sv;

constexpr char kHeadlineStyle[] = "\x1b[31;1;3m";
constexpr char kLabelStyle[] = "\x1b[36m";
constexpr char kNoStyle[] = "\x1b[0m";

class Block {
 public:
  explicit Block(bool colour) : colour_(colour) {}

  void Headline(std::string_view text) { Styled(kHeadlineStyle, text, "\n"); }
  void Rule() { Styled(kLabelStyle, std::string(40, '*'), "\n"); }
  void Labelled(std::string_view label, std::string_view value) {
    Styled(kLabelStyle, label, value.empty() ? "" : " ");
    absl::StrAppend(&text_, Printable(value), "\n");
  }
  void Header(std::string_view key, std::string_view value) {
    const bool secret = common::log::IsSecretName(key);
    absl::StrAppend(&text_, "  [", Printable(key),
                    "]: ", Printable(secret ? common::log::kRedacted : value), "\n");
  }
  std::string Take() { return std::move(text_); }

 private:
  void Styled(const char* style, std::string_view text, const char* after) {
    absl::StrAppend(&text_, colour_ ? style : "", Sv(text), colour_ ? kNoStyle : "", after);
  }
  const bool colour_;
  std::string text_;
};

void AddOrigin(const common::status::OriginError& origin, Block& block) {
  if (origin.http_status != 0) {
    block.Labelled("Bad Status Code:", std::to_string(origin.http_status));
  }
  const nlohmann::json header =
      nlohmann::json::parse(origin.header_json, nullptr, /*allow_exceptions=*/false);
  if (!header.is_object() || header.empty()) return;
  block.Labelled("Header:", "");
  for (const auto& [key, value] : header.items()) {
    if (value.is_string()) block.Header(key, value.get<std::string>());
  }
}

}  // namespace

std::string ErrorBlock(std::string_view headline, const absl::Status& status, bool colour) {
  Block block(colour);
  block.Headline(headline);
  block.Rule();
  const std::optional<common::status::OriginError> origin = common::status::OriginOf(status);
  std::string_view message = common::status::MessageOf(status);
  if (message.empty() && origin.has_value()) message = origin->message;
  block.Labelled("Message:", common::log::RedactText(message));
  if (origin.has_value()) {
    AddOrigin(*origin, block);
  } else {
    block.Labelled("Bad Code:", absl::StatusCodeToString(status.code()));
    block.Labelled("Reason:", common::status::ReasonName(common::status::ReasonOf(status)));
  }
  block.Rule();
  return block.Take();
}

std::string Printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F) {
      absl::StrAppendFormat(&out, "\\x%02x", byte);
    } else {
      out.push_back(c);
    }
  }
  return out;
}

bool WantsColour(int fd) {
  const char* no_colour = std::getenv("NO_COLOR");
  if (no_colour != nullptr && *no_colour != '\0') return false;
  const char* term = std::getenv("TERM");
  if (term != nullptr && std::string_view(term) == "dumb") return false;
  return ::isatty(fd) == 1;
}

}  // namespace dragonfly::dfget::cli
