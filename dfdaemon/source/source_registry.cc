#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/status/reason.h"
#include "common/status/strings.h"
#include "dfdaemon/source/source.h"
#include "dfdaemon/source/url_text.h"

namespace dragonfly::dfdaemon::source {

using common::status::ErrorReason;
using common::status::MakeStatus;

void SourceRegistry::Add(std::string scheme, std::shared_ptr<Source> source) {
  sources_.emplace_back(std::move(scheme), std::move(source));
}

absl::StatusOr<std::shared_ptr<Source>> SourceRegistry::Find(std::string_view url) const {
  const std::string scheme = SchemeOf(url);
  for (const auto& [each, source] : sources_) {
    if (each == scheme) return source;
  }
  std::string known;
  for (const auto& [each, source] : sources_) {
    absl::StrAppend(&known, known.empty() ? "" : ", ", each);
  }
  if (scheme.empty()) {
    return MakeStatus(absl::StatusCode::kInvalidArgument, ErrorReason::kInvalidArgument,
                      absl::StrCat("url \"", PublicUrl(url),
                                   "\" has no scheme; write it in full, as in "
                                   "\"https://example.com/file\""));
  }
  return MakeStatus(absl::StatusCode::kInvalidArgument, ErrorReason::kInvalidArgument,
                    absl::StrCat("url \"", PublicUrl(url), "\": nothing here reads \"", scheme,
                                 "\"; there are: ", known));
}

}  // namespace dragonfly::dfdaemon::source
