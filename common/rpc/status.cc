#include "common/rpc/status.h"

#include <nlohmann/json.hpp>
#include <optional>

#include "common/status/reason.h"
#include "common/status/strings.h"

namespace dragonfly::common::rpc {
namespace {

using nlohmann::json;
using status::ErrorReason;

constexpr size_t kMaxMessageBytes = 2048;
constexpr size_t kMaxDetailsBytes = 5120;

std::string Cut(std::string_view text, size_t most) {
  if (text.size() <= most) return std::string(text);
  // Not in the middle of a UTF-8 character.
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xC0U) == 0x80U) --most;
  return std::string(text.substr(0, most));
}

std::string Dump(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string DetailsOf(const status::OriginError& origin) {
  json details = json::object();
  details["message"] = Cut(origin.message, kMaxMessageBytes);
  json header = json::parse(origin.header_json, nullptr, /*allow_exceptions=*/false);
  details["header"] = header.is_object() ? header : json::object();
  details["status_code"] = nullptr;
  if (origin.http_status != 0) details["status_code"] = origin.http_status;
  std::string out = Dump(details);
  if (out.size() <= kMaxDetailsBytes) return out;
  details["header"] = json::object();  // status and message say more than half of the headers
  out = Dump(details);
  if (out.size() <= kMaxDetailsBytes) return out;
  details["message"] = Cut(origin.message, kMaxDetailsBytes / 8);  // escaping can make 6 bytes of 1
  return Dump(details);
}

std::optional<status::OriginError> OriginFrom(const std::string& details) {
  if (details.empty() || details.front() != '{') return std::nullopt;
  const json parsed = json::parse(details, nullptr, /*allow_exceptions=*/false);
  if (!parsed.is_object() || !parsed.contains("message")) return std::nullopt;
  status::OriginError origin;
  const auto message = parsed.find("message");
  if (message->is_string()) origin.message = message->get<std::string>();
  const auto header = parsed.find("header");
  origin.header_json = header != parsed.end() && header->is_object() ? Dump(*header) : "{}";
  const auto code = parsed.find("status_code");
  if (code != parsed.end() && code->is_number_integer()) {
    const auto number = code->get<int64_t>();
    if (number >= 100 && number <= 999) origin.http_status = static_cast<int>(number);
  }
  return origin;
}

ErrorReason ReasonNamed(std::string_view name) {
  for (int i = 1; i <= static_cast<int>(ErrorReason::kInternal); ++i) {
    if (status::ReasonName(static_cast<ErrorReason>(i)) == name) return static_cast<ErrorReason>(i);
  }
  return ErrorReason::kUnknown;
}

}  // namespace

::grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return ::grpc::Status::OK;
  const auto code = static_cast<::grpc::StatusCode>(status.raw_code());
  const std::string message = Cut(status::MessageOf(status), kMaxMessageBytes);
  const std::optional<status::OriginError> origin = status::OriginOf(status);
  if (!origin.has_value()) return ::grpc::Status(code, message);
  return ::grpc::Status(code, message, DetailsOf(*origin));
}

std::string ReasonForWire(const absl::Status& status) {
  if (status.ok()) return std::string();
  return std::string(status::ReasonName(status::ReasonOf(status)));
}

absl::Status FromGrpc(const ::grpc::Status& status, std::string_view reason) {
  if (status.ok()) return absl::OkStatus();
  auto code = static_cast<absl::StatusCode>(status.error_code());
  if (status.error_code() < 1 || status.error_code() > 16) code = absl::StatusCode::kUnknown;
  const std::optional<status::OriginError> origin = OriginFrom(status.error_details());
  ErrorReason named = ReasonNamed(reason);
  if (named == ErrorReason::kUnknown && origin.has_value()) named = ErrorReason::kOriginStatus;
  const std::string message = status.error_message();
  absl::Status out = named == ErrorReason::kUnknown ? absl::Status(code, message)
                                                    : status::MakeStatus(code, named, message);
  if (origin.has_value()) status::AttachOrigin(out, *origin);
  return out;
}

}  // namespace dragonfly::common::rpc
