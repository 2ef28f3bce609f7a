#pragma once

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

namespace dragonfly::common::crypto {

// What OpenSSL gives away, freed in its own way. For this module's sources.
template <typename T, void (*Free)(T*)>
struct OpensslFree {
  void operator()(T* it) const { Free(it); }
};
using X509Ptr = std::unique_ptr<X509, OpensslFree<X509, X509_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, OpensslFree<EVP_PKEY, EVP_PKEY_free>>;
using BioPtr = std::unique_ptr<BIO, OpensslFree<BIO, BIO_free_all>>;

// A source of the text's bytes; `pem` must outlive it.
inline BioPtr BioOver(const std::string& pem) {
  return BioPtr(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

}  // namespace dragonfly::common::crypto
