#include "manager/rest/rest_service.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <optional>
#include <utility>

#include "common/async/runtime.h"
#include "common/log/log.h"
#include "common/status/strings.h"
#include "manager/rest/audit_log.h"
#include "manager/rest/body.h"
#include "manager/rest/gate.h"
#include "manager/rest/json_writer.h"
#include "manager/rest/open_api.h"
#include "manager/rest/rest_metrics.h"
#include "manager/rest/router.h"
#include "manager/rest/table.h"

namespace dragonfly::manager::rest {
namespace {

using common::async::CancelScope;
using common::async::Co;
using common::http::Find;
using common::http::FindOrEmpty;
using common::http::Reply;
using common::http::ServerRequest;
using common::limit::Limit;
using common::log::kv;

constexpr absl::Duration kAuditInterval = absl::Seconds(5);
constexpr size_t kMaxAuditPathBytes = 1024;
constexpr size_t kMaxConnections = 4096;
constexpr std::string_view kListener = "REST";
constexpr size_t kMaxHeaderBytes = size_t{64} * 1024;
constexpr int kMaxPasswordWaiters = 64;
constexpr absl::Duration kPasswordPause = absl::Milliseconds(20);
constexpr std::string_view kOther = "other";

// For metrics: what a caller calls a method is his own invention.
std::string KnownMethod(const std::string& method) {
  for (const char* known : {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}) {
    if (method == known) return method;
  }
  return std::string(kOther);
}

// Named by its route, which has no values of the caller's in it. Probes would drown all else.
common::trace::Span StartSpan(const common::trace::Tracer& tracer, const ServerRequest& request,
                              const Router::Match& match) {
  if (!tracer.on() || match.outcome != Router::Match::Outcome::kFound ||
      match.route->pattern == "/healthy") {
    return common::trace::Span();
  }
  const auto parent =
      common::trace::SpanContext::Parse(FindOrEmpty(request.headers, common::trace::kTraceparent),
                                        FindOrEmpty(request.headers, common::trace::kTracestate));
  common::trace::Span span =
      tracer.Start(KnownMethod(request.method) + " " + match.route->pattern,
                   common::trace::SpanKind::kServer, parent.value_or(common::trace::SpanContext()));
  span.SetText("http.request.method", KnownMethod(request.method));
  span.SetText("http.route", match.route->pattern);
  return span;
}

// For whom the answer is an error of ours; what a caller got wrong is none.
void EndSpan(common::trace::Span& span, int status, const std::string& address) {
  span.SetNumber("http.response.status_code", status);
  span.SetText(common::trace::keys::kRemoteIp, address);
  if (status >= 500) span.SetStatus(absl::InternalError("answered " + std::to_string(status)));
  span.End();
}

// UTF-8 is not checked by who writes it, and a text is cut between characters.
std::string CutPath(std::string_view path) {
  return std::string(path.substr(0, std::min(path.size(), kMaxAuditPathBytes)));
}

}  // namespace

struct RestService::Impl : public std::enable_shared_from_this<Impl> {
  Impl(Deps deps, RestOptions options)
      : pool(deps.pool),
        services{deps.store,
                 deps.env,
                 deps.clock,
                 std::move(deps.jwt),
                 std::move(deps.hasher),
                 std::move(deps.sealer),
                 options,
                 std::move(deps.on_cluster_change),
                 auth::AttemptLimiter(options.attempts),
                 auth::AttemptLimiter(options.sign_ups),
                 Policies(deps.store, options.max_age),
                 Sessions(deps.store, std::min(options.max_age, auth::kMaxSessionAge)),
                 ""},
        router(MakeRoutes(options.swagger_needs_session)),
        metrics(deps.metrics),
        limits(deps.limits),
        tracer(deps.tracer),
        audits(deps.store, {}) {
    services.open_api = OpenApiDocument(router.routes());
  }

  common::async::BlockingPool& pool;
  Services services;
  const Router router;
  RestMetrics metrics;
  common::limit::LimitReport& limits;
  const common::trace::Tracer tracer;
  AuditLog audits;
  std::atomic<int> password_checks = 0;
  std::atomic<int> password_waiters = 0;

  // One of so many places, for as long as this lives.
  class Place {
   public:
    explicit Place(std::atomic<int>& taken) : taken_(taken) {}
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place() { --taken_; }

   private:
    std::atomic<int>& taken_;
  };

  // A request that has a route; shared by the coroutine that waits and the job that works.
  struct Work {
    Work(std::shared_ptr<Impl> the_impl, ServerRequest the_request, const Router::Match& match)
        : impl(std::move(the_impl)),
          request(std::move(the_request)),
          call{impl->services,
               request,
               *match.route,
               match.parameters,
               Query::Parse(request.query),
               Caller(),
               AddressOf(request, impl->services.options.trusted_proxies),
               IsEncrypted(request, impl->services.options.trusted_proxies),
               auth::Secret()} {}

    const std::shared_ptr<Impl> impl;
    const ServerRequest request;
    Call call;
    Passed passed;
    std::unique_ptr<Place> place;
    bool finished = false;  // the job is, and the call is the coroutine's again
  };

  // Null: too many passwords are looked at already.
  std::unique_ptr<Place> TryPlace() {
    if (++password_checks > services.options.max_password_checks) {
      --password_checks;
      return nullptr;
    }
    return std::make_unique<Place>(password_checks);
  }

  // Asks again and again, for those who wait may be on several executors. Null: in vain, or too
  // many wait already.
  Co<std::unique_ptr<Place>> TakePlace(CancelScope& scope) {
    std::unique_ptr<Place> place = TryPlace();
    if (place != nullptr || password_waiters >= kMaxPasswordWaiters) co_return place;
    ++password_waiters;
    CancelScope waiting(scope, services.options.password_wait);
    while (place == nullptr) {
      absl::Status slept = co_await common::async::Sleep(waiting, kPasswordPause);
      if (!slept.ok()) break;
      place = TryPlace();
    }
    --password_waiters;
    co_return place;
  }

  static Answer Perform(Work& work) {
    try {
      if (std::optional<Answer> refused = Admit(work.call, work.passed)) return *std::move(refused);
      absl::StatusOr<Answer> answer = work.call.route.handler(work.call);
      if (answer.ok()) return *std::move(answer);
      return AnswerOf(answer.status());
    } catch (const std::exception& error) {
      // A library that throws on what somebody sent must not end the manager.
      common::log::Error("rest: a handler threw", kv("route", work.call.route.pattern),
                         kv("what", error.what()));
      return Refuse(500, "Internal Server Error");
    }
  }

  Answer BusyAnswer(Limit limit, const Work& work, std::string_view error) {
    limits.Exceeded(limit, kListener, work.call.address);
    Answer answer = Refuse(503, "Service Unavailable", error);
    SetRetryAfter(answer, absl::Seconds(1));
    return answer;
  }

  Co<Answer> Serve(CancelScope& scope, std::shared_ptr<Work> work) {
    std::variant<Passed, Answer> door = CheckAtTheDoor(work->call);
    if (auto* refused = std::get_if<Answer>(&door)) {
      Audit(*work, refused->status);
      co_return std::move(*refused);
    }
    work->passed = std::move(std::get<Passed>(door));
    if (work->call.route.immediate) co_return Perform(*work);
    if (work->call.route.account) {
      work->place = co_await TakePlace(scope);
      if (work->place == nullptr)
        co_return BusyAnswer(Limit::kPasswords, *work,
                             "too many passwords are being checked; try again soon");
    }
    CancelScope waiting(scope, services.options.request_timeout);
    std::function<Answer()> job = [work] {
      Answer done = Perform(*work);
      work->place.reset();  // before anybody hears of it
      // Here, because it is done also when nobody waits for it any more.
      work->impl->Audit(*work, done.status);
      return done;
    };
    absl::StatusOr<Answer> answer =
        co_await common::async::RunBlocking(pool, waiting, std::move(job));
    if (answer.ok()) {
      work->finished = true;
      co_return *std::move(answer);
    }
    if (absl::IsResourceExhausted(answer.status()))
      co_return BusyAnswer(Limit::kPool, *work, "the manager has too much to do; try again soon");
    co_return BusyAnswer(Limit::kTime, *work, "the request took too long; try again");
  }

  // Changes, and what was refused of them; reading is not noted.
  void Audit(const Work& work, int status) {
    if (work.call.route.method == "GET") return;
    store::models::Audit row;
    const Caller& caller = work.call.caller;
    row.actor_type = caller.by_token ? "PAT" : caller.user_id != 0 ? "USER" : "UNKNOWN";
    row.actor_name = caller.name.empty() ? "unknown" : caller.name;
    row.event_type = "API";
    row.operation = work.request.method;
    row.operated_at = services.Now();
    row.state = status >= 200 && status < 300 ? "SUCCESS" : "FAILURE";
    row.path = CutPath(work.request.path);
    row.status_code = status;
    JsonWriter detail;
    detail.BeginObject().Key("address").Text(work.call.address);
    detail.Key("route").Text(work.call.route.pattern);
    detail.Key("user_id").Integer(static_cast<int64_t>(caller.user_id)).EndObject();
    row.detail = detail.Take();
    if (!audits.Put(std::move(row))) limits.Exceeded(Limit::kAudits, kListener, work.call.address);
    if (!audits.due()) return;
    // When there is no room for it the next round of Run does it.
    (void)pool.Submit([self = shared_from_this()] { self->LogFlush(); });
  }

  void LogFlush() {
    const absl::Status done = audits.Flush();
    if (!done.ok()) {
      common::log::Warning("rest: audits wait for the database", kv("waiting", audits.size()),
                           kv("error", done));
    }
  }

  // Pages of origins that are on the list may read the answer.
  void AllowOrigin(const std::string& origin, Answer& answer) const {
    const auto& allowed = services.options.allowed_origins;
    if (std::find(allowed.begin(), allowed.end(), origin) == allowed.end()) return;
    answer.headers.emplace_back("Access-Control-Allow-Origin", origin);
    answer.headers.emplace_back("Access-Control-Allow-Credentials", "true");
    answer.headers.emplace_back("Access-Control-Expose-Headers", "Link,Location,Authorization");
    answer.headers.emplace_back("Vary", "Origin");
  }

  Answer Preflight(const ServerRequest& request) const {
    Answer answer;
    answer.status = 204;
    answer.headers.emplace_back("Access-Control-Allow-Methods", "GET,HEAD,PUT,POST,DELETE,PATCH");
    answer.headers.emplace_back("Access-Control-Allow-Headers",
                                FindOrEmpty(request.headers, "Access-Control-Request-Headers"));
    answer.headers.emplace_back("Access-Control-Max-Age", "600");
    return answer;
  }

  bool IsPreflight(const ServerRequest& request) const {
    const auto& allowed = services.options.allowed_origins;
    return request.method == "OPTIONS" &&
           std::find(allowed.begin(), allowed.end(), FindOrEmpty(request.headers, "Origin")) !=
               allowed.end();
  }

  // For what has no route.
  static Answer NoRoute(const ServerRequest& request, const Router::Match& match) {
    const bool api = IsApiPath(request.path);
    Answer answer;
    if (match.outcome == Router::Match::Outcome::kRedirect) {
      answer.status = request.method == "GET" || request.method == "HEAD" ? 301 : 307;
      answer.headers.emplace_back(
          "Location", match.location + (request.query.empty() ? "" : "?" + request.query));
      return answer;
    }
    if (match.outcome == Router::Match::Outcome::kWrongMethod) {
      answer = Refuse(405, "Method Not Allowed");
      answer.headers.emplace_back("Allow", match.allow);
      return answer;
    }
    if (api || request.path == "/") return Refuse(404, "Not Found");
    answer.status = 301;
    answer.headers.emplace_back("Location", "/");
    return answer;
  }
};

RestService::RestService(Deps deps, RestOptions options)
    : impl_(std::make_shared<Impl>(std::move(deps), std::move(options))) {}

RestService::~RestService() = default;

Co<Reply> RestService::Handle(CancelScope& scope, ServerRequest request) {
  const std::shared_ptr<Impl> impl = impl_;
  const absl::Time started = impl->services.clock.Now();
  const std::string method = request.method;
  const std::string path = request.path;
  const std::string origin(FindOrEmpty(request.headers, "Origin"));
  const size_t body_bytes = request.body.size();
  const std::string query = Query::Parse(request.query).Redacted();
  std::string address = AddressOf(request, impl->services.options.trusted_proxies);
  const bool encrypted = IsEncrypted(request, impl->services.options.trusted_proxies);

  const Router::Match match = impl->router.Find(method, path);
  common::trace::Span span = StartSpan(impl->tracer, request, match);
  Answer answer;
  uint64_t user_id = 0;
  std::string url(kOther);
  if (body_bytes > kMaxBodyBytes) {
    impl->limits.Exceeded(Limit::kBody, kListener, address);
    answer = Refuse(413, "Request Entity Too Large");
  } else if (impl->IsPreflight(request)) {
    answer = impl->Preflight(request);
  } else if (match.outcome != Router::Match::Outcome::kFound) {
    answer = Impl::NoRoute(request, match);
  } else {
    url = match.route->pattern;
    auto work = std::make_shared<Impl::Work>(impl, std::move(request), match);
    answer = co_await impl->Serve(scope, work);
    if (work->finished) user_id = work->call.caller.user_id;
  }
  if (answer.status == 429) impl->limits.Exceeded(Limit::kAttempts, kListener, address);
  impl->AllowOrigin(origin, answer);
  if (encrypted) answer.headers.emplace_back("Strict-Transport-Security", "max-age=31536000");
  EndSpan(span, answer.status, address);
  const absl::Duration took = impl->services.clock.Now() - started;
  impl->metrics.Done(answer.status, KnownMethod(method), url, took, body_bytes, answer.json.size());
  if (url != "/healthy") {
    common::log::Info("rest", kv("method", method), kv("path", path), kv("query", query),
                      kv("status", answer.status), kv("took", took), kv("address", address),
                      kv("user", user_id));
  }
  co_return ReplyOf(std::move(answer));
}

Co<void> RestService::Run(CancelScope& scope) {
  const std::shared_ptr<Impl> impl = impl_;
  while (true) {
    absl::Status slept = co_await common::async::Sleep(scope, kAuditInterval);
    if (!slept.ok()) co_return;
    std::function<void()> job = [impl] { impl->LogFlush(); };
    absl::Status done = co_await common::async::RunBlocking(impl->pool, scope, std::move(job));
    if (!done.ok() && scope.cancelled()) co_return;
  }
}

absl::Status RestService::FlushAudits() { return impl_->audits.Flush(); }

common::http::HttpServer::Options RestService::ServerOptions() {
  common::http::HttpServer::Options options;
  options.connections.total = kMaxConnections;
  options.connections.per_source = kMaxConnections / 2;
  options.name = kListener;
  options.max_header_bytes = kMaxHeaderBytes;
  options.max_body_bytes = kMaxBodyBytes;
  options.body_timeout = absl::Seconds(60);
  options.gzip = true;
  return options;
}

const std::vector<Route>& RestService::routes() const { return impl_->router.routes(); }

}  // namespace dragonfly::manager::rest
