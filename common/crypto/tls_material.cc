#include "common/crypto/tls_material.h"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <fstream>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include "common/crypto/openssl_ptr.h"
#include "common/digest/hasher.h"
#include "common/status/reason.h"

namespace dragonfly::common::crypto {
namespace {

using status::ErrorReason;
using status::MakeStatus;

// More than this is no file of certificates.
constexpr size_t kMaxFileBytes = size_t{4} << 20;

absl::Status Wrong(const std::string& key, const std::string& path, std::string_view what) {
  return MakeStatus(absl::StatusCode::kInvalidArgument, ErrorReason::kInvalidArgument,
                    key + ": " + path + ": " + std::string(what));
}

absl::Status ReadPem(const std::string& key, const std::string& path, std::string& out) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return Wrong(key, path, std::string("cannot be opened: ") + std::strerror(errno));
  out.resize(kMaxFileBytes + 1);
  in.read(out.data(), static_cast<std::streamsize>(out.size()));
  if (in.bad() || in.gcount() == 0) return Wrong(key, path, "is empty or cannot be read");
  out.resize(static_cast<size_t>(in.gcount()));
  if (out.size() > kMaxFileBytes) return Wrong(key, path, "is larger than 4 MiB; not a PEM file");
  return absl::OkStatus();
}

// The first certificate; null when there is none. `count`: of all.
X509Ptr FirstCertificate(const std::string& pem, int* count) {
  const BioPtr bio = BioOver(pem);
  X509Ptr first;
  *count = 0;
  while (X509* read = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) {
    X509Ptr owned(read);
    if (++*count == 1) first = std::move(owned);
  }
  ERR_clear_error();
  return first;
}

absl::Time ToTime(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return absl::InfinitePast();
  return absl::FromTM(parts, absl::UTCTimeZone());
}

absl::Status CheckValidity(const X509& certificate, const std::string& key, const std::string& path,
                           absl::Time now) {
  const absl::Time begin = ToTime(X509_get0_notBefore(&certificate));
  const absl::Time end = ToTime(X509_get0_notAfter(&certificate));
  if (now < begin) {
    return Wrong(
        key, path,
        "the certificate is not valid before " + absl::FormatTime(begin) + "; compare the clocks");
  }
  if (now > end) {
    return Wrong(key, path,
                 "the certificate has expired at " + absl::FormatTime(end) + "; replace it");
  }
  return absl::OkStatus();
}

absl::Status CheckKey(X509& certificate, const std::string& pem, const std::string& key,
                      const TlsFiles& files) {
  const BioPtr bio = BioOver(pem);
  // No password: a service has nobody to ask.
  const auto no_password = [](char*, int, int, void*) { return -1; };
  const KeyPtr private_key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr));
  ERR_clear_error();
  if (private_key == nullptr) {
    return Wrong(key, files.key, "has no private key in PEM form without a password");
  }
  const int bits = EVP_PKEY_get_bits(private_key.get());
  if (EVP_PKEY_get_base_id(private_key.get()) == EVP_PKEY_RSA && bits < 2048) {
    return Wrong(key, files.key,
                 "RSA key of " + std::to_string(bits) + " bits; 2048 are the least");
  }
  const bool match = X509_check_private_key(&certificate, private_key.get()) == 1;
  ERR_clear_error();
  if (!match) {
    return Wrong(key, files.key, "is not the key of the certificate in " + files.cert);
  }
  return absl::OkStatus();
}

// Of its DER form.
std::string Fingerprint(X509& certificate) {
  unsigned char* der = nullptr;
  const int size = i2d_X509(&certificate, &der);
  if (size <= 0) return std::string();
  std::string hex = digest::Sha256Hex(
      std::as_bytes(std::span<const unsigned char>(der, static_cast<size_t>(size))));
  OPENSSL_free(der);
  return hex;
}

}  // namespace

TlsMaterial::~TlsMaterial() { OPENSSL_cleanse(key_pem.data(), key_pem.size()); }

absl::StatusOr<TlsMaterial> LoadTls(const TlsFiles& files, const std::string& prefix,
                                    absl::Time now) {
  TlsMaterial out;
  if (files.cert.empty() != files.key.empty()) {
    const char* missing = files.cert.empty() ? ".cert" : ".key";
    return MakeStatus(absl::StatusCode::kInvalidArgument, ErrorReason::kInvalidArgument,
                      prefix + missing + ": missing; certificate and key belong together");
  }
  if (!files.ca_cert.empty()) {
    const std::string key = prefix + ".caCert";
    absl::Status read = ReadPem(key, files.ca_cert, out.ca_pem);
    if (!read.ok()) return read;
    int count = 0;
    const X509Ptr first = FirstCertificate(out.ca_pem, &count);
    if (first == nullptr) return Wrong(key, files.ca_cert, "has no certificate in PEM form");
    // One expired authority among several is nothing: others may be in use.
    absl::Status valid = CheckValidity(*first, key, files.ca_cert, now);
    if (count == 1 && !valid.ok()) return valid;
  }
  if (!files.cert.empty()) {
    const std::string key = prefix + ".cert";
    absl::Status read = ReadPem(key, files.cert, out.cert_pem);
    if (read.ok()) read = ReadPem(prefix + ".key", files.key, out.key_pem);
    if (!read.ok()) return read;
    int count = 0;
    const X509Ptr certificate = FirstCertificate(out.cert_pem, &count);
    if (certificate == nullptr) return Wrong(key, files.cert, "has no certificate in PEM form");
    absl::Status good = CheckValidity(*certificate, key, files.cert, now);
    if (good.ok()) good = CheckKey(*certificate, out.key_pem, prefix + ".key", files);
    if (!good.ok()) return good;
    out.fingerprint = Fingerprint(*certificate);
    out.not_after = ToTime(X509_get0_notAfter(certificate.get()));
  }
  return out;
}

}  // namespace dragonfly::common::crypto
