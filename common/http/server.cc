#include "common/http/server.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <map>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "common/async/cancel_scope.h"
#include "common/async/task_group.h"
#include "common/async/tcp.h"
#include "common/http/request_head.h"

namespace dragonfly::common::http {
namespace {

std::string_view Phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 431:
      return "Request Header Fields Too Large";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Status";
  }
}

Reply Plain(int status) {
  Reply reply;
  reply.status = status;
  reply.body = std::string(Phrase(status)) + "\n";
  return reply;
}

std::string Render(const Reply& reply, bool keep_alive, bool with_body) {
  std::string out =
      "HTTP/1.1 " + std::to_string(reply.status) + " " + std::string(Phrase(reply.status)) + "\r\n";
  out += "Content-Type: " + reply.content_type + "\r\n";
  out += "Content-Length: " + std::to_string(reply.body.size()) + "\r\n";
  out += "X-Content-Type-Options: nosniff\r\n";
  if (reply.status == 405) out += "Allow: GET, HEAD\r\n";
  out += keep_alive ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n";
  if (with_body) out += reply.body;
  return out;
}

}  // namespace

struct HttpServer::Impl {
  Impl(async::Executor the_executor, std::unique_ptr<async::TcpListener> the_listener,
       Options the_options)
      : executor(the_executor), listener(std::move(the_listener)), options(the_options) {}

  async::Executor executor;
  std::unique_ptr<async::TcpListener> listener;
  const Options options;
  std::map<std::string, Handler, std::less<>> handlers;
  bool started = false;
  // The executor's, between Start and Stop.
  std::unique_ptr<async::CancelScope> scope;
  std::unique_ptr<async::TaskGroup> group;
  size_t connections = 0;

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
      if (connections >= options.max_connections) continue;  // closes it
      ++connections;
      group->Spawn(Serve(std::move(*stream)));
    }
  }

  async::Co<void> Serve(std::unique_ptr<async::TcpStream> stream) {
    std::string data;
    bool open = true;
    while (open) {
      std::optional<HeadParse> head = co_await ReadHead(*stream, data);
      if (!head.has_value()) break;
      const bool refused = head->outcome == HeadParse::Outcome::kRefused;
      const Reply reply = refused ? Plain(head->status) : Answer(head->head);
      open = !refused && head->head.keep_alive && !head->head.has_body;
      const std::string text = Render(reply, open, refused || head->head.method != "HEAD");
      async::CancelScope writing(*scope, options.idle_timeout);
      absl::Status sent =
          co_await stream->WriteAll(writing, std::as_bytes(std::span(text.data(), text.size())));
      if (!sent.ok()) break;
      data.erase(0, head->consumed);
    }
    co_await Drain(*stream);
    --connections;
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
      if (!got.ok()) co_return std::nullopt;
      data.append(reinterpret_cast<const char*>(buffer.data()), *got);
    }
  }

  Reply Answer(const RequestHead& head) const {
    const auto found = handlers.find(head.path);
    if (found == handlers.end()) return Plain(404);
    if (head.method != "GET" && head.method != "HEAD") return Plain(405);
    if (head.has_body) return Plain(413);
    return found->second();
  }
};

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Bind(async::Executor executor,
                                                             const net::Endpoint& at,
                                                             Options options) {
  auto listener = async::TcpListener::Bind(executor, at);
  if (!listener.ok()) return listener.status();
  auto impl = std::make_unique<Impl>(executor, std::move(*listener), options);
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
