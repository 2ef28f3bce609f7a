// The walking skeleton: the real engine, core and storage in one process, with scripted schedulers,
// parents and origins around them. For all kinds of task.

#include <atomic>
#include <filesystem>

#include "common/status/reason.h"
#include "tests/unit/dfdaemon_task/engine_world.h"

namespace dragonfly::dfdaemon::task {
namespace {

using common::status::ErrorReason;
using common::status::ReasonOf;
using HandlePtr = FakeSchedulerClient::HandlePtr;

FakeSchedulerClient::Script GrantSource() {
  FakeSchedulerClient::Script script;
  script.on_open = [](const HandlePtr& session) {
    session->Answer(core::AnswerSource{"you are the reader", 0, 1});
  };
  return script;
}

FakeSchedulerClient::Script OfferParents(std::vector<core::ParentInfo> parents) {
  FakeSchedulerClient::Script script;
  script.on_open = [parents](const HandlePtr& session) {
    session->Answer(core::AnswerParents{parents});
  };
  return script;
}

FakeSchedulerClient::Script NoScheduler() {
  FakeSchedulerClient::Script script;
  script.on_open = [](const HandlePtr& session) {
    session->Answer(core::RegistrationEnded{
        common::status::MakeStatus(absl::StatusCode::kUnavailable,
                                   ErrorReason::kSchedulerUnavailable, "no scheduler"),
        false});
  };
  return script;
}

INSTANTIATE_TEST_SUITE_P(Kinds, EngineWorld, ::testing::ValuesIn(common::id::kAllTaskKinds));

TEST_P(EngineWorld, ReadsTheOriginAndPublishes) {
  Start(GrantSource());
  const std::string content = Content(2 * kPiece + 1000);
  source_->Set("http://origin/file", FakeContent{.body = content});
  auto caller = std::make_shared<Caller>();
  const auto handle = engine_->Download(Request("out"), caller);
  ASSERT_TRUE(caller->Wait().ok()) << caller->Wait();
  EXPECT_EQ(ReadOutput("out"), content);
  EXPECT_EQ(caller->pieces().size(), 3U);
  EXPECT_EQ(caller->started()->pieces.size(), 3U);
  EXPECT_EQ(source_->reads().size(), 1U) << "one ordered stream";
  EXPECT_EQ(source_->bytes_read(), content.size());
}

TEST_P(EngineWorld, TellsTheSchedulerEveryPieceAndTheEnd) {
  Start(GrantSource());
  source_->Set("http://origin/file", FakeContent{.body = Content(2 * kPiece)});
  auto caller = std::make_shared<Caller>();
  const auto handle = engine_->Download(Request(), caller);
  ASSERT_TRUE(caller->Wait().ok());
  const std::vector<node::testing::SessionCall> calls = schedulers_->sessions()[0]->calls();
  size_t pieces = 0;
  size_t ends = 0;
  for (const node::testing::SessionCall& call : calls) {
    if (std::holds_alternative<node::testing::PieceFinished>(call)) ++pieces;
    if (const auto* end = std::get_if<node::testing::SessionEnd>(&call)) {
      ++ends;
      EXPECT_TRUE(end->from_source);
      EXPECT_TRUE(end->status.ok());
    }
  }
  EXPECT_EQ(pieces, 2U);
  EXPECT_EQ(ends, 1U);
}

TEST_P(EngineWorld, FetchesFromParentsWithoutAskingTheOrigin) {
  const std::string content = Content(5 * kPiece + 7);
  const core::ParentInfo a = AddParent(content, 4101);
  const core::ParentInfo b = AddParent(content, 4102);
  Start(OfferParents({a, b}));
  auto caller = std::make_shared<Caller>();
  const auto handle = engine_->Download(Request("out"), caller);
  ASSERT_TRUE(caller->Wait().ok()) << caller->Wait();
  EXPECT_EQ(ReadOutput("out"), content);
  EXPECT_TRUE(source_->reads().empty());
  EXPECT_EQ(source_->stats(), 0);
}

// Holds one piece at a time, as a stream does whose reader is slow.
class SlowCaller : public Caller {
 public:
  void OnPiece(const core::PieceInfo& piece) override {
    EXPECT_FALSE(congested()) << "was given more than it can take";
    congested_ = true;
    Caller::OnPiece(piece);
  }
  void OnFinished(const absl::Status& status) override {
    EXPECT_FALSE(congested()) << "the end overtakes a piece";
    Caller::OnFinished(status);
  }
  bool congested() const override { return congested_; }
  void Take(DownloadHandle& handle) {
    congested_ = false;
    handle.Resume();
  }

 private:
  std::atomic<bool> congested_{false};
};

TEST_P(EngineWorld, ASlowCallerGetsEveryPieceBeforeTheEnd) {
  Start(GrantSource());
  source_->Set("http://origin/file", FakeContent{.body = Content(3 * kPiece)});
  auto caller = std::make_shared<SlowCaller>();
  DownloadRequest request = Request();
  request.reads_content = true;
  const auto handle = engine_->Download(std::move(request), caller);
  for (size_t count = 1; count <= 3; ++count) {
    ASSERT_TRUE(caller->WaitForPieces(count));
    EXPECT_EQ(caller->pieces().size(), count);
    EXPECT_FALSE(caller->finished());
    caller->Take(*handle);
  }
  EXPECT_TRUE(caller->Wait().ok()) << caller->Wait();
}

TEST_P(EngineWorld, Sec_B15_ACorruptParentIsAvoidedAndCharged) {
  const std::string content = Content(3 * kPiece);
  const core::ParentInfo bad = AddParent(content, 4101, true);
  const core::ParentInfo good = AddParent(content, 4102);
  Start(OfferParents({bad, good}));
  auto caller = std::make_shared<Caller>();
  const auto handle = engine_->Download(Request("out"), caller);
  ASSERT_TRUE(caller->Wait().ok()) << caller->Wait();
  EXPECT_EQ(ReadOutput("out"), content);
  bool charged = false;
  for (const node::testing::SessionCall& call : schedulers_->sessions()[0]->calls()) {
    if (const auto* failed = std::get_if<node::testing::PieceFailed>(&call)) {
      EXPECT_EQ(failed->parent_id, bad.peer_id);
      charged = true;
    }
  }
  for (const core::PieceInfo& piece : caller->pieces()) EXPECT_EQ(piece.parent_id, good.peer_id);
  EXPECT_TRUE(charged || dialer_.links().size() == 1U)
      << "the bad parent was asked and not charged";
}

TEST_P(EngineWorld, WithoutASchedulerTheOriginIsRead) {
  Start(NoScheduler());
  const std::string content = Content(kPiece + 1);
  source_->Set("http://origin/file", FakeContent{.body = content});
  auto caller = std::make_shared<Caller>();
  const auto handle = engine_->Download(Request("out"), caller);
  ASSERT_TRUE(caller->Wait().ok()) << caller->Wait();
  EXPECT_EQ(ReadOutput("out"), content);
}

TEST_P(EngineWorld, ARequestThatMayNotUseTheOriginFailsAndSaysWhy) {
  Start(NoScheduler());
  source_->Set("http://origin/file", FakeContent{.body = Content(10)});
  DownloadRequest request = Request("out");
  request.may_use_source = false;
  auto caller = std::make_shared<Caller>();
  const auto handle = engine_->Download(request, caller);
  EXPECT_FALSE(caller->Wait().ok());
  EXPECT_FALSE(absl::IsDeadlineExceeded(caller->Wait())) << "it waited";
  EXPECT_TRUE(source_->reads().empty());
  EXPECT_EQ(ReadOutput("out"), "no such file");
}

TEST_P(EngineWorld, UnknownLengthEndsWithTheStream) {
  Start(GrantSource());
  const std::string content = Content(kPiece + 12345);
  source_->Set("http://origin/file",
               FakeContent{.body = content, .ranges = false, .tells_length = false});
  auto caller = std::make_shared<Caller>();
  const auto handle = engine_->Download(Request("out"), caller);
  ASSERT_TRUE(caller->Wait().ok()) << caller->Wait();
  EXPECT_EQ(ReadOutput("out"), content);
}

TEST_P(EngineWorld, SizesAroundAPiece) {
  Start(GrantSource());
  char letter = 'b';
  for (uint64_t size : {uint64_t{0}, uint64_t{1}, kPiece - 1, kPiece, kPiece + 1}) {
    const std::string content = Content(size);
    source_->Set("http://origin/file", FakeContent{.body = content});
    DownloadRequest request = Request("out");
    request.key.id = std::string(64, letter++);
    request.output->overwrite = true;
    auto caller = std::make_shared<Caller>();
    const auto handle = engine_->Download(request, caller);
    ASSERT_TRUE(caller->Wait().ok()) << size << ": " << caller->Wait();
    EXPECT_EQ(ReadOutput("out"), content) << size;
  }
}

TEST_P(EngineWorld, Sec_B15_AWrongDigestLeavesNothing) {
  Start(GrantSource());
  source_->Set("http://origin/file", FakeContent{.body = Content(kPiece)});
  DownloadRequest request = Request("out");
  request.digest = *common::digest::Digest::Parse("sha256:" + std::string(64, '0'));
  auto caller = std::make_shared<Caller>();
  const auto handle = engine_->Download(request, caller);
  EXPECT_EQ(ReasonOf(caller->Wait()), ErrorReason::kDigestMismatch) << caller->Wait();
  EXPECT_EQ(ReadOutput("out"), "no such file");
}

TEST_P(EngineWorld, TheRightDigestPasses) {
  Start(GrantSource());
  const std::string content = Content(3 * kPiece + 5);
  source_->Set("http://origin/file", FakeContent{.body = content});
  DownloadRequest request = Request("out");
  request.digest = *common::digest::Digest::Parse("sha256:" + common::digest::Sha256Hex(content));
  auto caller = std::make_shared<Caller>();
  const auto handle = engine_->Download(request, caller);
  ASSERT_TRUE(caller->Wait().ok()) << caller->Wait();
  EXPECT_EQ(ReadOutput("out"), content);
}

TEST_P(EngineWorld, RequestsForOneTaskShareOneTransferAndOneMayLeave) {
  Start(GrantSource());
  const std::string content = Content(4 * kPiece);
  source_->Set("http://origin/file",
               FakeContent{.body = content, .delay_per_read = absl::Milliseconds(2)});
  std::vector<std::shared_ptr<Caller>> callers;
  std::vector<std::unique_ptr<DownloadHandle>> handles;
  for (int i = 0; i < 10; ++i) {
    callers.push_back(std::make_shared<Caller>());
    handles.push_back(engine_->Download(Request("out" + std::to_string(i)), callers.back()));
  }
  ASSERT_TRUE(callers[3]->WaitForPieces(1));
  handles[3].reset();
  for (int i = 0; i < 10; ++i) {
    if (i == 3) continue;
    ASSERT_TRUE(callers[static_cast<size_t>(i)]->Wait().ok())
        << i << ": " << callers[static_cast<size_t>(i)]->Wait();
    EXPECT_EQ(ReadOutput("out" + std::to_string(i)), content);
  }
  EXPECT_EQ(source_->bytes_read(), content.size());
  EXPECT_EQ(ReadOutput("out3"), "no such file");
}

TEST_P(EngineWorld, WhatIsOnDiskIsHandedOverAtOnce) {
  Start(GrantSource());
  const std::string content = Content(kPiece + 1);
  source_->Set("http://origin/file", FakeContent{.body = content});
  auto first = std::make_shared<Caller>();
  const auto handle = engine_->Download(Request("one"), first);
  ASSERT_TRUE(first->Wait().ok());
  auto second = std::make_shared<Caller>();
  const auto again = engine_->Download(Request("two"), second);
  ASSERT_TRUE(second->Wait().ok()) << second->Wait();
  EXPECT_TRUE(second->started()->from_disk);
  EXPECT_EQ(second->pieces().size(), 2U);
  EXPECT_EQ(ReadOutput("two"), content);
  EXPECT_EQ(source_->reads().size(), 1U);
}

TEST_P(EngineWorld, OutputsAreLookedAtBeforeAnythingIsFetched) {
  Start(GrantSource());
  source_->Set("http://origin/file", FakeContent{.body = Content(10)});
  auto caller = std::make_shared<Caller>();
  const auto handle = engine_->Download(Request("missing/out"), caller);
  EXPECT_EQ(ReasonOf(caller->Wait()), ErrorReason::kOutputPath) << caller->Wait();
  EXPECT_TRUE(source_->reads().empty());
  EXPECT_TRUE(schedulers_->sessions().empty());
}

TEST_P(EngineWorld, ARangeFetchesItsPiecesOnly) {
  Start(GrantSource());
  const std::string content = Content(6 * kPiece);
  source_->Set("http://origin/file", FakeContent{.body = content});
  DownloadRequest request = Request();
  request.range = core::ByteRange{kPiece + 5, kPiece};
  auto caller = std::make_shared<Caller>();
  const auto handle = engine_->Download(request, caller);
  ASSERT_TRUE(caller->Wait().ok()) << caller->Wait();
  EXPECT_EQ(caller->pieces().size(), 2U);
  EXPECT_FALSE((*store_->Find(Key()))->complete()) << "a range is not the task";
}

TEST_P(EngineWorld, ARangePastTheEndIsRefused) {
  Start(GrantSource());
  source_->Set("http://origin/file", FakeContent{.body = Content(10)});
  DownloadRequest request = Request();
  request.range = core::ByteRange{10, 5};
  auto caller = std::make_shared<Caller>();
  const auto handle = engine_->Download(request, caller);
  EXPECT_TRUE(absl::IsFailedPrecondition(caller->Wait())) << caller->Wait();
}

TEST_P(EngineWorld, TheOriginsStatusReachesTheCaller) {
  Start(GrantSource());
  absl::Status forbidden =
      common::status::MakeStatus(absl::StatusCode::kInternal, ErrorReason::kOriginStatus, "403");
  common::status::AttachOrigin(forbidden, {403, "403 Forbidden", "{}"});
  source_->Set("http://origin/file", FakeContent{.body = "x", .open_error = forbidden});
  auto caller = std::make_shared<Caller>();
  const auto handle = engine_->Download(Request("out"), caller);
  const absl::Status status = caller->Wait();
  EXPECT_EQ(ReasonOf(status), ErrorReason::kOriginStatus) << status;
  ASSERT_TRUE(common::status::OriginOf(status).has_value()) << status;
  EXPECT_EQ(common::status::OriginOf(status)->http_status, 403);
}

TEST_P(EngineWorld, ACutStreamGoesOnWhereItEnded) {
  Start(GrantSource());
  const std::string content = Content(3 * kPiece);
  source_->Set("http://origin/file",
               FakeContent{.body = content, .fail_at = 2 * kPiece + 100, .failures = 1});
  auto caller = std::make_shared<Caller>();
  const auto handle = engine_->Download(Request("out"), caller);
  ASSERT_TRUE(caller->Wait().ok()) << caller->Wait();
  EXPECT_EQ(ReadOutput("out"), content);
  EXPECT_LT(source_->bytes_read(), content.size() + kPiece) << "what was there was read again";
}

TEST_P(EngineWorld, ATimeoutEndsTheRequest) {
  Start(GrantSource());
  source_->Set("http://origin/file", FakeContent{.body = Content(kPiece), .hang_at = 100});
  DownloadRequest request = Request("out");
  request.timeout = absl::Milliseconds(200);
  auto caller = std::make_shared<Caller>();
  const auto handle = engine_->Download(request, caller);
  EXPECT_EQ(ReasonOf(caller->Wait()), ErrorReason::kTimeout) << caller->Wait();
}

TEST_P(EngineWorld, SchedulersThatAreNotOursAreToldTheLength) {
  Start(GrantSource(), false);
  source_->Set("http://origin/file", FakeContent{.body = Content(kPiece + 3)});
  auto caller = std::make_shared<Caller>();
  const auto handle = engine_->Download(Request(), caller);
  ASSERT_TRUE(caller->Wait().ok()) << caller->Wait();
  EXPECT_EQ(schedulers_->sessions().at(0)->registration().geometry.content_length, kPiece + 3);
}

TEST_P(EngineWorld, ShutdownEndsWhatIsRunning) {
  Start(GrantSource());
  source_->Set("http://origin/file", FakeContent{.body = Content(kPiece), .hang_at = 100});
  auto caller = std::make_shared<Caller>();
  const auto handle = engine_->Download(Request("out"), caller);
  engine_->Shutdown(absl::Seconds(30));
  EXPECT_EQ(ReasonOf(caller->Wait()), ErrorReason::kShutdown) << caller->Wait();
}

}  // namespace
}  // namespace dragonfly::dfdaemon::task
