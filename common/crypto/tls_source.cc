#include "common/crypto/tls_source.h"

#include <sys/stat.h>

#include <utility>

#include "common/log/log.h"

namespace dragonfly::common::crypto {

using log::kv;

TlsSource::TlsSource(const os::Clock& clock, Options options)
    : clock_(clock), options_(std::move(options)) {}

absl::StatusOr<std::shared_ptr<TlsSource>> TlsSource::Open(const os::Clock& clock,
                                                           Options options) {
  std::shared_ptr<TlsSource> source(new TlsSource(clock, std::move(options)));
  // Looked at before they are read: a change in between is seen at the next check.
  source->stamps_ = source->Look();
  auto material = LoadTls(source->options_.files, source->options_.prefix, clock.WallNow());
  if (!material.ok()) return material.status();
  source->material_ = std::make_shared<const TlsMaterial>(*std::move(material));
  source->next_check_ = clock.Now() + source->options_.check_interval;
  return source;
}

absl::StatusOr<std::shared_ptr<TlsSource>> TlsSource::OpenIfSet(const os::Clock& clock,
                                                                const TlsFiles& files,
                                                                const std::string& prefix) {
  if (!files.set()) return std::shared_ptr<TlsSource>();
  Options options;
  options.files = files;
  options.prefix = prefix;
  return Open(clock, std::move(options));
}

std::shared_ptr<const TlsMaterial> TlsSource::current() {
  const absl::Time now = clock_.Now();
  const std::lock_guard lock(mutex_);
  if (now >= next_check_) CheckLocked(now);
  return material_;
}

TlsSource::Stamps TlsSource::Look() const {
  Stamps stamps;
  for (const std::string* path :
       {&options_.files.ca_cert, &options_.files.cert, &options_.files.key}) {
    Stamp stamp;
    struct stat info {};
    if (!path->empty() && ::stat(path->c_str(), &info) == 0) {
      stamp.device = info.st_dev;
      stamp.inode = info.st_ino;
      stamp.size = info.st_size;
      stamp.modified_nanoseconds =
          int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec;
    }
    stamps.push_back(stamp);
  }
  return stamps;
}

// Reads under the lock: the files are small, and two readers would only read them twice.
void TlsSource::CheckLocked(absl::Time now) {
  next_check_ = now + options_.check_interval;
  Stamps stamps = Look();
  if (stamps == stamps_) return;
  auto material = LoadTls(options_.files, options_.prefix, clock_.WallNow());
  if (!material.ok()) {
    if (stamps == refused_) return;
    refused_ = std::move(stamps);
    log::Error("new TLS files are not used; the ones before stay in force",
               kv("prefix", options_.prefix), kv("error", material.status()));
    return;
  }
  log::Info("new TLS files are in force", kv("prefix", options_.prefix),
            kv("fingerprint", material->fingerprint),
            kv("until", absl::FormatTime(material->not_after)));
  material_ = std::make_shared<const TlsMaterial>(*std::move(material));
  stamps_ = std::move(stamps);
  refused_.clear();
}

}  // namespace dragonfly::common::crypto
