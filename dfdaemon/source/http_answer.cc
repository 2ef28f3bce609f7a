#include "dfdaemon/source/http_answer.h"

#include <string_view>

#include "absl/strings/str_cat.h"
#include "common/status/checked_cast.h"
#include "common/status/parse.h"
#include "common/status/reason.h"
#include "common/status/strings.h"
#include "dfdaemon/source/http_headers.h"

namespace dragonfly::dfdaemon::source {
namespace {

using common::status::AttachOrigin;
using common::status::CheckedAdd;
using common::status::ErrorReason;
using common::status::MakeStatus;
using common::status::OriginError;
using common::status::ParseInteger;
using common::status::StdView;
using common::status::Sv;

absl::Status Protocol(const HttpAnswer& answer, const std::string& what) {
  return MakeStatus(absl::StatusCode::kDataLoss, ErrorReason::kOriginProtocol,
                    StdView(absl::StrCat(answer.url, ": ", what)));
}

absl::Status Changed(const HttpAnswer& answer) {
  return MakeStatus(
      absl::StatusCode::kAborted, ErrorReason::kOriginChanged,
      StdView(absl::StrCat(answer.url,
                           ": the origin has another version of the content by now (ETag or "
                           "Last-Modified differ from those the download began with)")));
}

absl::StatusCode CodeOf(int status) {
  switch (status) {
    case 400:
      return absl::StatusCode::kInvalidArgument;
    case 401:
    case 407:
      return absl::StatusCode::kUnauthenticated;
    case 403:
    case 451:
      return absl::StatusCode::kPermissionDenied;
    case 404:
    case 410:
      return absl::StatusCode::kNotFound;
    case 416:
      return absl::StatusCode::kOutOfRange;
    case 429:
      return absl::StatusCode::kResourceExhausted;
    case 408:
      return absl::StatusCode::kUnavailable;
    default:
      return status >= 500 ? absl::StatusCode::kUnavailable : absl::StatusCode::kFailedPrecondition;
  }
}

bool IsWhole(int status) { return status == 200 || status == 203; }

absl::StatusOr<std::optional<uint64_t>> ContentLength(const HttpAnswer& answer) {
  // RFC 9112 section 6.3: with both, the transfer coding counts.
  if (FindHeader(answer.headers, "Transfer-Encoding")) return std::optional<uint64_t>();
  const auto text = FindHeader(answer.headers, "Content-Length");
  if (!text) return std::optional<uint64_t>();
  const auto length = ParseInteger<uint64_t>(*text);
  if (!length) {
    return Protocol(answer, absl::StrCat("the origin's Content-Length \"", Sv(text->substr(0, 40)),
                                         "\" is not a number"));
  }
  return std::optional<uint64_t>(*length);
}

absl::Status CheckEncoding(const HttpAnswer& answer) {
  const auto encoding = FindHeader(answer.headers, "Content-Encoding");
  if (!encoding || encoding->empty() || SameHeaderName(*encoding, "identity")) {
    return absl::OkStatus();
  }
  return Protocol(answer,
                  absl::StrCat("the origin sent Content-Encoding \"", Sv(encoding->substr(0, 40)),
                               "\" although only \"identity\" was accepted"));
}

// A 206 brings exactly what was asked for, or what of it lies before the end.
absl::StatusOr<ContentRange> CheckPartial(const HttpQuestion& question, const HttpAnswer& answer) {
  if (!question.range) return Protocol(answer, "the origin sent a part although all was asked for");
  const auto text = FindHeader(answer.headers, "Content-Range");
  if (!text) return Protocol(answer, "the origin sent a part without Content-Range");
  auto parsed = ParseContentRange(*text);
  if (!parsed.ok()) return common::status::Annotate(parsed.status(), answer.url);

  const std::string mismatch =
      absl::StrCat("the origin sent \"", Sv(text->substr(0, 100)), "\" where \"",
                   RangeText(*question.range), "\" was asked for");
  if (!parsed->range || parsed->range->start != question.range->start) {
    return Protocol(answer, mismatch);
  }
  const auto asked_end = CheckedAdd(question.range->start, question.range->length);
  const bool open_end = question.range->length == kToTheEnd || !asked_end;
  const uint64_t got_end = parsed->range->start + parsed->range->length;
  const bool up_to_the_end = parsed->total && got_end == *parsed->total;
  if (!up_to_the_end && (open_end ? parsed->total.has_value() : got_end != *asked_end)) {
    return Protocol(answer, mismatch);
  }
  if (!open_end && got_end > *asked_end) return Protocol(answer, mismatch);

  auto length = ContentLength(answer);
  if (!length.ok()) return length.status();
  if (*length && **length != parsed->range->length) {
    return Protocol(answer, absl::StrCat("Content-Length ", **length, " contradicts \"",
                                         Sv(text->substr(0, 100)), "\""));
  }
  return parsed;
}

}  // namespace

std::string StatusText(int status) {
  switch (status) {
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 402:
      return "Payment Required";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 407:
      return "Proxy Authentication Required";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 412:
      return "Precondition Failed";
    case 416:
      return "Range Not Satisfiable";
    case 418:
      return "I'm a teapot";
    case 429:
      return "Too Many Requests";
    case 451:
      return "Unavailable For Legal Reasons";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 507:
      return "Insufficient Storage";
    default:
      return "";
  }
}

absl::Status OriginStatus(const HttpAnswer& answer) {
  const std::string text = StatusText(answer.status);
  std::string message = absl::StrCat("the origin answered ", answer.status, text.empty() ? "" : " ",
                                     text, " for ", answer.url);
  if (answer.status == 401 || answer.status == 403) {
    absl::StrAppend(&message, "; check the credentials in the request headers");
  }
  absl::Status status = MakeStatus(CodeOf(answer.status), ErrorReason::kOriginStatus, message);
  AttachOrigin(status, OriginError{answer.status, message, ErrorHeaderJson(answer.headers)});
  return status;
}

absl::StatusOr<SourceHead> JudgeAnswer(const HttpQuestion& question, const HttpAnswer& answer) {
  const bool partial = answer.status == 206;
  const bool no_content = answer.status == 204;
  if (!partial && !no_content && !IsWhole(answer.status)) {
    // A range past the end of what has become shorter.
    const bool says =
        FindHeader(answer.headers, "ETag") || FindHeader(answer.headers, "Last-Modified");
    if (answer.status == 416 && says &&
        CompareValidators(question.etag, question.last_modified, answer.headers) ==
            Validity::kChanged) {
      return Changed(answer);
    }
    return OriginStatus(answer);
  }
  if (CompareValidators(question.etag, question.last_modified, answer.headers) ==
      Validity::kChanged) {
    return Changed(answer);
  }
  if (absl::Status status = CheckEncoding(answer); !status.ok()) return status;

  SourceHead head;
  head.http_status = answer.status;
  if (partial) {
    auto content_range = CheckPartial(question, answer);
    if (!content_range.ok()) return content_range.status();
    head.content_length = content_range->total;
    head.offset = content_range->range->start;
    head.ranges = true;
  } else if (no_content) {
    head.content_length = 0;
  } else {
    auto length = ContentLength(answer);
    if (!length.ok()) return length.status();
    head.content_length = *length;
    // An origin that ignored the Range of this very request has none, whatever it says.
    const auto accepts = FindHeader(answer.headers, "Accept-Ranges");
    head.ranges = !question.range && accepts && SameHeaderName(*accepts, "bytes");
  }
  head.etag = std::string(FindHeader(answer.headers, "ETag").value_or(""));
  head.last_modified = std::string(FindHeader(answer.headers, "Last-Modified").value_or(""));
  head.headers = ReplayableHeaders(answer.headers, head.content_length);
  return head;
}

std::optional<uint64_t> BodyLength(const HttpQuestion& question, const HttpAnswer& answer) {
  if (answer.status == 204) return 0;
  if (answer.status == 206) {
    auto content_range = CheckPartial(question, answer);
    if (!content_range.ok()) return std::nullopt;
    return content_range->range->length;
  }
  auto length = ContentLength(answer);
  return length.ok() ? *length : std::nullopt;
}

}  // namespace dragonfly::dfdaemon::source
