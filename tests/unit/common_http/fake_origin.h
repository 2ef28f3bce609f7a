#pragma once

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gtest/gtest.h>
#include <netinet/in.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace dragonfly::common::http {

// A self-signed certificate for 127.0.0.1.
struct TestCertificate {
  std::string pem;
  std::string der;
  EVP_PKEY* key = nullptr;
  X509* x509 = nullptr;

  TestCertificate() {
    key = EVP_EC_gen("P-256");
    x509 = X509_new();
    X509_set_version(x509, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x509), 1);
    X509_gmtime_adj(X509_getm_notBefore(x509), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x509), 3600);
    X509_set_pubkey(x509, key);
    X509_NAME* name = X509_get_subject_name(x509);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>("test"), -1, -1, 0);
    X509_set_issuer_name(x509, name);
    for (const auto& [id, value] : {std::pair{NID_subject_alt_name, "IP:127.0.0.1"},
                                    std::pair{NID_basic_constraints, "critical,CA:TRUE"}}) {
      X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, id, value);
      X509_add_ext(x509, extension, -1);
      X509_EXTENSION_free(extension);
    }
    X509_sign(x509, key, EVP_sha256());
    BIO* bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(bio, x509);
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio, &data);
    pem.assign(data, static_cast<size_t>(size));
    BIO_free(bio);
    unsigned char* bytes = nullptr;
    const int length = i2d_X509(x509, &bytes);
    der.assign(reinterpret_cast<const char*>(bytes), static_cast<size_t>(length));
    OPENSSL_free(bytes);
  }
  ~TestCertificate() {
    X509_free(x509);
    EVP_PKEY_free(key);
  }
  TestCertificate(const TestCertificate&) = delete;
  TestCertificate& operator=(const TestCertificate&) = delete;
};

// One connection to the fake origin, blocking.
class Connection {
 public:
  Connection(int fd, SSL* ssl) : fd_(fd), ssl_(ssl) {}

  // The head of the next request with its empty line; empty at the end of the connection.
  std::string ReadHead() {
    std::string head;
    char c = 0;
    while (Read(&c, 1) == 1) {
      head += c;
      if (head.ends_with("\r\n\r\n")) return head;
    }
    return std::string();
  }
  std::string ReadBody(size_t size) {
    std::string body(size, '\0');
    size_t got = 0;
    while (got < size) {
      const int n = Read(body.data() + got, static_cast<int>(size - got));
      if (n <= 0) break;
      got += static_cast<size_t>(n);
    }
    return body;
  }
  // False when the peer is gone.
  bool Write(std::string_view text) {
    while (!text.empty()) {
      const auto n =
          ssl_ != nullptr
              ? static_cast<ssize_t>(SSL_write(ssl_, text.data(), static_cast<int>(text.size())))
              : send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      text.remove_prefix(static_cast<size_t>(n));
    }
    return true;
  }
  // Until the client closes.
  void WaitForEnd() {
    char c = 0;
    while (Read(&c, 1) == 1) {
    }
  }

 private:
  int Read(char* out, int size) {
    if (ssl_ != nullptr) return SSL_read(ssl_, out, size);
    return static_cast<int>(recv(fd_, out, static_cast<size_t>(size), 0));
  }
  int fd_;
  SSL* ssl_;
};

// An origin that does what its script says, each connection in a thread.
class FakeOrigin {
 public:
  using Script = std::function<void(Connection&)>;

  explicit FakeOrigin(Script script, const TestCertificate* certificate = nullptr)
      : script_(std::move(script)) {
    if (certificate != nullptr) {
      tls_ = SSL_CTX_new(TLS_server_method());
      SSL_CTX_use_certificate(tls_, certificate->x509);
      SSL_CTX_use_PrivateKey(tls_, certificate->key);
    }
    fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(listen(fd_, 64), 0);
    socklen_t size = sizeof(address);
    EXPECT_EQ(getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { AcceptAll(); });
  }
  FakeOrigin(const FakeOrigin&) = delete;
  FakeOrigin& operator=(const FakeOrigin&) = delete;
  ~FakeOrigin() {
    stopping_ = true;
    shutdown(fd_, SHUT_RDWR);
    acceptor_.join();
    {
      std::lock_guard lock(mutex_);
      for (int fd : open_) shutdown(fd, SHUT_RDWR);
    }
    for (std::thread& thread : threads_) thread.join();
    close(fd_);
    SSL_CTX_free(tls_);
  }

  std::string Url(std::string_view path = "/") const {
    return (tls_ != nullptr ? "https://127.0.0.1:" : "http://127.0.0.1:") + std::to_string(port_) +
           std::string(path);
  }
  uint16_t port() const { return port_; }
  int connections() const { return connections_; }

 private:
  void AcceptAll() {
    while (!stopping_) {
      const int fd = accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) continue;
      ++connections_;
      std::lock_guard lock(mutex_);
      open_.push_back(fd);
      threads_.emplace_back([this, fd] { Serve(fd); });
    }
  }
  void Serve(int fd) {
    SSL* ssl = nullptr;
    bool ready = true;
    if (tls_ != nullptr) {
      ssl = SSL_new(tls_);
      SSL_set_fd(ssl, fd);
      ready = SSL_accept(ssl) == 1;
    }
    if (ready) {
      Connection connection(fd, ssl);
      script_(connection);
    }
    SSL_free(ssl);
    std::lock_guard lock(mutex_);
    std::erase(open_, fd);
    close(fd);
  }

  Script script_;
  SSL_CTX* tls_ = nullptr;
  int fd_ = -1;
  uint16_t port_ = 0;
  std::atomic<bool> stopping_ = false;
  std::atomic<int> connections_ = 0;
  std::mutex mutex_;  // guards what follows
  std::vector<int> open_;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

inline std::string Ok(std::string_view body, std::string_view headers = "") {
  return "HTTP/1.1 200 OK\r\n" + std::string(headers) +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

inline std::string RedirectTo(std::string_view location, int status = 302) {
  return "HTTP/1.1 " + std::to_string(status) + " Moved\r\nLocation: " + std::string(location) +
         "\r\nContent-Length: 4\r\n\r\ngone";
}

// Answers each request by what `answer` makes of its head.
inline FakeOrigin::Script Answering(std::function<std::string(const std::string&)> answer) {
  return [answer = std::move(answer)](Connection& connection) {
    while (true) {
      const std::string head = connection.ReadHead();
      if (head.empty() || !connection.Write(answer(head))) return;
    }
  };
}

}  // namespace dragonfly::common::http
