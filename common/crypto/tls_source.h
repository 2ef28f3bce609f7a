#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/crypto/tls_material.h"
#include "common/os/env.h"

namespace dragonfly::common::crypto {

// The TLS material in force. Files that were replaced are read anew when somebody asks, at most
// once in `check_interval`; a new set that does not hold together is kept out, logged once, and
// looked at again at the next check.
//
// Threading: any thread. A check costs three stat(2) calls.
class TlsSource {
 public:
  struct Options {
    TlsFiles files;
    std::string prefix;  // of the configuration's keys, for messages: "server.tls"
    absl::Duration check_interval = absl::Seconds(1);
  };

  // INVALID_ARGUMENT as LoadTls. The clock must outlive the source.
  static absl::StatusOr<std::shared_ptr<TlsSource>> Open(const os::Clock& clock, Options options);

  // Null when none of the files is named: plaintext.
  static absl::StatusOr<std::shared_ptr<TlsSource>> OpenIfSet(const os::Clock& clock,
                                                              const TlsFiles& files,
                                                              const std::string& prefix);

  // Never null. The same pointer as long as nothing has changed.
  std::shared_ptr<const TlsMaterial> current();
  // Whether the other side is asked for a certificate.
  bool mutual() const { return !options_.files.ca_cert.empty(); }
  const std::string& prefix() const { return options_.prefix; }

 private:
  struct Stamp {
    uint64_t device = 0;
    uint64_t inode = 0;
    int64_t size = 0;
    int64_t modified_nanoseconds = 0;
    friend bool operator==(const Stamp&, const Stamp&) = default;
  };
  using Stamps = std::vector<Stamp>;

  TlsSource(const os::Clock& clock, Options options);
  Stamps Look() const;
  void CheckLocked(absl::Time now);

  const os::Clock& clock_;
  const Options options_;
  std::mutex mutex_;  // guards what follows
  std::shared_ptr<const TlsMaterial> material_;
  Stamps stamps_;   // of what is in force
  Stamps refused_;  // of the set that was named in the log
  absl::Time next_check_;
};

}  // namespace dragonfly::common::crypto
