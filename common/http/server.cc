#include "common/http/server.h"

#include <algorithm>
#include <array>
#include <boost/beast/http/status.hpp>
#include <cstddef>
#include <map>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "common/async/cancel_scope.h"
#include "common/async/task_group.h"
#include "common/async/tcp.h"
#include "common/crypto/tls_stream.h"
#include "common/http/body_parser.h"
#include "common/http/gzip.h"
#include "common/http/request_head.h"
#include "common/os/env.h"

namespace dragonfly::common::http {
namespace {

std::string_view Phrase(int status) {
  const auto phrase = boost::beast::http::obsolete_reason(
      boost::beast::http::int_to_status(static_cast<unsigned>(std::clamp(status, 100, 599))));
  return std::string_view(phrase.data(), phrase.size());
}

Reply Plain(int status) {
  Reply reply;
  reply.status = status;
  reply.body = std::string(Phrase(status)) + "\n";
  if (status == 405) reply.headers = {{"Allow", "GET, HEAD"}};
  if (status == 503) reply.headers = {{"Retry-After", "1"}};
  return reply;
}

std::string Render(const Reply& reply, bool keep_alive, bool with_body) {
  std::string out =
      "HTTP/1.1 " + std::to_string(reply.status) + " " + std::string(Phrase(reply.status)) + "\r\n";
  out += "Content-Type: " + reply.content_type + "\r\n";
  out += "Content-Length: " + std::to_string(reply.body.size()) + "\r\n";
  out += "X-Content-Type-Options: nosniff\r\n";
  for (const auto& [name, value] : reply.headers) {
    if (IsFieldName(name) && IsFieldValue(value)) out += name + ": " + value + "\r\n";
  }
  out += keep_alive ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n";
  if (with_body) out += reply.body;
  return out;
}

constexpr size_t kMinGzipBytes = 1024;             // less saves nothing that anybody would notice
constexpr size_t kMaxGzipBytes = size_t{8} << 20;  // more would hold up the thread

void Compress(const HeaderList& asked, Reply& reply) {
  if (Find(reply.headers, "Content-Encoding")) return;
  reply.headers.emplace_back("Vary", "Accept-Encoding");
  if (reply.body.size() < kMinGzipBytes || reply.body.size() > kMaxGzipBytes) return;
  if (!AcceptsGzip(asked)) return;
  std::optional<std::string> smaller = Gzip(reply.body);
  if (!smaller) return;
  reply.body = *std::move(smaller);
  reply.headers.emplace_back("Content-Encoding", "gzip");
}

// The bytes of a body in what all of a server hold. The executor's, as the server's counter is.
class HeldBytes {
 public:
  HeldBytes(size_t& all, size_t most) : all_(all), most_(most) {}
  HeldBytes(const HeldBytes&) = delete;
  HeldBytes& operator=(const HeldBytes&) = delete;
  ~HeldBytes() { Drop(); }

  // False: there is no room. One who is alone gets it.
  bool Grow(size_t bytes) {
    const bool alone = all_ == mine_;
    if (!alone && (all_ > most_ || bytes > most_ - all_)) return false;
    all_ += bytes;
    mine_ += bytes;
    return true;
  }
  void Drop() { all_ -= std::exchange(mine_, 0); }

 private:
  size_t& all_;
  const size_t most_;
  size_t mine_ = 0;
};

}  // namespace

constexpr int kGone = -1;

struct HttpServer::Impl {
  Impl(async::Executor the_executor, std::unique_ptr<async::TcpListener> the_listener,
       Options the_options)
      : executor(the_executor),
        listener(std::move(the_listener)),
        options(std::move(the_options)),
        budget(options.connections, options.name, options.report) {
    listener->OnExhausted([this] { budget.ReportExhausted(); });
    if (options.tls != nullptr) tls = std::make_unique<crypto::TlsServer>(options.tls);
  }

  async::Executor executor;
  std::unique_ptr<async::TcpListener> listener;
  const Options options;
  limit::ConnectionBudget budget;
  const os::Clock& clock = os::PosixEnv().clock();
  std::unique_ptr<crypto::TlsServer> tls;  // null: none
  std::map<std::string, Handler, std::less<>> handlers;
  RequestHandler others;
  bool started = false;
  // The executor's, between Start and Stop.
  std::unique_ptr<async::CancelScope> scope;
  std::unique_ptr<async::TaskGroup> group;
  size_t held_body_bytes = 0;

  async::Co<void> AcceptAll() {
    const async::TcpStream::Options stream_options;
    while (true) {
      auto stream = co_await listener->Accept(*scope, executor, stream_options);
      if (!stream.ok()) {
        if (scope->cancelled()) co_return;
        absl::Status slept = co_await async::Sleep(*scope, absl::Milliseconds(100));
        if (!slept.ok()) co_return;
        continue;
      }
      auto place = budget.Enter(limit::Source::Of((*stream)->peer().ip), clock.Now());
      if (place) group->Spawn(Serve(std::move(*stream), *std::move(place)));
    }
  }

  void Tell(limit::Limit limit, const async::TcpStream& stream) const {
    if (options.report != nullptr)
      options.report->Exceeded(limit, options.name, stream.peer().ip.ToString());
  }
  void TellRefused(int status, const async::TcpStream& stream) const {
    if (status == 414 || status == 431) Tell(limit::Limit::kHead, stream);
    if (status == 413) Tell(limit::Limit::kBody, stream);
    if (status == 503) Tell(limit::Limit::kBodies, stream);
  }

  // A request did not come in the time that `waiting` gave it.
  void TellSlow(const async::CancelScope& waiting, const async::TcpStream& stream) const {
    if (waiting.cancelled() && !scope->cancelled()) Tell(limit::Limit::kSlowRequest, stream);
  }

  // `place` is given back with the frame of this.
  async::Co<void> Serve(std::unique_ptr<async::TcpStream> stream,
                        limit::ConnectionBudget::Place place) {
    if (tls != nullptr) {
      async::CancelScope shaking_hands(*scope, options.handshake_timeout);
      auto secured = co_await tls->Handshake(shaking_hands, std::move(stream));
      if (!secured.ok()) {
        if (!scope->cancelled()) budget.Report(limit::Limit::kHandshake, place.source());
        co_return;
      }
      stream = *std::move(secured);
    }
    std::string data;  // received and not yet used
    HeldBytes held(held_body_bytes, options.max_held_body_bytes);
    bool open = true;
    while (open) {
      std::optional<HeadParse> head = co_await ReadHead(*stream, data);
      if (!head.has_value()) break;
      Reply reply;
      bool whole = head->outcome == HeadParse::Outcome::kComplete;
      if (!whole) {
        reply = Plain(head->status);
      } else {
        std::string body;
        int refused = 0;
        if (head->head.has_body) refused = co_await ReadBody(*stream, *head, data, body, held);
        whole = refused == 0;
        if (refused == kGone) break;
        if (!head->head.has_body) data.erase(0, head->consumed);
        if (!whole) {
          reply = Plain(refused);
        } else {
          reply = co_await Answer(*stream, head->head, std::move(body));
          if (options.gzip) Compress(head->head.headers, reply);
          held.Drop();
          if (!held.Grow(reply.body.size())) {
            Tell(limit::Limit::kBodies, *stream);
            reply = Plain(503);
          }
        }
      }
      if (!whole) TellRefused(reply.status, *stream);
      open = whole && head->head.keep_alive;
      const std::string text = Render(reply, open, !whole || head->head.method != "HEAD");
      if (!co_await Send(*stream, text)) break;
      held.Drop();
    }
    co_await Drain(*stream);
  }

  async::Co<bool> Send(async::TcpStream& stream, const std::string& text) {
    async::CancelScope writing(*scope, options.idle_timeout);
    absl::Status sent =
        co_await stream.WriteAll(writing, std::as_bytes(std::span(text.data(), text.size())));
    co_return sent.ok();
  }

  // 0, or the status of a refusal, or kGone when the client went away. Takes head and body out of
  // `data`; what is left is the next request's.
  async::Co<int> ReadBody(async::TcpStream& stream, const HeadParse& head, std::string& data,
                          std::string& body, HeldBytes& held) {
    if (options.max_body_bytes == 0 || !others) co_return 413;
    const std::string_view all(data);
    BodyParser parser(head.head, options.max_body_bytes, options.max_header_bytes);
    const size_t used = parser.Put(all.substr(head.consumed));
    data.erase(0, head.consumed + used);
    if (!held.Grow(used)) co_return 503;
    const std::optional<std::string_view> expect = Find(head.head.headers, "Expect");
    if (expect && SameName(*expect, "100-continue") && !parser.done() && parser.refused() == 0) {
      const std::string go_on = "HTTP/1.1 100 Continue\r\n\r\n";
      if (!co_await Send(stream, go_on)) co_return kGone;
    }
    async::CancelScope waiting(*scope, options.body_timeout);
    std::vector<std::byte> buffer(size_t{16} << 10);
    while (!parser.done()) {
      if (parser.refused() != 0) co_return parser.refused();
      absl::StatusOr<size_t> got = co_await stream.ReadSome(waiting, buffer);
      if (!got.ok()) {
        TellSlow(waiting, stream);
        co_return kGone;
      }
      if (!held.Grow(*got)) co_return 503;
      data.append(reinterpret_cast<const char*>(buffer.data()), *got);
      data.erase(0, parser.Put(data));
    }
    body = parser.Take();
    co_return 0;
  }

  // Closing on unread bytes would reset the connection and take the answer from the client.
  async::Co<void> Drain(async::TcpStream& stream) {
    std::array<std::byte, 4096> buffer{};
    size_t left = options.max_header_bytes;
    stream.ShutdownWrite();
    async::CancelScope waiting(*scope, absl::Seconds(2));
    while (left > 0) {
      absl::StatusOr<size_t> got = co_await stream.ReadSome(waiting, buffer);
      if (!got.ok()) co_return;
      left -= std::min(left, *got);
    }
  }

  // Nothing: the connection is over.
  async::Co<std::optional<HeadParse>> ReadHead(async::TcpStream& stream, std::string& data) {
    std::array<std::byte, 4096> buffer{};
    std::optional<async::CancelScope> waiting;
    bool in_head = !data.empty();
    waiting.emplace(*scope, in_head ? options.header_timeout : options.idle_timeout);
    while (true) {
      if (!data.empty()) {
        HeadParse head = ParseRequestHead(data, options.max_line_bytes, options.max_header_bytes);
        if (head.outcome != HeadParse::Outcome::kNeedMore) co_return head;
        if (!in_head) {
          in_head = true;
          waiting.emplace(*scope, options.header_timeout);
        }
      }
      absl::StatusOr<size_t> got = co_await stream.ReadSome(*waiting, buffer);
      if (!got.ok()) {
        if (in_head) TellSlow(*waiting, stream);
        co_return std::nullopt;
      }
      data.append(reinterpret_cast<const char*>(buffer.data()), *got);
    }
  }

  async::Co<Reply> Answer(async::TcpStream& stream, const RequestHead& head, std::string body) {
    const bool reads = head.method == "GET" || head.method == "HEAD";
    const auto found = handlers.find(head.path);
    if (found != handlers.end() && reads) co_return found->second();
    if (!others) co_return Plain(found == handlers.end() ? 404 : 405);
    ServerRequest request;
    request.method = head.method;
    request.path = head.path;
    request.query = head.query;
    request.headers = head.headers;
    request.body = std::move(body);
    request.peer = stream.peer();
    request.encrypted = stream.encrypted();
    Reply reply = co_await others(*scope, std::move(request));
    co_return reply;
  }
};

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Bind(async::Executor executor,
                                                             const net::Endpoint& at,
                                                             Options options) {
  auto listener = async::TcpListener::Bind(executor, at);
  if (!listener.ok()) return listener.status();
  auto impl = std::make_unique<Impl>(executor, std::move(*listener), std::move(options));
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Bind(async::Executor executor,
                                                             const net::Endpoint& at) {
  return Bind(executor, at, Options());
}

HttpServer::~HttpServer() { Stop(); }

void HttpServer::Handle(std::string path, Handler handler) {
  impl_->handlers[std::move(path)] = std::move(handler);
}

void HttpServer::HandleOthers(RequestHandler handler) { impl_->others = std::move(handler); }

void HttpServer::Start() {
  if (std::exchange(impl_->started, true)) return;
  async::Post(impl_->executor, [impl = impl_.get()] {
    impl->scope = std::make_unique<async::CancelScope>(impl->executor);
    impl->group = std::make_unique<async::TaskGroup>(impl->executor);
    impl->group->Spawn(impl->AcceptAll());
  });
}

void HttpServer::Stop() {
  if (!std::exchange(impl_->started, false)) return;
  async::RunToEnd(impl_->executor, [impl = impl_.get()]() -> async::Co<void> {
    impl->scope->Cancel(absl::CancelledError("the server stops"));
    co_await impl->group->Join();
    impl->group.reset();
    impl->scope.reset();
    impl->listener->Close();
  });
}

const net::Endpoint& HttpServer::endpoint() const { return impl_->listener->endpoint(); }

}  // namespace dragonfly::common::http
