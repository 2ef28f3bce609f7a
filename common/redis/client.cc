#include "common/redis/client.h"

#include <algorithm>
#include <deque>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/async/blocking_pool.h"
#include "common/async/signal.h"
#include "common/crypto/tls_stream.h"
#include "common/log/log.h"
#include "common/status/parse.h"
#include "common/status/reason.h"
#include "common/status/strings.h"

namespace dragonfly::common::redis {
namespace {

using async::CancelScope;
using async::Co;
using status::ErrorReason;
using status::MakeStatus;
using status::StdView;

constexpr size_t kMostPool = 10'000;
constexpr size_t kMostNamesWaiting = 64;

// "*2 host port" of SENTINEL get-master-addr-by-name.
std::optional<HostPort> MasterOf(const Reply& reply) {
  if (reply.type != Reply::Type::kArray || reply.array.size() != 2) return std::nullopt;
  const auto port = status::ParseInteger<uint16_t>(reply.array[1].text);
  if (!port.has_value() || *port == 0 || reply.array[0].text.empty()) return std::nullopt;
  HostPort out;
  out.host = reply.array[0].text;
  out.port = *port;
  return out;
}

bool SaysMaster(const Reply& role) {
  return role.type == Reply::Type::kArray && !role.array.empty() && role.array[0].text == "master";
}

}  // namespace

struct Client::Impl {
  Impl(async::Executor the_executor, os::Env& the_env, Options the_options)
      : executor(the_executor),
        env(the_env),
        options(std::move(the_options)),
        scope(executor),
        changed(executor),
        names(1, kMostNamesWaiting) {
    if (options.tls != nullptr) tls = std::make_unique<crypto::TlsClient>(options.tls);
  }

  Connection::Options ConnectionOptions() {
    Connection::Options out;
    out.tls = tls.get();
    out.names = &names;
    out.max_reply_bytes = options.max_reply_bytes;
    return out;
  }

  Co<absl::StatusOr<HostPort>> FindServer(CancelScope& limit) {
    if (options.master_name.empty()) co_return options.addresses[0];
    absl::Status failed = absl::UnavailableError("no Sentinel");
    for (const HostPort& sentinel : options.addresses) {
      Login login = options.sentinel_login;
      login.database = 0;
      absl::StatusOr<std::unique_ptr<Connection>> connection =
          co_await OpenSentinel(limit, sentinel, login);
      if (limit.cancelled()) co_return limit.status();
      if (!connection.ok()) {
        failed = connection.status();
        continue;
      }
      std::vector<std::string> question = {"SENTINEL", "get-master-addr-by-name",
                                           options.master_name};
      absl::StatusOr<Reply> reply = co_await (*connection)->Call(limit, std::move(question));
      const std::optional<HostPort> master = reply.ok() ? MasterOf(*reply) : std::nullopt;
      if (master.has_value()) co_return *master;
      failed = reply.ok()
                   ? MakeStatus(absl::StatusCode::kUnavailable, ErrorReason::kNotFound,
                                StdView(absl::StrCat("the Sentinel ", sentinel.ToString(),
                                                     " knows no master ", options.master_name)))
                   : reply.status();
    }
    co_return failed;
  }

  Co<absl::StatusOr<std::unique_ptr<Connection>>> OpenSentinel(CancelScope& limit,
                                                               HostPort sentinel, Login login) {
    // One that is silent does not keep us from the next.
    CancelScope turn(limit,
                     options.connect_timeout / static_cast<int64_t>(options.addresses.size()));
    absl::StatusOr<std::unique_ptr<Connection>> connection =
        co_await Connection::Open(turn, std::move(sentinel), std::move(login), ConnectionOptions());
    co_return connection;
  }

  Co<absl::StatusOr<std::unique_ptr<Connection>>> Open(CancelScope& caller) {
    CancelScope limit(caller, options.connect_timeout);
    absl::StatusOr<HostPort> server = co_await FindServer(limit);
    if (!server.ok()) co_return server.status();
    absl::StatusOr<std::unique_ptr<Connection>> connection =
        co_await Connection::Open(limit, *server, options.login, ConnectionOptions());
    if (!connection.ok() || options.master_name.empty()) co_return connection;
    // Sentinels may be behind the times.
    std::vector<std::string> question = {"ROLE"};
    absl::StatusOr<Reply> role = co_await (*connection)->Call(limit, std::move(question));
    if (role.ok() && SaysMaster(*role)) co_return connection;
    co_return MakeStatus(absl::StatusCode::kUnavailable, ErrorReason::kUnknown,
                         StdView(absl::StrCat("redis ", server->ToString(),
                                              " is no master, though a Sentinel says "
                                              "so")));
  }

  // A connection to call on, which counts among `taken`.
  Co<absl::StatusOr<std::unique_ptr<Connection>>> Take(CancelScope& caller) {
    CancelScope limit(caller, options.pool_timeout);
    while (!limit.cancelled() && taken >= options.pool_size) {
      absl::Status waited = co_await changed.Wait(limit);
      if (!waited.ok()) break;
    }
    if (caller.cancelled()) co_return caller.status();
    if (taken >= options.pool_size) {
      co_return MakeStatus(absl::StatusCode::kDeadlineExceeded, ErrorReason::kOverloaded,
                           StdView(absl::StrCat("redis: none of ", options.pool_size,
                                                " connections has become free in ",
                                                absl::FormatDuration(options.pool_timeout))));
    }
    while (!idle.empty()) {
      std::unique_ptr<Connection> connection = std::move(idle.back());
      idle.pop_back();
      if (!connection->LooksAlive()) continue;
      ++taken;
      co_return connection;
    }
    const absl::Time now = env.clock().Now();
    if (now < next_attempt) {
      co_return MakeStatus(absl::StatusCode::kUnavailable, ErrorReason::kOriginUnreachable,
                           StdView(absl::StrCat(last_failure.message(), " (next attempt in ",
                                                absl::FormatDuration(next_attempt - now), ")")));
    }
    ++taken;
    absl::StatusOr<std::unique_ptr<Connection>> opened = co_await Open(caller);
    if (opened.ok()) {
      pause = absl::ZeroDuration();
      next_attempt = absl::InfinitePast();
      co_return opened;
    }
    GiveBack(nullptr);
    if (!caller.cancelled()) Failed(opened.status());
    co_return opened.status();
  }

  void Failed(const absl::Status& status) {
    last_failure = status;
    pause = std::clamp(pause * 2, options.first_pause, options.longest_pause);
    const double share = static_cast<double>(env.Random() >> 11U) * 0x1.0p-53;
    next_attempt = env.clock().Now() + pause * (0.5 + 0.5 * share);
    if (log::OncePerMinute("redis unreachable")) {
      log::Warning("redis cannot be used", log::kv("error", status));
    }
  }

  void GiveBack(std::unique_ptr<Connection> connection) {
    --taken;
    if (connection != nullptr && !connection->broken() && !scope.cancelled()) {
      idle.push_back(std::move(connection));
    }
    changed.NotifyAll();
  }

  Co<absl::StatusOr<Reply>> Call(CancelScope& caller, std::vector<std::string> arguments,
                                 absl::Duration timeout) {
    if (scope.cancelled()) co_return scope.status();
    ++running;
    // Ends with the caller and with the client.
    CancelScope both(caller);
    const CancelScope::Watch watch = scope.OnCancel([&both, this] { both.Cancel(scope.status()); });
    absl::StatusOr<Reply> reply = co_await CallOnce(both, std::move(arguments), timeout);
    --running;
    changed.NotifyAll();
    co_return reply;
  }

  Co<absl::StatusOr<Reply>> CallOnce(CancelScope& both, std::vector<std::string> arguments,
                                     absl::Duration timeout) {
    absl::StatusOr<std::unique_ptr<Connection>> connection = co_await Take(both);
    if (!connection.ok()) co_return connection.status();
    CancelScope limit(both, timeout);
    absl::StatusOr<Reply> reply = co_await (*connection)->Call(limit, std::move(arguments));
    GiveBack(*std::move(connection));
    co_return reply;
  }

  Co<void> Close() {
    scope.Cancel(absl::CancelledError("the client of redis is closed"));
    CancelScope never(executor);
    while (running > 0) {
      absl::Status waited = co_await changed.Wait(never);
      if (!waited.ok()) break;
    }
    idle.clear();
  }

  const async::Executor executor;
  os::Env& env;
  const Options options;
  CancelScope scope;
  std::unique_ptr<crypto::TlsClient> tls;
  std::deque<std::unique_ptr<Connection>> idle;
  size_t taken = 0;
  size_t running = 0;
  async::Signal changed;  // a connection or a call has ended
  absl::Duration pause;
  absl::Time next_attempt = absl::InfinitePast();
  absl::Status last_failure;
  async::BlockingPool names;  // last: its jobs end first
};

absl::Status Client::Check(const Options& options) {
  if (options.addresses.empty()) return status::Invalid("addrs: none is named");
  if (options.addresses.size() > 1 && options.master_name.empty()) {
    return status::Invalid(
        "addrs: several servers without masterName would be a Redis Cluster, which is not "
        "supported; name one, or the Sentinels and their masterName");
  }
  if (options.pool_size < 1 || options.pool_size > kMostPool) {
    return status::Invalid(
        StdView(absl::StrCat("poolSize: ", options.pool_size, " is not from 1 to ", kMostPool)));
  }
  return absl::OkStatus();
}

Client::Client(async::Executor executor, os::Env& env, Options options)
    : impl_(std::make_unique<Impl>(executor, env, std::move(options))) {}

Client::~Client() = default;

Co<absl::StatusOr<Reply>> Client::Call(CancelScope& scope, std::vector<std::string> arguments) {
  return impl_->Call(scope, std::move(arguments), impl_->options.call_timeout);
}

Co<absl::StatusOr<Reply>> Client::CallBlocking(CancelScope& scope,
                                               std::vector<std::string> arguments,
                                               absl::Duration longer) {
  return impl_->Call(scope, std::move(arguments), impl_->options.call_timeout + longer);
}

size_t Client::open_connections() const { return impl_->taken + impl_->idle.size(); }

Co<void> Client::Close() { return impl_->Close(); }

}  // namespace dragonfly::common::redis
