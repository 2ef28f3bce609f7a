#include "common/crypto/testing/test_authority.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <utility>

namespace dragonfly::common::crypto::testing {
namespace {

void Must(bool good, const char* what) {
  if (good) return;
  std::fprintf(stderr, "TestAuthority: %s failed\n", what);
  std::abort();
}

EVP_PKEY* NewKey(int rsa_bits) {
  EVP_PKEY* key = rsa_bits > 0 ? EVP_RSA_gen(static_cast<unsigned>(rsa_bits)) : EVP_EC_gen("P-256");
  Must(key != nullptr, "making a key");
  return key;
}

template <typename Writer>
std::string ToPem(Writer write) {
  BIO* bio = BIO_new(BIO_s_mem());
  Must(write(bio) == 1, "writing PEM");
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  std::string out(data, static_cast<size_t>(size));
  BIO_free(bio);
  return out;
}

void AddExtension(X509* to, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, to, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  Must(extension != nullptr, "an extension");
  X509_add_ext(to, extension, -1);
  X509_EXTENSION_free(extension);
}

X509* NewCertificate(const std::string& name, EVP_PKEY* key, absl::Duration begins,
                     absl::Duration ends) {
  static long serial = 1;
  X509* certificate = X509_new();
  Must(certificate != nullptr, "making a certificate");
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++);
  X509_gmtime_adj(X509_getm_notBefore(certificate), absl::ToInt64Seconds(begins));
  X509_gmtime_adj(X509_getm_notAfter(certificate), absl::ToInt64Seconds(ends));
  X509_set_pubkey(certificate, key);
  X509_NAME* subject = X509_get_subject_name(certificate);
  const auto* text = reinterpret_cast<const unsigned char*>(name.c_str());
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, text, -1, -1, 0);
  return certificate;
}

}  // namespace

struct TestAuthority::Impl {
  EVP_PKEY* key = nullptr;
  X509* certificate = nullptr;
  ~Impl() {
    X509_free(certificate);
    EVP_PKEY_free(key);
  }
};

TestAuthority::TestAuthority(std::string name) : impl_(std::make_unique<Impl>()) {
  impl_->key = NewKey(0);
  impl_->certificate = NewCertificate(name, impl_->key, -absl::Hours(1), absl::Hours(24));
  X509* own = impl_->certificate;
  X509_set_issuer_name(own, X509_get_subject_name(own));
  AddExtension(own, own, NID_basic_constraints, "critical,CA:TRUE");
  AddExtension(own, own, NID_key_usage, "critical,keyCertSign,cRLSign");
  AddExtension(own, own, NID_subject_key_identifier, "hash");
  Must(X509_sign(own, impl_->key, EVP_sha256()) > 0, "signing");
  pem_ = ToPem([own](BIO* bio) { return PEM_write_bio_X509(bio, own); });
}

TestAuthority::~TestAuthority() = default;

TestAuthority::Pair TestAuthority::Issue(const Leaf& leaf) {
  EVP_PKEY* key = NewKey(leaf.rsa_bits);
  X509* certificate = NewCertificate(leaf.common_name, key, leaf.begins, leaf.ends);
  X509_set_issuer_name(certificate, X509_get_subject_name(impl_->certificate));
  std::string names;
  for (const std::string& each : leaf.dns) names += (names.empty() ? "DNS:" : ",DNS:") + each;
  for (const std::string& each : leaf.ip) names += (names.empty() ? "IP:" : ",IP:") + each;
  if (!names.empty()) AddExtension(certificate, impl_->certificate, NID_subject_alt_name, names);
  Must(X509_sign(certificate, impl_->key, EVP_sha256()) > 0, "signing");
  Pair pair;
  pair.cert_pem = ToPem([&](BIO* bio) { return PEM_write_bio_X509(bio, certificate); });
  pair.key_pem = ToPem([&](BIO* bio) {
    return PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
  });
  X509_free(certificate);
  EVP_PKEY_free(key);
  return pair;
}

TlsFiles TestAuthority::Write(const std::string& folder, const Leaf& leaf) {
  const Pair pair = Issue(leaf);
  TlsFiles files;
  files.ca_cert = folder + "/ca.pem";
  files.cert = folder + "/cert.pem";
  files.key = folder + "/key.pem";
  ReplaceFile(files.ca_cert, pem_);
  ReplaceFile(files.cert, pair.cert_pem);
  ReplaceFile(files.key, pair.key_pem);
  return files;
}

void ReplaceFile(const std::string& path, const std::string& text) {
  const std::string other = path + ".new";
  std::ofstream(other, std::ios::binary) << text;
  std::filesystem::rename(other, path);
}

std::shared_ptr<TlsSource> OpenSource(const TlsFiles& files, absl::Duration check_interval) {
  TlsSource::Options options;
  options.files = files;
  options.prefix = "test.tls";
  options.check_interval = check_interval;
  auto source = TlsSource::Open(os::PosixEnv().clock(), std::move(options));
  Must(source.ok(), source.status().ToString().c_str());
  return *std::move(source);
}

}  // namespace dragonfly::common::crypto::testing
