#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/crypto/tls_source.h"

namespace dragonfly::common::crypto::testing {

// An authority that a test makes, with keys that nobody trusts. Failures are fatal assertions of
// the process: there is nothing to test without certificates.
class TestAuthority {
 public:
  explicit TestAuthority(std::string name = "test authority");
  ~TestAuthority();

  struct Leaf {
    std::string common_name = "node";
    std::vector<std::string> dns = {"localhost"};
    std::vector<std::string> ip = {"127.0.0.1", "::1"};
    absl::Duration begins = -absl::Hours(1);  // from now
    absl::Duration ends = absl::Hours(1);
    int rsa_bits = 0;  // 0: an elliptic curve
  };
  struct Pair {
    std::string cert_pem;
    std::string key_pem;
  };
  Pair Issue(const Leaf& leaf);
  const std::string& pem() const { return pem_; }

  // Writes ca.pem, cert.pem and key.pem to `folder`, each under another name first: what a careful
  // rotation does.
  TlsFiles Write(const std::string& folder, const Leaf& leaf);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
  std::string pem_;
};

// What these files hold, looked at anew by each asker unless told otherwise.
std::shared_ptr<TlsSource> OpenSource(const TlsFiles& files,
                                      absl::Duration check_interval = absl::ZeroDuration());

// `text` as the whole of `path`, by way of another name.
void ReplaceFile(const std::string& path, const std::string& text);

}  // namespace dragonfly::common::crypto::testing
