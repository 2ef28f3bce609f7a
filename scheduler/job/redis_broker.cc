#include "scheduler/job/redis_broker.h"

#include <utility>

namespace dragonfly::scheduler::job {
namespace {

using common::async::CancelScope;
using common::async::Co;
using common::redis::Reply;

// How long one question waits; short, so that a connection that is dead without saying so is found.
constexpr int64_t kPollSeconds = 3;

}  // namespace

RedisBroker::RedisBroker(common::redis::Client& broker, common::redis::Client& results,
                         std::vector<std::string> queues)
    : broker_(broker), results_(results), queues_(std::move(queues)) {}

Co<absl::StatusOr<std::optional<std::string>>> RedisBroker::Take(CancelScope& scope) {
  std::vector<std::string> command = {"BLPOP"};
  command.insert(command.end(), queues_.begin(), queues_.end());
  command.push_back(std::to_string(kPollSeconds));
  absl::StatusOr<Reply> reply =
      co_await broker_.CallBlocking(scope, std::move(command), absl::Seconds(kPollSeconds));
  if (!reply.ok()) co_return reply.status();
  // The queue and the message; nil when the time was up.
  if (reply->type != Reply::Type::kArray || reply->array.size() != 2) {
    co_return std::optional<std::string>();
  }
  co_return std::optional<std::string>(std::move(reply->array[1].text));
}

Co<absl::StatusOr<std::optional<common::job::TaskState>>> RedisBroker::Read(CancelScope& scope,
                                                                            std::string uuid) {
  std::vector<std::string> command = {"GET", std::move(uuid)};
  absl::StatusOr<Reply> reply = co_await results_.Call(scope, std::move(command));
  if (!reply.ok()) co_return reply.status();
  std::optional<common::job::TaskState> none;
  const std::optional<std::string> text = reply->AsText();
  if (!text.has_value()) co_return none;
  absl::StatusOr<common::job::TaskState> state = common::job::ParseTaskState(*text);
  // What cannot be read is written anew.
  if (!state.ok()) co_return none;
  co_return std::optional<common::job::TaskState>(*std::move(state));
}

Co<absl::Status> RedisBroker::Write(CancelScope& scope, common::job::TaskState state) {
  std::vector<std::string> command = {
      "SET", state.uuid, common::job::TaskStateJson(state), "EX",
      std::to_string(absl::ToInt64Seconds(common::job::kResultLife))};
  absl::StatusOr<Reply> reply = co_await results_.Call(scope, std::move(command));
  co_return reply.status();
}

}  // namespace dragonfly::scheduler::job
