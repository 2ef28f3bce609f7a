#include "common/rpc/tls.h"

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>

#include <mutex>
#include <string>
#include <utility>

namespace dragonfly::common::rpc {
namespace {

// gRPC's C++ classes have no server credentials that can be renewed by a function; its C core has.
class ReloadedServerCredentials final : public ::grpc::ServerCredentials {
 public:
  explicit ReloadedServerCredentials(std::shared_ptr<crypto::TlsSource> source)
      : source_(std::move(source)) {
    const auto asks = source_->mutual() ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                                        : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE;
    credentials_ = grpc_ssl_server_credentials_create_with_options(
        grpc_ssl_server_credentials_create_options_using_config_fetcher(asks, &Fetch, this));
  }
  ~ReloadedServerCredentials() override { grpc_server_credentials_release(credentials_); }

  void SetAuthMetadataProcessor(
      const std::shared_ptr<::grpc::AuthMetadataProcessor>& /*processor*/) override {}

 private:
  int AddPortToServer(const std::string& address, grpc_server* server) override {
    return grpc_server_add_http2_port(server, address.c_str(), credentials_);
  }

  // Called by gRPC before each handshake.
  static grpc_ssl_certificate_config_reload_status Fetch(
      void* self, grpc_ssl_server_certificate_config** config) {
    return static_cast<ReloadedServerCredentials*>(self)->FetchNew(config);
  }
  grpc_ssl_certificate_config_reload_status FetchNew(grpc_ssl_server_certificate_config** config) {
    std::shared_ptr<const crypto::TlsMaterial> now = source_->current();
    const std::lock_guard lock(mutex_);
    if (now == given_) return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
    const grpc_ssl_pem_key_cert_pair pair{now->key_pem.c_str(), now->cert_pem.c_str()};
    const char* roots = now->ca_pem.empty() ? nullptr : now->ca_pem.c_str();
    *config = grpc_ssl_server_certificate_config_create(roots, &pair, 1);
    given_ = std::move(now);
    return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
  }

  const std::shared_ptr<crypto::TlsSource> source_;
  grpc_server_credentials* credentials_;
  std::mutex mutex_;                                  // guards given_
  std::shared_ptr<const crypto::TlsMaterial> given_;  // to gRPC, last
};

}  // namespace

std::shared_ptr<::grpc::ServerCredentials> MakeServerCredentials(
    std::shared_ptr<crypto::TlsSource> source) {
  return std::make_shared<ReloadedServerCredentials>(std::move(source));
}

std::shared_ptr<::grpc::ChannelCredentials> MakeChannelCredentials(
    const crypto::TlsMaterial& material) {
  ::grpc::SslCredentialsOptions options;
  options.pem_root_certs = material.ca_pem;
  options.pem_private_key = material.key_pem;
  options.pem_cert_chain = material.cert_pem;
  return ::grpc::SslCredentials(options);
}

}  // namespace dragonfly::common::rpc
