#pragma once

// The parts of Asio that wrappers of sockets and timers use, with the token that fits Co<T>. For
// sources (*.cc) of modules that own a socket; headers get by with co.h.

#include "common/async/co.h"
// co.h first.
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>

#include "absl/time/time.h"

namespace dragonfly::common::async {

using AsioError = boost::system::error_code;
using AsioTcp = boost::asio::ip::tcp;
using AsioTcpSocket = boost::asio::basic_stream_socket<AsioTcp, Executor>;
using AsioTimer = boost::asio::basic_waitable_timer<
    std::chrono::steady_clock, boost::asio::wait_traits<std::chrono::steady_clock>, Executor>;

// `co_await op(..., OrError(error))` suspends and never throws.
inline auto OrError(AsioError& error) {
  return boost::asio::redirect_error(boost::asio::use_awaitable_t<Executor>(), error);
}

// When a timer with this delay has to expire: never later than the clock can say, never before now.
inline std::chrono::steady_clock::time_point ExpiryAfter(absl::Duration delay) {
  // The clock counts nanoseconds in 64 bits; beyond a century means never.
  if (delay >= absl::Hours(24 * 365 * 100)) return std::chrono::steady_clock::time_point::max();
  if (delay <= absl::ZeroDuration()) return std::chrono::steady_clock::now();
  return std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(delay);
}

}  // namespace dragonfly::common::async
