#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/async/tcp.h"
#include "common/crypto/tls_source.h"

namespace dragonfly::common::crypto {

// Makes encrypted streams of plain ones. TLS 1.2 or 1.3, chains of at most five certificates, no
// renegotiation, no compression. A new handshake uses the material that is in force then; streams
// that exist go on with theirs.
//
// A stream of theirs behaves as async::TcpStream says, with these differences: SendFile reads the
// file and encrypts it; SetReadLowWater does nothing; after TryWrite took nothing, the same bytes
// come again. An end without close_notify is an end: messages of our protocols have lengths.
//
// Errors of handshakes are UNAUTHENTICATED (kUnauthorized) and name the peer and the reason that
// the library gives: unknown authority, expired, wrong name, no certificate. A peer that is silent
// ends with the scope. Threading: any executor, many at once.
class TlsServer {
 public:
  explicit TlsServer(std::shared_ptr<TlsSource> source);
  TlsServer(const TlsServer&) = delete;
  TlsServer& operator=(const TlsServer&) = delete;
  ~TlsServer();

  // Clients have to show a certificate if the source is mutual.
  async::Co<absl::StatusOr<std::unique_ptr<async::TcpStream>>> Handshake(
      async::CancelScope& scope, std::unique_ptr<async::TcpStream> stream);

 private:
  std::unique_ptr<class TlsContexts> contexts_;
};

class TlsClient {
 public:
  explicit TlsClient(std::shared_ptr<TlsSource> source);
  TlsClient(const TlsClient&) = delete;
  TlsClient& operator=(const TlsClient&) = delete;
  ~TlsClient();

  // `name`: a host name or an IP literal that the server's certificate must be for.
  async::Co<absl::StatusOr<std::unique_ptr<async::TcpStream>>> Handshake(
      async::CancelScope& scope, std::unique_ptr<async::TcpStream> stream, std::string name);

 private:
  std::unique_ptr<class TlsContexts> contexts_;
};

}  // namespace dragonfly::common::crypto
