#pragma once

// An easy handle of libcurl, set up for a Transfer. Not for other modules.

#include <curl/curl.h>

#include <memory>

#include "absl/status/status.h"
#include "common/http/curl_loop.h"

namespace dragonfly::common::http {

class CurlHandle {
 public:
  CurlHandle(std::shared_ptr<Transfer> transfer, const HttpClient::Options& options);
  CurlHandle(const CurlHandle&) = delete;
  CurlHandle& operator=(const CurlHandle&) = delete;
  ~CurlHandle();

  CURL* easy() const { return easy_; }
  Transfer& transfer() const { return *transfer_; }
  // What a finished transfer means.
  absl::Status StatusOf(CURLcode code) const;
  absl::Status Silent() const;

 private:
  void SetUp(const HttpClient::Options& options);
  void SetMethodAndHeaders(const HttpClient::Options& options);
  void SetTls();
  void AddHeader(const std::string& line);

  std::shared_ptr<Transfer> transfer_;
  CURL* easy_;
  curl_slist* headers_ = nullptr;
  std::string ca_pem_;
  char error_[CURL_ERROR_SIZE] = {};
};

}  // namespace dragonfly::common::http
