#pragma once

#include <string>

#include "common/config/schema.h"
#include "common/crypto/tls_material.h"

namespace dragonfly::common::crypto {

// The keys `prefix`.caCert, .cert and .key of a configuration, bound to `files`, which must outlive
// the schema. Loading fails with a part of the three: somebody would believe in a protection that
// is not there. `whose`: whom the authority vouches for, for the reference page.
void AddTlsKeys(config::Schema& schema, const std::string& prefix, TlsFiles& files,
                const std::string& whose);

}  // namespace dragonfly::common::crypto
