#include "common/http/curl_handle.h"

#include <netinet/in.h>
#include <openssl/evp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <optional>

#include "common/status/reason.h"

namespace dragonfly::common::http {
namespace {

using status::ErrorReason;
using status::MakeStatus;

std::optional<net::Endpoint> EndpointOf(const sockaddr* address) {
  net::Endpoint out;
  if (address->sa_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, address, sizeof(v4));
    std::array<uint8_t, 4> octets{};
    std::memcpy(octets.data(), &v4.sin_addr, octets.size());
    out.ip = net::IpAddress::V4(octets);
    out.port = ntohs(v4.sin_port);
    return out;
  }
  if (address->sa_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, address, sizeof(v6));
    std::array<uint8_t, 16> octets{};
    std::memcpy(octets.data(), &v6.sin6_addr, octets.size());
    out.ip = net::IpAddress::V6(octets, v6.sin6_scope_id);
    out.port = ntohs(v6.sin6_port);
    return out;
  }
  return std::nullopt;
}

extern "C" {

size_t DragonflyHttpHeader(char* data, size_t size, size_t count, void* transfer) {
  return static_cast<Transfer*>(transfer)->TakeHeader(std::string_view(data, size * count));
}

size_t DragonflyHttpBody(char* data, size_t size, size_t count, void* transfer) {
  return static_cast<Transfer*>(transfer)->TakeBody(data, size * count);
}

curl_socket_t DragonflyHttpOpenSocket(void* opaque, curlsocktype /*purpose*/,
                                      curl_sockaddr* address) {
  auto* transfer = static_cast<Transfer*>(opaque);
  if (!transfer->proxy.has_value()) {
    const std::optional<net::Endpoint> to = EndpointOf(&address->addr);
    if (!to.has_value()) return CURL_SOCKET_BAD;
    if (!transfer->AllowAddress(to->ip, to->port).ok()) return CURL_SOCKET_BAD;
  }
  return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

// A connection that is used again was opened for another request, whose rules may have been others.
int DragonflyHttpPrerequest(void* opaque, char* remote_ip, char* /*local_ip*/, int remote_port,
                            int /*local_port*/) {
  auto* transfer = static_cast<Transfer*>(opaque);
  transfer->RequestSent();
  if (transfer->proxy.has_value()) return CURL_PREREQFUNC_OK;
  const auto ip = net::IpAddress::Parse(remote_ip == nullptr ? "" : remote_ip);
  if (!ip.ok()) return CURL_PREREQFUNC_ABORT;
  const bool allowed = transfer->AllowAddress(*ip, static_cast<uint16_t>(remote_port)).ok();
  return allowed ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

}  // extern "C"

std::string PemOf(const std::string& der) {
  std::string base64(4 * ((der.size() + 2) / 3) + 1, '\0');
  const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(base64.data()),
                                     reinterpret_cast<const unsigned char*>(der.data()),
                                     static_cast<int>(der.size()));
  base64.resize(static_cast<size_t>(length));
  std::string out = "-----BEGIN CERTIFICATE-----\n";
  for (size_t at = 0; at < base64.size(); at += 64) out += base64.substr(at, 64) + "\n";
  return out + "-----END CERTIFICATE-----\n";
}

bool IsOurs(std::string_view name) {
  constexpr std::array<std::string_view, 6> kOurs = {
      "accept-encoding", "connection", "content-length", "expect", "transfer-encoding", "te"};
  return std::ranges::any_of(kOurs, [&](std::string_view ours) { return SameName(ours, name); });
}

long Milliseconds(absl::Duration duration) {
  return static_cast<long>(std::clamp<int64_t>(absl::ToInt64Milliseconds(duration), 1,
                                               absl::ToInt64Milliseconds(absl::Hours(24))));
}

}  // namespace

CurlHandle::CurlHandle(std::shared_ptr<Transfer> transfer, const HttpClient::Options& options)
    : transfer_(std::move(transfer)), easy_(curl_easy_init()) {
  if (easy_ != nullptr) SetUp(options);
}

CurlHandle::~CurlHandle() {
  if (easy_ != nullptr) curl_easy_cleanup(easy_);
  curl_slist_free_all(headers_);
}

void CurlHandle::SetUp(const HttpClient::Options& options) {
  const Request& request = transfer_->request;
  void* opaque = transfer_.get();
  curl_easy_setopt(easy_, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(easy_, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy_, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy_, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(easy_, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy_, CURLOPT_ERRORBUFFER, error_);
  curl_easy_setopt(easy_, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
  curl_easy_setopt(easy_, CURLOPT_BUFFERSIZE, 256L << 10);
  curl_easy_setopt(easy_, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(easy_, CURLOPT_PROXY,
                   transfer_->proxy.has_value() ? transfer_->proxy->c_str() : "");
  curl_easy_setopt(easy_, CURLOPT_NOPROXY, "");

  curl_easy_setopt(easy_, CURLOPT_CONNECTTIMEOUT_MS, Milliseconds(request.connect_timeout));
  curl_easy_setopt(easy_, CURLOPT_LOW_SPEED_LIMIT,
                   static_cast<long>(std::max<int64_t>(request.min_bytes_per_second, 0)));
  curl_easy_setopt(easy_, CURLOPT_LOW_SPEED_TIME,
                   std::max(1L, Milliseconds(request.min_rate_period) / 1000));

  curl_easy_setopt(easy_, CURLOPT_HEADERFUNCTION, DragonflyHttpHeader);
  curl_easy_setopt(easy_, CURLOPT_HEADERDATA, opaque);
  curl_easy_setopt(easy_, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  curl_easy_setopt(easy_, CURLOPT_WRITEFUNCTION, DragonflyHttpBody);
  curl_easy_setopt(easy_, CURLOPT_WRITEDATA, opaque);
  curl_easy_setopt(easy_, CURLOPT_OPENSOCKETFUNCTION, DragonflyHttpOpenSocket);
  curl_easy_setopt(easy_, CURLOPT_OPENSOCKETDATA, opaque);
  curl_easy_setopt(easy_, CURLOPT_PREREQFUNCTION, DragonflyHttpPrerequest);
  curl_easy_setopt(easy_, CURLOPT_PREREQDATA, opaque);
  curl_easy_setopt(easy_, CURLOPT_PRIVATE, this);
  SetMethodAndHeaders(options);
  SetTls();
}

void CurlHandle::AddHeader(const std::string& line) {
  curl_slist* longer = curl_slist_append(headers_, line.c_str());
  if (longer != nullptr) headers_ = longer;
}

void CurlHandle::SetMethodAndHeaders(const HttpClient::Options& options) {
  const Request& request = transfer_->request;
  if (request.body.has_value()) {
    curl_easy_setopt(easy_, CURLOPT_POSTFIELDS, request.body->data());
    curl_easy_setopt(easy_, CURLOPT_POSTFIELDSIZE_LARGE,
                     static_cast<curl_off_t>(request.body->size()));
  }
  if (request.method == "HEAD") {
    curl_easy_setopt(easy_, CURLOPT_NOBODY, 1L);
  } else {
    curl_easy_setopt(easy_, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }
  for (const auto& [name, value] : request.headers) {
    if (IsOurs(name)) continue;
    AddHeader(value.empty() ? name + ";" : name + ": " + value);
  }
  AddHeader("Accept-Encoding: identity");
  AddHeader("Expect:");
  if (!Find(request.headers, "Content-Type").has_value()) AddHeader("Content-Type:");
  if (!Find(request.headers, "User-Agent").has_value()) {
    AddHeader("User-Agent: " + options.user_agent);
  }
  curl_easy_setopt(easy_, CURLOPT_HTTPHEADER, headers_);
}

void CurlHandle::SetTls() {
  const TlsOptions& tls = transfer_->request.tls;
  curl_easy_setopt(easy_, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  curl_easy_setopt(easy_, CURLOPT_SSL_VERIFYPEER, tls.insecure_skip_verify ? 0L : 1L);
  curl_easy_setopt(easy_, CURLOPT_SSL_VERIFYHOST, tls.insecure_skip_verify ? 0L : 2L);
  ca_pem_ = tls.extra_ca_pem;
  for (const std::string& der : tls.extra_ca_der) {
    if (!ca_pem_.empty() && ca_pem_.back() != '\n') ca_pem_ += '\n';
    ca_pem_ += PemOf(der);
  }
  if (ca_pem_.empty()) return;
  // In place of the file of system roots, whose directory stays in force. libcurl compares the blob
  // before it uses a connection again.
  curl_blob blob{};
  blob.data = ca_pem_.data();
  blob.len = ca_pem_.size();
  blob.flags = CURL_BLOB_COPY;
  curl_easy_setopt(easy_, CURLOPT_CAINFO_BLOB, &blob);
  curl_easy_setopt(easy_, CURLOPT_CAPATH, "/etc/ssl/certs");
}

absl::Status CurlHandle::Silent() const {
  return MakeStatus(absl::StatusCode::kUnavailable, ErrorReason::kOriginSilent,
                    transfer_->Where() + ": no answer within " +
                        absl::FormatDuration(transfer_->request.first_byte_timeout));
}

absl::Status CurlHandle::StatusOf(CURLcode code) const {
  if (code == CURLE_OK) return absl::OkStatus();
  if (!transfer_->denied.ok() &&
      (code == CURLE_COULDNT_CONNECT || code == CURLE_ABORTED_BY_CALLBACK)) {
    return transfer_->denied;
  }
  const bool head = transfer_->head_done();
  std::string message = transfer_->Where() + ": ";
  if (transfer_->too_long) {
    return MakeStatus(absl::StatusCode::kDataLoss, ErrorReason::kOriginProtocol,
                      message + "the head of the answer is longer than " +
                          std::to_string(kMaxHeaderBytes) + " bytes");
  }
  message += error_[0] != '\0' ? error_ : curl_easy_strerror(code);
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
      if (transfer_->first_byte_deadline().has_value() || head) {
        return MakeStatus(absl::StatusCode::kUnavailable, ErrorReason::kOriginSilent, message);
      }
      return MakeStatus(absl::StatusCode::kUnavailable, ErrorReason::kOriginUnreachable, message);
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_BAD_CONTENT_ENCODING:
      return MakeStatus(absl::StatusCode::kDataLoss, ErrorReason::kOriginProtocol, message);
    default:
      break;
  }
  if (head) {
    return MakeStatus(absl::StatusCode::kDataLoss, ErrorReason::kOriginProtocol,
                      message + " (the body was cut short)");
  }
  return MakeStatus(absl::StatusCode::kUnavailable, ErrorReason::kOriginUnreachable, message);
}

}  // namespace dragonfly::common::http
