#pragma once

// The one door to Asio. Everybody includes these headers instead of Boost's: <utility> has to come
// first (awaitable.hpp of 1.74 forgets it), and sources that only name a Co<T> pay for nothing
// else.

#include <utility>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

namespace dragonfly::common::async {

// Where a coroutine runs: one thread of a Runtime. An object that says "belongs to an executor" is
// touched from that thread only; everybody else posts to it.
using Executor = boost::asio::io_context::executor_type;

// A lazy coroutine. It starts when it is awaited or spawned in a TaskGroup, and runs on one
// Executor from begin to end. Arguments are taken by value; what is passed by reference (a
// CancelScope, a member's `this`) must outlive it. docs/design/coroutines.md has the forms that are
// allowed.
template <typename T = void>
using Co = boost::asio::awaitable<T, Executor>;

}  // namespace dragonfly::common::async
