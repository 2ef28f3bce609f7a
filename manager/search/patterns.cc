#include "manager/search/patterns.h"

#include <re2/re2.h>
#include <re2/set.h>

#include <algorithm>
#include <atomic>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status/strings.h"

namespace dragonfly::manager::search {
namespace {

using common::status::Sv;

// Only counts; nothing is decided by it.
std::atomic<uint64_t> compiled_patterns{0};

re2::RE2::Options QuietOptions() {
  re2::RE2::Options options;
  options.set_log_errors(false);
  return options;
}

std::unique_ptr<const re2::RE2> Compile(std::string_view pattern,
                                        const re2::RE2::Options& options) {
  compiled_patterns.fetch_add(1, std::memory_order_relaxed);
  return std::make_unique<const re2::RE2>(re2::StringPiece(pattern.data(), pattern.size()),
                                          options);
}

bool Found(const re2::RE2& pattern, std::string_view text) {
  return re2::RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), pattern);
}

}  // namespace

uint64_t CompiledPatterns() { return compiled_patterns.load(std::memory_order_relaxed); }

struct HostnamePatterns::Compiled {
  explicit Compiled(const re2::RE2::Options& options) : set(options, re2::RE2::UNANCHORED) {}
  re2::RE2::Set set;
  bool set_usable = false;
  // The same one by one: the set has no way on when its memory does not suffice, a pattern has.
  std::vector<std::unique_ptr<const re2::RE2>> each;
};

HostnamePatterns::HostnamePatterns() = default;
HostnamePatterns::HostnamePatterns(HostnamePatterns&&) noexcept = default;
HostnamePatterns& HostnamePatterns::operator=(HostnamePatterns&&) noexcept = default;
HostnamePatterns::~HostnamePatterns() = default;

HostnamePatterns::HostnamePatterns(std::span<const std::string> patterns,
                                   std::vector<Skipped>& skipped, int64_t memory_bytes) {
  re2::RE2::Options set_options = QuietOptions();
  set_options.set_max_mem(memory_bytes);
  auto compiled = std::make_unique<Compiled>(set_options);
  bool all_added = true;
  for (size_t i = 0; i < patterns.size(); ++i) {
    const std::string field = absl::StrCat("scopes.hostnames[", i, "]");
    if (patterns[i].size() > kMaxHostnamePatternBytes) {
      skipped.push_back(
          {field, patterns[i].substr(0, kShownBytes),
           absl::StrCat("is longer than ", kMaxHostnamePatternBytes, " bytes; split it")});
      continue;
    }
    auto pattern = Compile(patterns[i], QuietOptions());
    if (!pattern->ok()) {
      skipped.push_back({field, patterns[i].substr(0, kShownBytes),
                         absl::StrCat("is not a pattern in RE2 syntax: ", pattern->error())});
      continue;
    }
    all_added = compiled->set.Add(patterns[i], nullptr) >= 0 && all_added;
    compiled->each.push_back(std::move(pattern));
  }
  if (compiled->each.empty()) return;
  if (all_added && compiled->each.size() > 1) {
    compiled_patterns.fetch_add(1, std::memory_order_relaxed);
    compiled->set_usable = compiled->set.Compile();
  }
  compiled_ = std::move(compiled);
}

bool HostnamePatterns::Match(std::string_view hostname) const {
  if (compiled_ == nullptr || hostname.empty() || hostname.size() > kMaxHostnameBytes) return false;
  if (compiled_->set_usable) {
    re2::RE2::Set::ErrorInfo error{};
    std::vector<int> matched;
    if (compiled_->set.Match(re2::StringPiece(hostname.data(), hostname.size()), &matched, &error))
      return true;
    if (error.kind == re2::RE2::Set::kNoError) return false;
  }
  return std::any_of(compiled_->each.begin(), compiled_->each.end(),
                     [hostname](const auto& pattern) { return Found(*pattern, hostname); });
}

struct FoldedName::Compiled {
  std::unique_ptr<const re2::RE2> pattern;
};

FoldedName::FoldedName(FoldedName&&) noexcept = default;
FoldedName& FoldedName::operator=(FoldedName&&) noexcept = default;
FoldedName::~FoldedName() = default;

FoldedName::FoldedName(std::string_view name) : name_(name) {
  const bool ascii = std::all_of(name.begin(), name.end(),
                                 [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  if (ascii) return;
  re2::RE2::Options options = QuietOptions();
  options.set_case_sensitive(false);
  auto pattern = Compile(absl::StrCat("\\A(?:", re2::RE2::QuoteMeta(name_), ")\\z"), options);
  // Not UTF-8: only the same bytes are the same name.
  if (!pattern->ok()) return;
  compiled_ = std::make_unique<const Compiled>(Compiled{std::move(pattern)});
}

bool FoldedName::Equals(std::string_view name) const {
  if (absl::EqualsIgnoreCase(Sv(name_), Sv(name))) return true;
  return compiled_ != nullptr && Found(*compiled_->pattern, name);
}

}  // namespace dragonfly::manager::search
