#include "common/async/testing/talk.h"

#include <array>
#include <span>

#include "common/async/cancel_scope.h"
#include "common/async/tcp.h"
#include "gtest/gtest.h"

namespace dragonfly::common::async::testing {

std::string Talk(Executor executor, const net::Endpoint& to, std::string_view text,
                 std::string_view until) {
  std::string out;
  RunToEnd(executor, [&]() -> Co<void> {
    CancelScope scope(executor, absl::Minutes(1));
    const TcpStream::Options options;
    auto stream = co_await TcpStream::Connect(scope, to, options);
    EXPECT_TRUE(stream.ok()) << stream.status();
    if (!stream.ok()) co_return;
    absl::Status sent =
        co_await (*stream)->WriteAll(scope, std::as_bytes(std::span(text.data(), text.size())));
    sent.IgnoreError();  // the server may have closed already
    std::array<std::byte, 4096> buffer{};
    while (until.empty() || out.find(until) == std::string::npos) {
      absl::StatusOr<size_t> got = co_await (*stream)->ReadSome(scope, buffer);
      if (!got.ok()) {
        EXPECT_FALSE(scope.cancelled()) << "no answer to " << text.substr(0, 60);
        co_return;
      }
      out.append(reinterpret_cast<const char*>(buffer.data()), *got);
    }
  });
  return out;
}

}  // namespace dragonfly::common::async::testing
