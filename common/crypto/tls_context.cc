#include "common/crypto/tls_context.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>
#include <utility>

#include "common/crypto/openssl_ptr.h"
#include "common/status/reason.h"

namespace dragonfly::common::crypto {
namespace {

// Chains longer than this are an attack on our time (row D-17).
constexpr int kMaxChainDepth = 5;

absl::Status Failed(const std::string& prefix, const char* what) {
  return status::MakeStatus(absl::StatusCode::kInvalidArgument,
                            status::ErrorReason::kInvalidArgument,
                            prefix + ": " + what + ": " + TakeOpensslErrors());
}

X509Ptr NextCertificate(BIO* bio) {
  X509Ptr next(PEM_read_bio_X509(bio, nullptr, nullptr, nullptr));
  if (next == nullptr) ERR_clear_error();
  return next;
}

bool UseCertificate(SSL_CTX* context, const TlsMaterial& material) {
  const BioPtr chain = BioOver(material.cert_pem);
  const X509Ptr own = NextCertificate(chain.get());
  if (own == nullptr || SSL_CTX_use_certificate(context, own.get()) != 1) return false;
  while (const X509Ptr next = NextCertificate(chain.get())) {
    if (SSL_CTX_add1_chain_cert(context, next.get()) != 1) return false;
  }
  const BioPtr key_bio = BioOver(material.key_pem);
  const KeyPtr key(PEM_read_bio_PrivateKey(key_bio.get(), nullptr, nullptr, nullptr));
  return key != nullptr && SSL_CTX_use_PrivateKey(context, key.get()) == 1;
}

bool TrustAuthorities(SSL_CTX* context, const TlsMaterial& material, bool server) {
  const BioPtr bio = BioOver(material.ca_pem);
  X509_STORE* store = SSL_CTX_get_cert_store(context);
  while (const X509Ptr authority = NextCertificate(bio.get())) {
    if (X509_STORE_add_cert(store, authority.get()) != 1) return false;
    if (server && SSL_CTX_add_client_CA(context, authority.get()) != 1) return false;
  }
  return true;
}

// --- a BIO like OpenSSL's own for sockets, but without SIGPIPE ---

int FdOf(BIO* bio) { return static_cast<int>(reinterpret_cast<intptr_t>(BIO_get_data(bio))); }

int FinishIo(BIO* bio, ssize_t done, bool reads) {
  BIO_clear_retry_flags(bio);
  if (done >= 0) return static_cast<int>(done);
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) {
    if (reads) {
      BIO_set_retry_read(bio);
    } else {
      BIO_set_retry_write(bio);
    }
  }
  return -1;
}

int BioWrite(BIO* bio, const char* data, int size) {
  return FinishIo(
      bio, ::send(FdOf(bio), data, static_cast<size_t>(size), MSG_DONTWAIT | MSG_NOSIGNAL), false);
}

int BioRead(BIO* bio, char* out, int size) {
  const ssize_t got = ::recv(FdOf(bio), out, static_cast<size_t>(size), MSG_DONTWAIT);
  if (got == 0) BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
  return FinishIo(bio, got, true);
}

long BioControl(BIO* bio, int command, long, void*) {
  if (command == BIO_CTRL_EOF) return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0 ? 1 : 0;
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

int BioCreate(BIO* bio) {
  BIO_set_init(bio, 1);
  return 1;
}

const BIO_METHOD* SocketMethod() {
  // Lives as long as the process, like OpenSSL's own.
  static const BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");
    BIO_meth_set_write(made, BioWrite);
    BIO_meth_set_read(made, BioRead);
    BIO_meth_set_ctrl(made, BioControl);
    BIO_meth_set_create(made, BioCreate);
    return made;
  }();
  return method;
}

}  // namespace

std::string TakeOpensslErrors() {
  std::string out;
  while (const unsigned long error = ERR_get_error()) {
    const char* reason = ERR_reason_error_string(error);
    if (!out.empty()) out += "; ";
    out += reason != nullptr ? reason : "error " + std::to_string(error);
  }
  return out.empty() ? "no reason given" : out;
}

TlsContexts::TlsContexts(std::shared_ptr<TlsSource> source, bool server)
    : source_(std::move(source)), server_(server) {}

absl::StatusOr<SslContextPtr> TlsContexts::MakeContext(const TlsMaterial& material) const {
  ERR_clear_error();
  SslContextPtr context(SSL_CTX_new(server_ ? TLS_server_method() : TLS_client_method()));
  if (context == nullptr) return Failed(source_->prefix(), "OpenSSL makes no context");
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                         SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE |
                                      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                      SSL_MODE_RELEASE_BUFFERS);
  // No session is resumed: each stream is judged by the material that is in force.
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context.get(), 0);
  SSL_CTX_set_verify_depth(context.get(), kMaxChainDepth);
  if (!material.cert_pem.empty() && !UseCertificate(context.get(), material)) {
    return Failed(source_->prefix(), "the certificate or its key cannot be used");
  }
  if (!material.ca_pem.empty() && !TrustAuthorities(context.get(), material, server_)) {
    return Failed(source_->prefix(), "the authorities cannot be used");
  }
  if (!server_ && material.ca_pem.empty()) SSL_CTX_set_default_verify_paths(context.get());
  const bool asks = !server_ || !material.ca_pem.empty();
  SSL_CTX_set_verify(context.get(),
                     asks ? SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT : SSL_VERIFY_NONE,
                     nullptr);
  return context;
}

absl::StatusOr<SslPtr> TlsContexts::NewSession(int fd) {
  std::shared_ptr<const TlsMaterial> material = source_->current();
  const std::lock_guard lock(mutex_);
  if (context_ == nullptr || material != material_) {
    absl::StatusOr<SslContextPtr> made = MakeContext(*material);
    if (!made.ok()) return made.status();
    context_ = *std::move(made);
    material_ = std::move(material);
  }
  SslPtr session(SSL_new(context_.get()));  // holds the context
  BIO* bio = BIO_new(SocketMethod());
  if (session == nullptr || bio == nullptr) {
    BIO_free(bio);
    return Failed(source_->prefix(), "OpenSSL makes no session");
  }
  BIO_set_data(bio, reinterpret_cast<void*>(static_cast<intptr_t>(fd)));
  SSL_set_bio(session.get(), bio, bio);  // takes it
  return session;
}

}  // namespace dragonfly::common::crypto
