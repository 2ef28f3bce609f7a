#include "common/config/schema.h"

#include <algorithm>
#include <cctype>
#include <fstream>
#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/parse.h"
#include "common/status/reason.h"
#include "common/status/strings.h"

namespace dragonfly::common::config {
namespace {

using status::ErrorReason;
using status::Invalid;
using status::MakeStatus;

bool IsBelow(std::string_view key, std::string_view section) {
  return key.size() > section.size() && key.starts_with(section) && key[section.size()] == '.';
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return lower;
}

bool IsEmpty(const Value& value) {
  return (value.kind != Value::Kind::kScalar || value.scalar.empty()) &&
         std::all_of(value.list.begin(), value.list.end(), IsEmpty) &&
         std::all_of(value.map.begin(), value.map.end(),
                     [](const auto& entry) { return IsEmpty(entry.value); });
}

}  // namespace

absl::StatusOr<Schema::Warnings> Schema::LoadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    return MakeStatus(absl::StatusCode::kNotFound, ErrorReason::kNotFound,
                      absl::StrCat("configuration file '", path, "' cannot be opened"));
  }
  std::stringstream text;
  text << in.rdbuf();
  if (in.bad() || text.str().size() > (size_t{4} << 20)) {
    return Invalid(
        absl::StrCat("configuration file '", path, "' cannot be read or is larger than 4 MiB"));
  }
  return Load(text.str(), path);
}

absl::StatusOr<Schema::Warnings> Schema::Load(std::string_view text, std::string_view name) {
  absl::StatusOr<Value> document = ParseYaml(text, name);
  if (!document.ok()) return document.status();
  Warnings warnings;
  std::vector<Found> found;
  if (document->kind == Value::Kind::kMap) {
    absl::Status walked = Walk(*document, "", name, found, warnings);
    if (!walked.ok()) return walked;
  } else if (document->kind != Value::Kind::kNull) {
    return Invalid(
        absl::StrCat(status::Sv(name), ":", document->line, ": expected keys with values"));
  }
  for (const Found& one : found) {
    absl::Status set = one.row->set(*one.value);
    if (!set.ok()) {
      return Invalid(
          absl::StrCat(status::Sv(name), ":", one.value->line, ": ", one.key, ": ", set.message()));
    }
  }
  for (const std::function<absl::Status()>& check : checks_) {
    absl::Status checked = check();
    if (!checked.ok()) return Invalid(absl::StrCat(status::Sv(name), ": ", checked.message()));
  }
  return warnings;
}

absl::Status Schema::Walk(const Value& map, const std::string& prefix, std::string_view name,
                          std::vector<Found>& found, Warnings& warnings) const {
  for (const auto& [last, value] : map.map) {
    const std::string key = prefix.empty() ? last : absl::StrCat(prefix, ".", last);
    const Row* row = FindRow(key);
    if (row != nullptr) {
      if (IsEmpty(value) && (row->ignored || value.kind == Value::Kind::kNull)) continue;
      if (row->ignored) {
        warnings.push_back(
            absl::StrCat(status::Sv(name), ":", value.line, ": ", key, ": ", row->doc));
      } else {
        found.push_back({row, &value, key});
      }
      continue;
    }
    if (IsSection(key)) {
      if (value.kind == Value::Kind::kMap) {
        absl::Status walked = Walk(value, key, name, found, warnings);
        if (!walked.ok()) return walked;
      } else if (value.kind != Value::Kind::kNull) {
        return Invalid(absl::StrCat(status::Sv(name), ":", value.line, ": ", key,
                                    ": expected a section with keys"));
      }
      continue;
    }
    std::vector<std::string> known;
    for (const Row& candidate : rows_) known.push_back(candidate.key);
    const std::string nearest = status::NearestName(key, known);
    std::string warning =
        absl::StrCat(status::Sv(name), ":", value.line, ": ", key, ": unknown key");
    if (!nearest.empty()) absl::StrAppend(&warning, "; did you mean ", nearest, "?");
    if (options_.strict) return Invalid(warning);
    warnings.push_back(std::move(warning));
  }
  return absl::OkStatus();
}

bool Schema::Same(std::string_view a, std::string_view b) const {
  return options_.ignore_case ? Lower(a) == Lower(b) : a == b;
}

const Schema::Row* Schema::FindRow(std::string_view key) const {
  for (const auto& [alias, known] : aliases_) {
    if (Same(alias, key)) return FindRow(known);
  }
  for (const Row& row : rows_) {
    if (Same(row.key, key)) return &row;
  }
  return nullptr;
}

bool Schema::IsSection(std::string_view key) const {
  const std::string wanted = options_.ignore_case ? Lower(key) : std::string(key);
  const auto below = [&](const std::string& candidate) {
    return IsBelow(options_.ignore_case ? Lower(candidate) : candidate, wanted);
  };
  return std::any_of(rows_.begin(), rows_.end(), [&](const Row& row) { return below(row.key); }) ||
         std::any_of(aliases_.begin(), aliases_.end(),
                     [&](const auto& alias) { return below(alias.first); });
}

void Schema::Add(std::string key, std::string type, std::string doc,
                 std::function<absl::Status(const Value&)> set,
                 std::function<std::string()> print) {
  Row row;
  row.key = std::move(key);
  row.type = std::move(type);
  row.doc = std::move(doc);
  row.reloadable = reloadable_;
  row.set = std::move(set);
  row.print = std::move(print);
  row.default_text = row.print();
  rows_.push_back(std::move(row));
}

void Schema::Custom(std::string key, std::string type,
                    std::function<absl::Status(const Value&)> set,
                    std::function<std::string()> print, std::string doc) {
  Add(std::move(key), std::move(type), std::move(doc), std::move(set), std::move(print));
}

void Schema::Ignored(std::string key, std::string why) {
  Row row;
  row.key = std::move(key);
  row.type = "-";
  row.doc = std::move(why);
  row.ignored = true;
  rows_.push_back(std::move(row));
}

void Schema::Refused(std::string key, std::string why) {
  Add(
      std::move(key), "-", why,
      [why](const Value& value) { return IsEmpty(value) ? absl::OkStatus() : Invalid(why); },
      [] { return std::string(); });
}

void Schema::Alias(std::string key, std::string known_key) {
  aliases_.emplace(std::move(key), std::move(known_key));
}

std::string Schema::PrintYaml() const {
  // Rows of one section stand together; sections are opened and closed by comparing with the row
  // before.
  std::vector<const Row*> rows;
  for (const Row& row : rows_) {
    if (!row.ignored) rows.push_back(&row);
  }
  std::stable_sort(rows.begin(), rows.end(),
                   [](const Row* a, const Row* b) { return a->key < b->key; });
  std::string out;
  std::vector<std::string> open;
  for (const Row* row : rows) {
    const std::string text = row->print();
    if (text.empty()) continue;
    std::vector<std::string> parts;
    std::stringstream path(row->key);
    for (std::string part; std::getline(path, part, '.');) parts.push_back(part);
    size_t same = 0;
    while (same < open.size() && same + 1 < parts.size() && open[same] == parts[same]) ++same;
    open.resize(same);
    for (; open.size() + 1 < parts.size(); open.push_back(parts[open.size()])) {
      out += std::string(2 * open.size(), ' ') + parts[open.size()] + ":\n";
    }
    out += std::string(2 * open.size(), ' ') + parts.back() + ": " + text + "\n";
  }
  return out;
}

std::string Schema::PrintMarkdown() const {
  std::string out = "| key | type | default | reload | meaning |\n|---|---|---|---|---|\n";
  for (const Row& row : rows_) {
    absl::StrAppend(
        &out, "| ", row.key, " | ", row.type, " | ",
        row.default_text.empty() ? std::string("-") : absl::StrCat("`", row.default_text, "`"),
        " | ", row.reloadable ? "yes" : "no", " | ", row.doc, " |\n");
  }
  return out;
}

}  // namespace dragonfly::common::config
