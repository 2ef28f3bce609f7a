#include <filesystem>
#include <fstream>
#include <future>
#include <thread>
#include <variant>

#include "common/async/blocking_pool.h"
#include "common/async/runtime.h"
#include "common/id/names.h"
#include "common/os/env.h"
#include "common/status/reason.h"
#include "dfdaemon/node/dynconfig_directory.h"
#include "dfdaemon/node/grpc_scheduler_client.h"
#include "tests/integration/node/test_scheduler.h"

namespace dragonfly::dfdaemon::node {
namespace {

using common::async::CancelScope;
using common::async::Co;
using common::status::ErrorReason;
using common::status::ReasonOf;
using Request = TestScheduler::Request;
using Response = TestScheduler::Response;
using Stream = TestScheduler::Stream;

// SentAnswers of one session, to be waited for from the test's thread.
class SentAnswers {
 public:
  void Add(SchedulerAnswer answer) {
    const std::lock_guard lock(mutex_);
    answers_.push_back(std::move(answer));
    changed_.notify_all();
  }
  // The n-th one; nullopt when it does not come.
  std::optional<SchedulerAnswer> At(size_t n) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, std::chrono::seconds(30), [&] { return answers_.size() > n; })) {
      return std::nullopt;
    }
    return answers_[n];
  }
  size_t size() {
    const std::lock_guard lock(mutex_);
    return answers_.size();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<SchedulerAnswer> answers_;
};

Response Parents(const std::string& id) {
  Response response;
  auto* peer = response.mutable_normal_task_response()->add_candidate_parents();
  peer->set_id(id);
  peer->mutable_host()->set_id("host-" + id);
  peer->mutable_host()->set_ip("10.0.0.2");
  peer->mutable_host()->set_port(4000);
  peer->mutable_task()->set_content_length(100);
  return response;
}

class SchedulerClientTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "/node-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
  }
  void TearDown() override {
    OnExecutor([this] { session_ = nullptr; });
    client_ = nullptr;
    std::filesystem::remove_all(directory_);
  }

  void WriteDynconfig(const std::vector<std::string>& schedulers) {
    const std::string path = directory_ + "/dynconfig.yaml";
    std::ofstream file(path + ".new");
    file << "scheduler:\n  addrs:\n";
    for (const std::string& each : schedulers) file << "    - \"" << each << "\"\n";
    file.close();
    std::filesystem::rename(path + ".new", path);
  }

  void StartClient(const std::vector<std::string>& schedulers) {
    WriteDynconfig(schedulers);
    GrpcSchedulerClient::Options options;
    options.identity.host_id = "me";
    options.identity.hostname = "node";
    options.identity.ip = "127.0.0.1";
    DynconfigDirectory::Options dynconfig;
    dynconfig.path = directory_ + "/dynconfig.yaml";
    list_ = std::make_unique<DynconfigDirectory>(pool_, dynconfig);
    options.selector.retry_interval = absl::Milliseconds(300);
    options.drain_timeout = absl::Minutes(1);
    client_ = std::make_unique<GrpcSchedulerClient>(runtime_, pool_, channels_,
                                                    common::os::PosixEnv(), info_, *list_, options);
    client_->Start();
  }
  bool WaitForSchedulers(size_t count) {
    return Eventually([&] { return client_->count() == count; });
  }
  static bool Eventually(const std::function<bool()>& condition) {
    const absl::Time deadline = absl::Now() + absl::Seconds(30);
    while (!condition()) {
      if (absl::Now() > deadline) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return true;
  }

  void OnExecutor(const std::function<void()>& what) {
    std::promise<void> done;
    common::async::Post(runtime_.executor(0), [&] {
      what();
      done.set_value();
    });
    done.get_future().wait();
  }

  Registration Wanted() {
    ::common::v2::Download download;
    download.set_url("http://origin/file");
    Registration registration;
    registration.key.id = std::string(64, 'a');
    registration.peer_id = "127.0.0.1-node-1";
    registration.download = download.SerializeAsString();
    return registration;
  }
  std::shared_ptr<SentAnswers> Open(Registration registration, uint32_t attempt = 0) {
    auto answers = std::make_shared<SentAnswers>();
    OnExecutor([&] {
      session_ =
          client_->Open(runtime_.executor(0), std::move(registration), attempt,
                        [answers](SchedulerAnswer answer) { answers->Add(std::move(answer)); });
    });
    return answers;
  }

  std::string directory_;
  TestScheduler scheduler_;
  common::async::Runtime runtime_{2, "node-test"};
  common::async::BlockingPool pool_{2, 64};
  common::rpc::ChannelPool channels_{common::os::PosixEnv().clock(), common::rpc::ChannelOptions()};
  SystemInfo info_{common::os::PosixEnv().clock(), SystemInfo::Options()};
  std::unique_ptr<DynconfigDirectory> list_;
  std::unique_ptr<GrpcSchedulerClient> client_;
  std::unique_ptr<SchedulerSession> session_;
};

TEST_F(SchedulerClientTest, AnnouncesTheHostAndSaysGoodbye) {
  scheduler_.Start();
  StartClient({scheduler_.address()});
  ASSERT_TRUE(scheduler_.WaitFor("announce"));
  EXPECT_TRUE(Eventually([&] { return client_->announced(); }));
  EXPECT_EQ(scheduler_.host().id(), "me");
  EXPECT_GT(scheduler_.host().memory().total(), 0U);
  client_->Stop();
  EXPECT_TRUE(scheduler_.WaitFor("goodbye"));
}

TEST_F(SchedulerClientTest, RegistersReportsAndEndsInGoodOrder) {
  scheduler_.on_request = [](const Request& request, const Stream& stream) {
    if (request.has_register_peer_request()) {
      EXPECT_TRUE(stream->Write(Parents("p1")).ok());
    }
    if (request.has_reschedule_peer_request()) {
      EXPECT_TRUE(stream->Write(Parents("p2")).ok());
    }
  };
  scheduler_.Start();
  StartClient({scheduler_.address()});
  ASSERT_TRUE(WaitForSchedulers(1));
  auto answers = Open(Wanted());
  const auto first = answers->At(0);
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(std::get<core::AnswerParents>(*first).parents.at(0).peer_id, "p1");
  OnExecutor([&] {
    session_->Started();
    session_->GeometryLearned(core::Geometry{4 << 20, 100});  // upstream: must not be sent
    core::PieceInfo piece;
    piece.length = 100;
    piece.parent_id = "p1";
    session_->PieceFinished(piece);
    session_->PieceFailed("p1", 1);
    session_->Reschedule({"p1"}, "bad");
  });
  const auto second = answers->At(1);
  ASSERT_TRUE(second.has_value());
  EXPECT_EQ(std::get<core::AnswerParents>(*second).parents.at(0).peer_id, "p2");
  OnExecutor([&] {
    session_->End(false, absl::OkStatus());
    session_ = nullptr;  // the rest drains without us
  });
  EXPECT_TRUE(scheduler_.WaitFor("half-close"));
  EXPECT_EQ(scheduler_.Count("cancel"), 0);
  std::vector<Request::RequestCase> order;
  for (const Request& request : scheduler_.requests()) order.push_back(request.request_case());
  EXPECT_EQ(order, (std::vector<Request::RequestCase>{
                       Request::kRegisterPeerRequest, Request::kDownloadPeerStartedRequest,
                       Request::kDownloadPieceFinishedRequest, Request::kDownloadPieceFailedRequest,
                       Request::kReschedulePeerRequest, Request::kDownloadPeerFinishedRequest}));
  EXPECT_EQ(answers->size(), 2U);
}

TEST_F(SchedulerClientTest, QueuesThousandsOfReports) {
  scheduler_.Start();
  StartClient({scheduler_.address()});
  ASSERT_TRUE(WaitForSchedulers(1));
  Open(Wanted());
  OnExecutor([&] {
    for (uint32_t i = 0; i < 5000; ++i) {
      core::PieceInfo piece;
      piece.number = i;
      session_->PieceFinished(piece);
    }
    session_->End(true, absl::OkStatus());
  });
  EXPECT_TRUE(scheduler_.WaitFor("half-close"));
  EXPECT_EQ(scheduler_.Count("download_piece_back_to_source_finished_request"), 5000);
  EXPECT_EQ(scheduler_.Count("download_peer_back_to_source_finished_request"), 1);
}

TEST_F(SchedulerClientTest, CancelsAStreamThatTheDownloadGivesUp) {
  scheduler_.Start();
  StartClient({scheduler_.address()});
  ASSERT_TRUE(WaitForSchedulers(1));
  Open(Wanted());
  ASSERT_TRUE(scheduler_.WaitFor("register_peer_request"));
  OnExecutor([&] { session_ = nullptr; });
  EXPECT_TRUE(scheduler_.WaitFor("cancel"));
}

TEST_F(SchedulerClientTest, AnnouncesAgainWhenTheSchedulerHasForgottenTheHost) {
  scheduler_.Start();
  StartClient({scheduler_.address()});
  ASSERT_TRUE(scheduler_.WaitFor("announce"));
  ASSERT_TRUE(Eventually([&] { return client_->announced(); }));
  scheduler_.knows_hosts = false;
  auto answers = Open(Wanted());
  const auto answer = answers->At(0);
  ASSERT_TRUE(answer.has_value());
  const auto& ended = std::get<core::RegistrationEnded>(*answer);
  EXPECT_TRUE(ended.host_unknown);
  EXPECT_EQ(ReasonOf(ended.status), ErrorReason::kHostUnknown);
  // By the time the download hears of it, the scheduler knows us again.
  EXPECT_GE(scheduler_.Count("announce"), 2);
}

TEST_F(SchedulerClientTest, SpeaksItsExtensionsWithOurOwnSchedulersOnly) {
  scheduler_.extensions = {common::rpc::kLazyStat, common::rpc::kSlice};
  scheduler_.on_request = [](const Request& request, const Stream& stream) {
    if (!request.has_register_peer_request()) return;
    // The second one says what was learned and wants no answer.
    if (request.register_peer_request().download().has_actual_content_length()) return;
    Response response;
    response.mutable_need_back_to_source_response()->set_description("slice=1/3");
    EXPECT_TRUE(stream->Write(response).ok());
  };
  scheduler_.Start();
  StartClient({scheduler_.address()});
  ASSERT_TRUE(WaitForSchedulers(1));
  ASSERT_TRUE(Eventually([&] { return client_->KnowsLazyStat(Wanted().key, 0); }));
  auto answers = Open(Wanted());
  const auto answer = answers->At(0);
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(std::get<core::AnswerSource>(*answer).slice_index, 1U);
  EXPECT_EQ(std::get<core::AnswerSource>(*answer).slice_count, 3U);
  OnExecutor([&] { session_->GeometryLearned(core::Geometry{4 << 20, 100}); });
  EXPECT_TRUE(scheduler_.WaitFor("register_peer_request", 2));
  EXPECT_EQ(scheduler_.requests().back().register_peer_request().download().actual_content_length(),
            100U);
  EXPECT_FALSE(client_->KnowsLazyStat(Wanted().key, 1));
}

TEST_F(SchedulerClientTest, EndsARegistrationAtOnceWhenThereIsNoScheduler) {
  StartClient({});
  auto answers = Open(Wanted());
  const auto answer = answers->At(0);
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(ReasonOf(std::get<core::RegistrationEnded>(*answer).status),
            ErrorReason::kSchedulerUnavailable);
}

TEST_F(SchedulerClientTest, TriesTheNextPointOfTheRing) {
  TestScheduler other;
  scheduler_.Start();
  other.Start();
  StartClient({scheduler_.address(), other.address()});
  ASSERT_TRUE(WaitForSchedulers(2));
  Open(Wanted(), 0);
  const std::string first = session_->scheduler();
  Open(Wanted(), 1);
  const std::string second = session_->scheduler();
  EXPECT_NE(first, second);
  auto answers = Open(Wanted(), 2);
  EXPECT_TRUE(answers->At(0).has_value());
  OnExecutor([&] { session_ = nullptr; });
  client_->Stop();
}

TEST_F(SchedulerClientTest, TellsThatTheSchedulerIsGoneAndFindsItAgain) {
  scheduler_.Start();
  StartClient({scheduler_.address()});
  ASSERT_TRUE(WaitForSchedulers(1));
  ASSERT_TRUE(scheduler_.WaitFor("announce"));
  auto answers = Open(Wanted());
  ASSERT_TRUE(scheduler_.WaitFor("register_peer_request"));
  scheduler_.Stop();
  const auto answer = answers->At(0);
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(ReasonOf(std::get<core::RegistrationEnded>(*answer).status),
            ErrorReason::kSchedulerUnavailable);
  const int before = scheduler_.Count("announce");
  scheduler_.Start();
  // Nothing but the scheduler's return makes it announce: the interval is five minutes.
  EXPECT_TRUE(scheduler_.WaitFor("announce", before + 1));
}

TEST_F(SchedulerClientTest, TakesUpASchedulerThatIsAddedToTheFile) {
  scheduler_.Start();
  StartClient({});
  EXPECT_EQ(client_->count(), 0U);
  WriteDynconfig({scheduler_.address()});
  EXPECT_TRUE(WaitForSchedulers(1));
  EXPECT_TRUE(scheduler_.WaitFor("announce"));
}

TEST_F(SchedulerClientTest, KeepsWhatItKnowsWhenTheFileBreaks) {
  scheduler_.Start();
  StartClient({scheduler_.address()});
  ASSERT_TRUE(WaitForSchedulers(1));
  std::ofstream(directory_ + "/dynconfig.yaml") << "scheduler: [";
  auto answers = Open(Wanted());
  EXPECT_TRUE(scheduler_.WaitFor("register_peer_request"));
  EXPECT_EQ(client_->count(), 1U);
}

TEST_F(SchedulerClientTest, AsksForTheTaskAsItsSchedulerSeesIt) {
  scheduler_.Start();
  StartClient({scheduler_.address()});
  ASSERT_TRUE(WaitForSchedulers(1));
  std::optional<absl::StatusOr<std::string>> result;
  const auto ask = [](GrpcSchedulerClient* client, common::async::Executor executor,
                      common::id::TaskKey key,
                      std::optional<absl::StatusOr<std::string>>* out) -> Co<void> {
    CancelScope scope(executor, absl::Seconds(30));
    out->emplace(co_await client->StatTask(scope, key, common::trace::SpanContext()));
  };
  common::async::RunToEnd(runtime_.executor(1), [&] {
    return ask(client_.get(), runtime_.executor(1), Wanted().key, &result);
  });
  ASSERT_TRUE(result->ok()) << result->status();
  ::common::v2::Task task;
  ASSERT_TRUE(task.ParseFromString(**result));
  EXPECT_EQ(task.piece_count(), 7U);
}

TEST_F(SchedulerClientTest, MetadataOnlyRegistrationsEndWell) {
  scheduler_.on_request = [](const Request& request, const Stream& stream) {
    if (!request.has_register_peer_request()) return;
    EXPECT_TRUE(request.register_peer_request().download().metadata_only());
    Response response;
    response.mutable_metadata_only_response();
    EXPECT_TRUE(stream->Write(response).ok());
  };
  scheduler_.Start();
  StartClient({scheduler_.address()});
  ASSERT_TRUE(WaitForSchedulers(1));
  Registration registration = Wanted();
  registration.metadata_only = true;
  auto answers = Open(registration);
  const auto answer = answers->At(0);
  ASSERT_TRUE(answer.has_value());
  EXPECT_TRUE(std::get<core::RegistrationEnded>(*answer).status.ok());
  EXPECT_TRUE(scheduler_.WaitFor("half-close"));
  EXPECT_EQ(scheduler_.Count("download_peer_finished_request"), 1);
}

}  // namespace
}  // namespace dragonfly::dfdaemon::node
