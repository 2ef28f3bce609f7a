#include "scheduler/job/queue_consumer.h"

#include <gtest/gtest.h>

#include <deque>
#include <map>

#include "common/job/messages.h"
#include "common/os/env.h"
#include "scheduler/job/queue_jobs.h"
#include "tests/unit/scheduler_job/cluster_world.h"

namespace dragonfly::scheduler::job::testing {
namespace {

namespace wire = common::job;
using common::async::CancelScope;
using common::async::Co;
using wire::State;
using wire::TaskState;

// A queue and its results in memory; breaks when told to. Threading: any thread.
class MemoryBroker final : public JobBroker {
 public:
  void Push(std::string message) {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(message));
  }
  void Break(bool broken) { broken_ = broken; }
  int failures() const { return failures_; }
  std::vector<State> StatesOf(const std::string& uuid) const {
    const std::lock_guard lock(mutex_);
    const auto found = states_.find(uuid);
    return found == states_.end() ? std::vector<State>() : found->second;
  }
  std::optional<TaskState> StateOf(const std::string& uuid) const {
    const std::lock_guard lock(mutex_);
    const auto found = documents_.find(uuid);
    if (found == documents_.end()) return std::nullopt;
    return found->second;
  }
  void Put(const TaskState& state) {
    const std::lock_guard lock(mutex_);
    documents_[state.uuid] = state;
  }

  Co<absl::StatusOr<std::optional<std::string>>> Take(CancelScope& scope) override {
    while (true) {
      if (broken_) {
        ++failures_;
        co_return absl::UnavailableError("redis is away");
      }
      std::optional<std::string> message = TryTake();
      if (message.has_value()) co_return message;
      absl::Status slept = co_await common::async::Sleep(scope, absl::Milliseconds(1));
      if (!slept.ok()) co_return slept;
    }
  }
  Co<absl::StatusOr<std::optional<TaskState>>> Read(CancelScope&, std::string uuid) override {
    if (broken_) co_return absl::UnavailableError("redis is away");
    co_return StateOf(uuid);
  }
  Co<absl::Status> Write(CancelScope&, TaskState state) override {
    if (broken_) {
      ++failures_;
      co_return absl::UnavailableError("redis is away");
    }
    Put(state);
    const std::lock_guard lock(mutex_);
    states_[state.uuid].push_back(state.state);
    co_return absl::OkStatus();
  }

 private:
  std::optional<std::string> TryTake() {
    const std::lock_guard lock(mutex_);
    if (queue_.empty()) return std::nullopt;
    std::string message = std::move(queue_.front());
    queue_.pop_front();
    return message;
  }

  std::atomic<bool> broken_ = false;
  std::atomic<int> failures_ = 0;
  mutable std::mutex mutex_;  // guards what follows
  std::deque<std::string> queue_;
  std::map<std::string, std::vector<State>> states_;
  std::map<std::string, TaskState> documents_;
};

class QueueConsumerTest : public ::testing::Test {
 protected:
  void Start(const std::vector<JobWorld::Host>& hosts, size_t max_running = 100) {
    world_ = std::make_unique<ClusterWorld>(hosts, 100);
    QueueConsumer::Options options;
    options.cluster_id = 7;
    options.max_running = max_running;
    options.first_pause = absl::Milliseconds(1);
    options.longest_pause = absl::Milliseconds(5);
    QueueConsumer::Deps deps{world_->runtime.executor(0)};
    deps.env = &common::os::PosixEnv();
    deps.broker = &broker_;
    deps.jobs = &world_->executor();
    deps.hosts = &world_->table;
    consumer_ = std::make_unique<QueueConsumer>(deps, options);
    consumer_->Start();
  }
  void TearDown() override { consumer_ = nullptr; }

  static std::string Message(const std::string& uuid, const std::string& name,
                             std::optional<std::string> argument) {
    wire::Signature signature;
    signature.uuid = uuid;
    signature.name = name;
    signature.argument = std::move(argument);
    return wire::SignatureJson(signature);
  }
  static std::string PreheatArgument(const std::string& scope,
                                     std::vector<std::string> urls = {"http://h/a"}) {
    wire::PreheatRequest request;
    request.urls = std::move(urls);
    request.scope = scope;
    return wire::PreheatRequestJson(request);
  }
  // The state in which it ends.
  TaskState EndOf(const std::string& uuid) {
    world_->daemons.OpenGate(true);
    EXPECT_TRUE(Eventually([&] {
      const auto state = broker_.StateOf(uuid);
      return state.has_value() &&
             (state->state == State::kSuccess || state->state == State::kFailure);
    })) << uuid;
    return broker_.StateOf(uuid).value_or(TaskState());
  }

  MemoryBroker broker_;
  std::unique_ptr<ClusterWorld> world_;
  std::unique_ptr<QueueConsumer> consumer_;
};

TEST_F(QueueConsumerTest, APreheatIsCarriedOutAndToldStepByStep) {
  Start({{"a", "10.0.0.1", false, {}}, {"b", "10.0.0.2", false, absl::InternalError("no space")}});
  TaskState pending;
  pending.uuid = "task_1";
  pending.name = "preheat";
  pending.created = absl::FromUnixSeconds(1'700'000'000);
  broker_.Put(pending);
  broker_.Push(Message("task_1", "preheat", PreheatArgument("all_peers")));
  const TaskState end = EndOf("task_1");
  EXPECT_EQ(end.state, State::kSuccess) << end.error;
  EXPECT_EQ(end.created, pending.created) << "kept from the manager's document";
  EXPECT_EQ(end.name, "preheat");
  EXPECT_EQ(*end.result,
            R"({"success_tasks":[{"url":"http://h/a","hostname":"a","ip":"10.0.0.1"}],)"
            R"("failure_tasks":[{"url":"http://h/a","hostname":"b","ip":"10.0.0.2",)"
            R"("description":"no space"}],"scheduler_cluster_id":7})");
  EXPECT_EQ(broker_.StatesOf("task_1"),
            (std::vector<State>{State::kReceived, State::kStarted, State::kSuccess}));
}

TEST_F(QueueConsumerTest, APreheatThatFailsEverywhereIsAFailure) {
  Start({{"seed", "10.0.1.1", true, absl::InternalError("origin says 404")}});
  broker_.Push(Message("task_1", "preheat", PreheatArgument("single_seed_peer")));
  const TaskState end = EndOf("task_1");
  EXPECT_EQ(end.state, State::kFailure);
  EXPECT_NE(end.error.find("origin says 404"), std::string::npos) << end.error;
  EXPECT_FALSE(end.result.has_value());
}

TEST_F(QueueConsumerTest, TasksAreFoundAndDeleted) {
  Start({{"a", "10.0.0.1", false, {}}, {"seed", "10.0.1.1", true, {}}});
  FakeDaemons::Daemon holds;
  holds.task = LocalTask{true, absl::FromUnixSeconds(0), absl::FromUnixSeconds(1)};
  world_->daemons.Set("10.0.1.1", holds);
  wire::TaskRequest request;
  request.task_id = "t";
  broker_.Push(Message("task_get", "get_task", wire::TaskRequestJson(request)));
  EXPECT_EQ(EndOf("task_get").result.value_or(""),
            R"({"peers":[{"id":"seed","hostname":"seed","ip":"10.0.1.1","host_type":"super",)"
            R"("created_at":"1970-01-01T00:00:00Z","updated_at":"1970-01-01T00:00:01Z",)"
            R"("IsFinished":true}],"scheduler_cluster_id":7})");
  broker_.Push(Message("task_del", "delete_task", wire::TaskRequestJson(request)));
  EXPECT_EQ(EndOf("task_del").result.value_or(""),
            R"({"success_tasks":[{"hostname":"seed","ip":"10.0.1.1","host_type":"super"}],)"
            R"("failure_tasks":[],"scheduler_cluster_id":7})");
}

TEST_F(QueueConsumerTest, HostsAreTold) {
  Start({{"a", "10.0.0.1", false, {}}, {"seed", "10.0.1.1", true, {}}});
  broker_.Push(Message("task_sync", "sync_peers", std::nullopt));
  const TaskState end = EndOf("task_sync");
  ASSERT_EQ(end.state, State::kSuccess);
  EXPECT_EQ(end.result->find(R"([{"ID":"a","Type":0,)"), 0U) << *end.result;
  EXPECT_NE(end.result->find(R"({"ID":"seed","Type":1,)"), std::string::npos);
  EXPECT_NE(end.result->find(R"("SchedulerClusterID":7)"), std::string::npos);
}

TEST_F(QueueConsumerTest, Sec_GarbageIsDroppedOrAnsweredAndHarmsNobody) {
  Start({{"a", "10.0.0.1", false, {}}});
  for (const std::string& garbage :
       {std::string(), std::string("garbage"), std::string("{}"), std::string("\xff\x00", 2),
        std::string(100'000, '['), std::string(R"({"UUID":"a\nb","Name":"preheat"})")}) {
    broker_.Push(garbage);
  }
  broker_.Push(R"({"UUID":"task_bad","Name":7})");
  broker_.Push(Message("task_name", "format_disk", "{}"));
  broker_.Push(Message("task_no_args", "preheat", std::nullopt));
  broker_.Push(Message("task_args", "preheat", "canary"));
  broker_.Push(Message("task_type", "preheat", R"({"headers":"canary"})"));
  broker_.Push(Message("task_urls", "preheat", R"({"urls":[]})"));
  broker_.Push(Message("task_id", "get_task", R"({"task_id":""})"));
  for (const char* uuid : {"task_bad", "task_name", "task_no_args", "task_args", "task_type",
                           "task_urls", "task_id"}) {
    const TaskState end = EndOf(uuid);
    EXPECT_EQ(end.state, State::kFailure) << uuid;
    EXPECT_FALSE(end.error.empty()) << uuid;
    EXPECT_EQ(end.error.find("canary"), std::string::npos) << end.error;
  }
  broker_.Push(Message("task_good", "preheat", PreheatArgument("all_peers")));
  EXPECT_EQ(EndOf("task_good").state, State::kSuccess);
}

TEST_F(QueueConsumerTest, ABrokenQueueIsAskedAgainAndResultsAreNotLost) {
  Start({{"a", "10.0.0.1", false, {}}});
  broker_.Push(Message("task_1", "preheat", PreheatArgument("all_peers")));
  ASSERT_TRUE(Eventually([this] { return world_->daemons.waiting() == 1; }));
  broker_.Break(true);
  world_->daemons.OpenGate(true);
  ASSERT_TRUE(Eventually([this] { return broker_.failures() > 3; }));
  EXPECT_NE(broker_.StateOf("task_1")->state, State::kSuccess);
  broker_.Break(false);
  EXPECT_EQ(EndOf("task_1").state, State::kSuccess);
  broker_.Push(Message("task_2", "preheat", PreheatArgument("all_peers")));
  EXPECT_EQ(EndOf("task_2").state, State::kSuccess);
}

TEST_F(QueueConsumerTest, NoMoreIsTakenThanMayRun) {
  Start({{"a", "10.0.0.1", false, {}}}, 2);
  for (int i = 0; i < 5; ++i) {
    broker_.Push(Message("task_" + std::to_string(i), "preheat", PreheatArgument("all_peers")));
  }
  ASSERT_TRUE(Eventually([this] { return world_->daemons.waiting() == 2; }));
  world_->Settle();
  EXPECT_FALSE(broker_.StateOf("task_2").has_value());
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(EndOf("task_" + std::to_string(i)).state, State::kSuccess);
  }
}

TEST_F(QueueConsumerTest, AStopEndsWhatRuns) {
  Start({{"a", "10.0.0.1", false, {}}});
  broker_.Push(Message("task_1", "preheat", PreheatArgument("all_peers")));
  ASSERT_TRUE(Eventually([this] { return world_->daemons.waiting() == 1; }));
  consumer_->Stop();
  EXPECT_TRUE(Eventually([this] { return world_->daemons.waiting() == 0; }));
}

TEST(QueueJobs, DefaultsAreThoseOfTheGrpcDoor) {
  wire::Signature signature;
  signature.uuid = "task_1";
  signature.name = "preheat";
  signature.argument = R"({"urls":["http://h/a"],"scope":"nonsense","count":0,"group_uuid":"g"})";
  const absl::StatusOr<Job> job = JobOf(signature, true);
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->id, "task_1");
  EXPECT_EQ(job->group_id, "g");
  EXPECT_EQ(job->timeout, absl::Hours(1));
  const auto& preheat = std::get<Preheat>(job->work);
  EXPECT_EQ(preheat.scope, PreheatScope::kSingleSeedPeer);
  EXPECT_FALSE(preheat.count.has_value());
  EXPECT_EQ(preheat.concurrent_tasks, 8U);
  EXPECT_EQ(preheat.concurrent_hosts, 500U);
  EXPECT_TRUE(preheat.blob_digest_ids);
  EXPECT_FALSE(preheat.filtered_query_params.empty());
  EXPECT_TRUE(Validate(*job).ok());
  signature.argument = R"({"urls":["http://h/a"],"filtered_query_params":"a&&b"})";
  EXPECT_EQ(std::get<Preheat>(JobOf(signature, false)->work).filtered_query_params,
            (std::vector<std::string>{"a", "b"}));
}

}  // namespace
}  // namespace dragonfly::scheduler::job::testing
