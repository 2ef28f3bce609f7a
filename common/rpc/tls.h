#pragma once

#include <memory>

#include "common/crypto/tls_source.h"

namespace grpc {
class ChannelCredentials;
class ServerCredentials;
}  // namespace grpc

namespace dragonfly::common::rpc {

// Credentials of a server that asks `source` at each handshake, so that replaced files are in force
// for the next connection. Clients have to show a certificate if the source is mutual. `source`
// needs a certificate.
std::shared_ptr<::grpc::ServerCredentials> MakeServerCredentials(
    std::shared_ptr<crypto::TlsSource> source);

// Credentials of a channel, of what is in force now. gRPC checks that the server's certificate is
// for the host of the target, an IP literal included.
std::shared_ptr<::grpc::ChannelCredentials> MakeChannelCredentials(
    const crypto::TlsMaterial& material);

}  // namespace dragonfly::common::rpc
