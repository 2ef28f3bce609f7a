#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace dragonfly::manager::service {

// Who the other side is by its certificate. Over plaintext nobody is anybody.
struct CallerIdentity {
  bool authenticated = false;      // it showed a certificate that the server's CA has signed
  std::vector<std::string> names;  // subject alternative names: host names and addresses
};

// Whether a caller may register, keep alive or delete the member `host_name` at `ip`; pure.
//
// Without a certificate everybody may: the port is as open as its network, which the manager says
// at its start. With one, the addresses in it have to include `ip`; a certificate without any
// address has to name the host (a wildcard stands for one label). PERMISSION_DENIED names what is
// missing. `ip` may be empty: then host name or address, whichever the certificate has, must fit
// the host name.
absl::Status MaySpeakFor(const CallerIdentity& caller, std::string_view host_name,
                         std::string_view ip);

}  // namespace dragonfly::manager::service
