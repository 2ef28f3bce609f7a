#include "common/crypto/tls_stream.h"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include "common/crypto/tls_context.h"
#include "common/net/endpoint.h"
#include "common/status/reason.h"

namespace dragonfly::common::crypto {

using async::CancelScope;
using async::Co;
using async::TcpStream;
using status::ErrorReason;
using status::MakeStatus;

namespace {

constexpr size_t kMaxBytesPerCall = size_t{1} << 20;
constexpr size_t kFileBufferBytes = size_t{256} << 10;
// So many calls may succeed at once before the other coroutines of the thread get their turn.
constexpr int kMaxImmediateCalls = 16;

enum class Need { kNothing, kRead, kWrite };

// What one call of OpenSSL came to.
struct Attempt {
  size_t bytes = 0;
  Need need = Need::kNothing;
  absl::Status status;
};

class TlsTcpStream final : public TcpStream {
 public:
  TlsTcpStream(std::unique_ptr<TcpStream> plain, SslPtr session)
      : plain_(std::move(plain)), session_(std::move(session)) {}
  ~TlsTcpStream() override {
    if (established_ && !failed_) SSL_shutdown(session_.get());
    ERR_clear_error();
  }

  // Until both sides have proved who they are. In TLS 1.3 a client learns with its first read that
  // the server does not like its certificate.
  Co<absl::Status> Handshake(CancelScope& scope) {
    while (true) {
      ERR_clear_error();
      const Attempt attempt = Judge(SSL_do_handshake(session_.get()), "TLS handshake with");
      if (!attempt.status.ok()) co_return Refusal(attempt.status);
      if (attempt.need == Need::kNothing) break;
      absl::Status ready = co_await Wait(scope, attempt.need);
      if (!ready.ok()) co_return ready;
    }
    established_ = true;
    co_return absl::OkStatus();
  }

  Co<absl::StatusOr<size_t>> ReadSome(CancelScope& scope, std::span<std::byte> out) override {
    if (scope.cancelled()) co_return CancelledBy(scope);
    if (out.empty()) co_return size_t{0};
    while (true) {
      const Attempt attempt = Read(out);
      if (!attempt.status.ok()) co_return attempt.status;
      absl::Status ready;
      if (attempt.need == Need::kNothing) {
        ready = co_await TakeTurns(scope);
        if (!ready.ok()) co_return ready;
        co_return attempt.bytes;
      }
      ready = co_await Wait(scope, attempt.need);
      if (!ready.ok()) co_return ready;
    }
  }

  Co<absl::Status> WriteAll(CancelScope& scope, std::span<const std::byte> data) override {
    if (scope.cancelled()) co_return CancelledBy(scope);
    while (!data.empty()) {
      const Attempt attempt = Write(data);
      if (!attempt.status.ok()) co_return attempt.status;
      data = data.subspan(attempt.bytes);
      absl::Status ready;
      if (attempt.need == Need::kNothing) {
        ready = co_await TakeTurns(scope);
      } else {
        ready = co_await Wait(scope, attempt.need);
      }
      if (!ready.ok()) co_return ready;
    }
    co_return absl::OkStatus();
  }

  absl::StatusOr<size_t> TryRead(std::span<std::byte> out) override {
    const Attempt attempt = Read(out);
    if (!attempt.status.ok()) return attempt.status;
    read_needs_ = attempt.need == Need::kNothing ? Need::kRead : attempt.need;
    return attempt.bytes;
  }

  absl::StatusOr<size_t> TryWrite(std::span<const std::byte> data) override {
    const Attempt attempt = Write(data);
    if (!attempt.status.ok()) return attempt.status;
    write_needs_ = attempt.need == Need::kNothing ? Need::kWrite : attempt.need;
    return attempt.bytes;
  }

  Co<absl::Status> WaitReadable(CancelScope& scope) override {
    if (scope.cancelled()) co_return CancelledBy(scope);
    absl::Status ready;
    // Decrypted already: the socket would be silent.
    if (SSL_has_pending(session_.get()) == 1) {
      ready = co_await async::NextTurn(scope);
    } else {
      ready = co_await Wait(scope, read_needs_);
    }
    co_return ready;
  }

  Co<absl::Status> WaitWritable(CancelScope& scope) override {
    if (scope.cancelled()) co_return CancelledBy(scope);
    absl::Status ready = co_await Wait(scope, write_needs_);
    co_return ready;
  }

  // The kernel counts encrypted bytes, some of which may have been taken out before they are whole.
  void SetReadLowWater(size_t /*bytes*/) override {}

  Co<absl::Status> SendFile(CancelScope& scope, int file_descriptor, uint64_t offset,
                            uint64_t length) override {
    constexpr auto kMaxOffset = static_cast<uint64_t>(std::numeric_limits<off_t>::max());
    if (offset > kMaxOffset || length > kMaxOffset - offset) {
      co_return absl::InvalidArgumentError("offset " + std::to_string(offset) + " plus length " +
                                           std::to_string(length) + " is beyond any file");
    }
    std::vector<std::byte> buffer(
        static_cast<size_t>(std::min<uint64_t>(length, kFileBufferBytes)));
    while (length > 0) {
      const auto want = static_cast<size_t>(std::min<uint64_t>(length, buffer.size()));
      const ssize_t got = ::pread(file_descriptor, buffer.data(), want, static_cast<off_t>(offset));
      const int error = errno;
      if (got < 0 && error == EINTR) continue;
      if (got < 0) {
        co_return MakeStatus(absl::StatusCode::kInternal, ErrorReason::kDiskFault,
                             std::string("reading a file that is sent: ") + std::strerror(error));
      }
      if (got == 0) {
        co_return absl::DataLossError("the file ends " + std::to_string(length) +
                                      " bytes before the range that was promised to " +
                                      peer().ToString());
      }
      const auto bytes = static_cast<size_t>(got);
      absl::Status sent =
          co_await WriteAll(scope, std::span<const std::byte>(buffer.data(), bytes));
      if (!sent.ok()) co_return sent;
      offset += bytes;
      length -= bytes;
    }
    co_return absl::OkStatus();
  }

  void Cork(bool more) override { plain_->Cork(more); }

  // Without a goodbye: bytes that the other side does not read any more would make its close a
  // reset, which takes from us what is still on its way.
  void ShutdownWrite() override { plain_->ShutdownWrite(); }

  void Close() override {
    failed_ = true;  // nothing may be sent to a descriptor that is somebody else's by then
    plain_->Close();
  }

  const net::Endpoint& peer() const override { return plain_->peer(); }
  int fd() const override { return plain_->fd(); }
  bool encrypted() const override { return true; }

 private:
  Attempt Read(std::span<std::byte> out) {
    if (failed_) return Over();
    ERR_clear_error();
    size_t bytes = 0;
    const int done =
        SSL_read_ex(session_.get(), out.data(), std::min(out.size(), kMaxBytesPerCall), &bytes);
    Attempt attempt = Judge(done, "reading from");
    attempt.bytes = bytes;
    return attempt;
  }

  Attempt Write(std::span<const std::byte> data) {
    if (failed_) return Over();
    ERR_clear_error();
    size_t bytes = 0;
    const int done =
        SSL_write_ex(session_.get(), data.data(), std::min(data.size(), kMaxBytesPerCall), &bytes);
    Attempt attempt = Judge(done, "writing to");
    attempt.bytes = bytes;
    return attempt;
  }

  Attempt Over() const {
    Attempt attempt;
    attempt.status = MakeStatus(absl::StatusCode::kCancelled, ErrorReason::kCancelled,
                                "the stream to " + peer().ToString() + " was closed");
    return attempt;
  }

  Attempt Judge(int returned, const char* doing) {
    const int system_error = errno;
    Attempt attempt;
    switch (SSL_get_error(session_.get(), returned)) {
      case SSL_ERROR_NONE:
        return attempt;
      case SSL_ERROR_WANT_READ:
        attempt.need = Need::kRead;
        return attempt;
      case SSL_ERROR_WANT_WRITE:
        attempt.need = Need::kWrite;
        return attempt;
      case SSL_ERROR_ZERO_RETURN:
        attempt.status = absl::OutOfRangeError(peer().ToString() + " ended the stream");
        return attempt;
      case SSL_ERROR_SYSCALL:
        failed_ = true;
        attempt.status = absl::UnavailableError(std::string(doing) + " " + peer().ToString() +
                                                ": " + std::strerror(system_error));
        return attempt;
      default:
        failed_ = true;
        attempt.status =
            MakeStatus(absl::StatusCode::kUnauthenticated, ErrorReason::kUnauthorized,
                       std::string(doing) + " " + peer().ToString() + ": " + TakeOpensslErrors());
        return attempt;
    }
  }

  // Says what is wrong with the other side's certificate, if that is it.
  absl::Status Refusal(const absl::Status& status) const {
    const long verified = SSL_get_verify_result(session_.get());
    if (verified == X509_V_OK) {
      // Somebody who speaks no TLS, or went away.
      if (!absl::IsOutOfRange(status)) return status;
      return absl::UnavailableError("TLS handshake with " + peer().ToString() +
                                    ": the other side ended the stream");
    }
    return MakeStatus(absl::StatusCode::kUnauthenticated, ErrorReason::kUnauthorized,
                      "TLS handshake with " + peer().ToString() + ": its certificate is refused: " +
                          X509_verify_cert_error_string(verified));
  }

  absl::Status CancelledBy(const CancelScope& scope) {
    Close();
    return scope.status();
  }

  Co<absl::Status> Wait(CancelScope& scope, Need need) {
    immediate_calls_ = 0;
    absl::Status ready;
    if (need == Need::kWrite) {
      ready = co_await plain_->WaitWritable(scope);
    } else {
      ready = co_await plain_->WaitReadable(scope);
    }
    if (!ready.ok()) failed_ = true;
    co_return ready;
  }

  Co<absl::Status> TakeTurns(CancelScope& scope) {
    if (++immediate_calls_ < kMaxImmediateCalls) co_return absl::OkStatus();
    immediate_calls_ = 0;
    absl::Status turn = co_await async::NextTurn(scope);
    if (!turn.ok()) Close();
    co_return turn;
  }

  std::unique_ptr<TcpStream> plain_;
  SslPtr session_;
  Need read_needs_ = Need::kRead;    // of the last TryRead that took nothing
  Need write_needs_ = Need::kWrite;  // the same of TryWrite
  bool established_ = false;
  bool failed_ = false;  // nothing more may be sent, not even a goodbye
  int immediate_calls_ = 0;
};

Co<absl::StatusOr<std::unique_ptr<TcpStream>>> Shake(CancelScope& scope,
                                                     std::unique_ptr<TcpStream> plain,
                                                     SslPtr session) {
  auto stream = std::make_unique<TlsTcpStream>(std::move(plain), std::move(session));
  absl::Status done = co_await stream->Handshake(scope);
  if (!done.ok()) co_return done;
  co_return std::unique_ptr<TcpStream>(std::move(stream));
}

// The server's certificate has to be for it.
bool Expect(SSL* session, const std::string& name) {
  X509_VERIFY_PARAM* parameters = SSL_get0_param(session);
  if (net::IpAddress::Parse(name).ok()) {
    return X509_VERIFY_PARAM_set1_ip_asc(parameters, name.c_str()) == 1;
  }
  SSL_set_hostflags(session, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  // OpenSSL's macro for the second call has a cast of the old style.
  return SSL_set1_host(session, name.c_str()) == 1 &&
         SSL_ctrl(session, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                  const_cast<char*>(name.c_str())) == 1;
}

}  // namespace

TlsServer::TlsServer(std::shared_ptr<TlsSource> source)
    : contexts_(std::make_unique<TlsContexts>(std::move(source), true)) {}
TlsServer::~TlsServer() = default;

Co<absl::StatusOr<std::unique_ptr<TcpStream>>> TlsServer::Handshake(
    CancelScope& scope, std::unique_ptr<TcpStream> stream) {
  absl::StatusOr<SslPtr> session = contexts_->NewSession(stream->fd());
  if (!session.ok()) co_return session.status();
  SSL_set_accept_state(session->get());
  auto shaken = co_await Shake(scope, std::move(stream), *std::move(session));
  co_return shaken;
}

TlsClient::TlsClient(std::shared_ptr<TlsSource> source)
    : contexts_(std::make_unique<TlsContexts>(std::move(source), false)) {}
TlsClient::~TlsClient() = default;

Co<absl::StatusOr<std::unique_ptr<TcpStream>>> TlsClient::Handshake(
    CancelScope& scope, std::unique_ptr<TcpStream> stream, std::string name) {
  absl::StatusOr<SslPtr> session = contexts_->NewSession(stream->fd());
  if (!session.ok()) co_return session.status();
  SSL_set_connect_state(session->get());
  if (!Expect(session->get(), name)) {
    co_return MakeStatus(absl::StatusCode::kInvalidArgument, ErrorReason::kInvalidArgument,
                         "\"" + name + "\" is no name that a certificate could be for");
  }
  auto shaken = co_await Shake(scope, std::move(stream), *std::move(session));
  co_return shaken;
}

}  // namespace dragonfly::common::crypto
