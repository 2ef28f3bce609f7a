#include "dfget/cli/output_path.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "common/status/reason.h"
#include "common/status/strings.h"

namespace dragonfly::dfget::cli {
namespace {

using common::status::Sv;

absl::Status Refuse(absl::StatusCode code, const std::string& path, std::string_view what) {
  return common::status::MakeStatus(
      code, common::status::ErrorReason::kOutputPath,
      common::status::StdView(absl::StrCat("validate failed: output path ", path, " ", Sv(what))));
}

absl::Status CheckParent(const std::string& parent) {
  struct stat info = {};
  const int failed = ::stat(parent.c_str(), &info) == 0 ? 0 : errno;
  if (failed != 0 || !S_ISDIR(info.st_mode)) {
    return Refuse(absl::StatusCode::kNotFound, parent,
                  failed == ENOENT ? "is not a directory; create it or choose another one with -O"
                                   : "is not a directory; choose another one with -O");
  }
  if (::faccessat(AT_FDCWD, parent.c_str(), W_OK | X_OK, AT_EACCESS) != 0) {
    return Refuse(absl::StatusCode::kPermissionDenied, parent,
                  common::status::StdView(
                      absl::StrCat("is not writable (", std::strerror(errno),
                                   "); ask its owner, or choose a directory of your own with -O")));
  }
  return absl::OkStatus();
}

}  // namespace

std::string AbsolutePath(std::string_view output, std::string_view working_directory) {
  std::string all = output.starts_with('/') ? std::string(output)
                                            : absl::StrCat(Sv(working_directory), "/", Sv(output));
  std::string out;
  std::string_view rest = all;
  while (!rest.empty()) {
    const size_t end = std::min(rest.find('/'), rest.size());
    const std::string_view component = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (component.empty() || component == ".") continue;
    absl::StrAppend(&out, "/", Sv(component));
  }
  // What ends in a slash names a directory; the check says so.
  if (out.empty() || output.ends_with('/')) out.push_back('/');
  return out;
}

absl::Status CheckOutputPath(const std::string& path, bool overwrite) {
  if (path.ends_with('/')) {
    return Refuse(absl::StatusCode::kInvalidArgument, path,
                  "is a directory; name a file in it with -O");
  }
  const size_t slash = path.rfind('/');
  const std::string parent = slash == 0 ? "/" : path.substr(0, slash);
  struct stat info = {};
  if (::lstat(path.c_str(), &info) != 0) {
    if (errno == ENOENT || errno == ENOTDIR || errno == EACCES) return CheckParent(parent);
    return Refuse(absl::StatusCode::kInvalidArgument, path,
                  common::status::StdView(absl::StrCat("cannot be used (", std::strerror(errno),
                                                       "); choose another one with -O")));
  }
  struct stat target = {};
  const bool directory = ::stat(path.c_str(), &target) == 0 && S_ISDIR(target.st_mode);
  if (directory) {
    return Refuse(absl::StatusCode::kAlreadyExists, path,
                  "is already exist, as a directory; name a file in it with -O");
  }
  if (!overwrite) {
    return Refuse(absl::StatusCode::kAlreadyExists, path,
                  "is already exist; replace it with --overwrite or choose another one with -O");
  }
  if (!S_ISREG(info.st_mode)) {
    return Refuse(absl::StatusCode::kAlreadyExists, path,
                  "is already exist and is not a regular file, which is never replaced; choose"
                  " another one, or use -O - and redirect stdout");
  }
  return CheckParent(parent);
}

std::string RealOutputPath(const std::string& path) {
  const size_t slash = path.rfind('/');
  std::error_code error;
  const std::filesystem::path real =
      std::filesystem::canonical(slash == 0 ? "/" : path.substr(0, slash), error);
  return error ? path : (real / path.substr(slash + 1)).string();
}

}  // namespace dragonfly::dfget::cli
