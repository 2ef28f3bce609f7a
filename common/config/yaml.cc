#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/config/value.h"
#include "common/status/reason.h"
#include "common/status/strings.h"

namespace dragonfly::common::config {
namespace {

constexpr size_t kMaxYamlValues = 10'000;
constexpr size_t kMaxYamlDepth = 32;

// What is wrong, thrown out of the parser's callbacks; it never leaves this file.
struct Refused {
  int line;
  std::string message;
};

// Builds a Value from the parser's events, which bounds what a file may cost before it is expanded.
class Builder : public YAML::EventHandler {
 public:
  Value Take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (documents_++ > 0) throw Refused{mark.line + 1, "more than one document"};
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Check(mark, anchor);
    Add(Value{Value::Kind::kNull, mark.line + 1, "", {}, {}});
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    throw Refused{mark.line + 1, "aliases are not supported; write the value out"};
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    Check(mark, anchor);
    // "?" is a plain scalar, "!" a quoted one: quoted "null" is text.
    const bool is_null = tag == "?" && (value.empty() || value == "~" || value == "null");
    Add(Value{is_null ? Value::Kind::kNull : Value::Kind::kScalar, mark.line + 1, value, {}, {}});
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    Open(mark, anchor, Value::Kind::kList);
  }
  void OnSequenceEnd() override { Close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    Open(mark, anchor, Value::Kind::kMap);
  }
  void OnMapEnd() override { Close(); }

 private:
  struct Level {
    Value value;
    bool has_key = false;
    std::string key;
  };

  void Check(const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (anchor != 0) throw Refused{mark.line + 1, "anchors are not supported; write the value out"};
    if (++values_ > kMaxYamlValues) throw Refused{mark.line + 1, "too many values"};
  }

  void Open(const YAML::Mark& mark, YAML::anchor_t anchor, Value::Kind kind) {
    Check(mark, anchor);
    if (levels_.size() >= kMaxYamlDepth) throw Refused{mark.line + 1, "nested too deeply"};
    levels_.push_back({Value{kind, mark.line + 1, "", {}, {}}, false, ""});
  }

  void Close() {
    Value value = std::move(levels_.back().value);
    levels_.pop_back();
    Add(std::move(value));
  }

  void Add(Value value) {
    if (levels_.empty()) {
      root_ = std::move(value);
      return;
    }
    Level& level = levels_.back();
    if (level.value.kind == Value::Kind::kList) {
      level.value.list.push_back(std::move(value));
      return;
    }
    if (!level.has_key) {
      if (value.kind != Value::Kind::kScalar)
        throw Refused{value.line, "a key must be a plain text"};
      for (const auto& [key, known] : level.value.map) {
        if (key == value.scalar) {
          throw Refused{value.line,
                        absl::StrCat("'", key, "' is given twice, first in line ", known.line)};
        }
      }
      level.key = value.scalar;
      level.has_key = true;
      return;
    }
    level.has_key = false;
    level.value.map.push_back({std::move(level.key), std::move(value)});
  }

  Value root_;
  std::vector<Level> levels_;
  size_t values_ = 0;
  int documents_ = 0;
};

absl::Status Wrong(std::string_view name, int line, std::string_view message) {
  return status::MakeStatus(absl::StatusCode::kInvalidArgument,
                            status::ErrorReason::kInvalidArgument,
                            absl::StrCat(status::Sv(name), ":", line, ": ", status::Sv(message)));
}

}  // namespace

absl::StatusOr<Value> ParseYaml(std::string_view text, std::string_view name) {
  try {
    std::istringstream in{std::string(text)};
    YAML::Parser parser(in);
    Builder builder;
    while (parser.HandleNextDocument(builder)) {
    }
    return builder.Take();
  } catch (const Refused& refused) {
    return Wrong(name, refused.line, refused.message);
  } catch (const YAML::Exception& error) {
    return Wrong(name, error.mark.line + 1, error.msg);
  }
}

}  // namespace dragonfly::common::config
