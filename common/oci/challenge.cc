#include "common/oci/challenge.h"

#include <algorithm>
#include <cctype>
#include <optional>

#include "common/http/headers.h"

namespace dragonfly::common::oci {
namespace {

constexpr size_t kMostChallenges = 8;
constexpr size_t kMostParameters = 16;

std::string Lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](char c) {
    return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  });
  return out;
}

class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  bool at_end() const { return rest_.empty(); }
  void SkipBlanks() {
    while (!rest_.empty() && (rest_.front() == ' ' || rest_.front() == '\t'))
      rest_.remove_prefix(1);
  }
  bool Take(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  // Blanks and empty elements of a list.
  void SkipCommas() {
    do {
      SkipBlanks();
    } while (Take(','));
  }
  // Empty: none is here.
  std::string_view Token() {
    size_t length = 0;
    while (length < rest_.size() && http::IsFieldName(rest_.substr(length, 1))) ++length;
    const std::string_view token = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return token;
  }
  // A token, or a text in quotes without them.
  std::optional<std::string> Value() {
    if (!Take('"')) {
      const std::string_view token = Token();
      if (token.empty()) return std::nullopt;
      return std::string(token);
    }
    std::string out;
    while (!rest_.empty()) {
      char c = rest_.front();
      rest_.remove_prefix(1);
      if (c == '"') return out;
      if (c == '\\') {
        if (rest_.empty()) return std::nullopt;
        c = rest_.front();
        rest_.remove_prefix(1);
      }
      out.push_back(c);
    }
    return std::nullopt;  // no end
  }
  std::string_view rest() const { return rest_; }
  void Reset(std::string_view rest) { rest_ = rest; }

 private:
  std::string_view rest_;
};

// "name=value"; nothing is taken when something else is here.
std::optional<std::pair<std::string, std::string>> TakeParameter(Reader& reader) {
  const std::string_view before = reader.rest();
  const std::string name = Lower(reader.Token());
  reader.SkipBlanks();
  if (!name.empty() && reader.Take('=')) {
    reader.SkipBlanks();
    std::optional<std::string> value = reader.Value();
    reader.SkipBlanks();
    if (value.has_value() && (reader.at_end() || reader.rest().front() == ',')) {
      return std::pair(name, *std::move(value));
    }
  }
  reader.Reset(before);
  return std::nullopt;
}

}  // namespace

std::string_view Challenge::Find(std::string_view name) const {
  for (const auto& [key, value] : parameters) {
    if (key == name) return value;
  }
  return {};
}

std::vector<Challenge> ParseChallenges(std::string_view header) {
  std::vector<Challenge> challenges;
  Reader reader(header);
  while (challenges.size() < kMostChallenges) {
    reader.SkipCommas();
    Challenge challenge;
    challenge.scheme = Lower(reader.Token());
    if (challenge.scheme.empty()) break;
    const bool more = reader.Take(' ');
    bool readable = more || reader.at_end() || reader.Take(',');
    while (more) {
      reader.SkipCommas();
      std::optional<std::pair<std::string, std::string>> parameter = TakeParameter(reader);
      if (!parameter.has_value()) break;
      if (challenge.parameters.size() == kMostParameters) {
        readable = false;
        break;
      }
      challenge.parameters.push_back(*std::move(parameter));
    }
    if (!readable) break;
    challenges.push_back(std::move(challenge));
  }
  return challenges;
}

}  // namespace dragonfly::common::oci
