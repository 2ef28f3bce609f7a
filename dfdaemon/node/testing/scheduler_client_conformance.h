#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "common/async/cancel_scope.h"
#include "common/status/reason.h"
#include "dfdaemon/node/scheduler_session.h"
#include "dfdaemon/node/testing/conformance_world.h"

// What every SchedulerClient must do. A test includes this once and instantiates
// SchedulerClientConformance with its world.

namespace dragonfly::dfdaemon::node::testing {

// The far end of one session, in the hands of a test. Any thread. Stays valid when the session is
// gone; answers are then dropped.
class FarSession {
 public:
  virtual ~FarSession() = default;
  // RegistrationEnded ends the session with its status.
  virtual void Answer(SchedulerAnswer answer) = 0;
  // What came, in order: "register", "started", "source started", "piece 3", "failed 3 of p1",
  // "failed p1", "reschedule p1 p2", "end", "source end", "failed end"; "gone" when the session was
  // given up without an end.
  virtual Record& heard() = 0;
};

// A client, and one scheduler that knows it.
class SchedulerWorld {
 public:
  virtual ~SchedulerWorld() = default;
  virtual SchedulerClient& client() = 0;
  // What Registration::download has to be.
  virtual std::string download() = 0;
  // The n-th session that has come to the scheduler; null when it does not come.
  virtual std::shared_ptr<FarSession> Session(size_t n) = 0;
};

struct SchedulerWorldCase {
  std::string name;
  std::function<std::unique_ptr<SchedulerWorld>(common::async::Runtime&)> make;
};
inline void PrintTo(const SchedulerWorldCase& world, std::ostream* out) { *out << world.name; }

inline std::string Describe(const SchedulerAnswer& answer) {
  if (const auto* parents = std::get_if<core::AnswerParents>(&answer)) {
    std::string text = "parents";
    for (const core::ParentInfo& each : parents->parents) text += " " + each.peer_id;
    return text;
  }
  if (std::holds_alternative<core::AnswerSource>(answer)) return "source";
  if (std::holds_alternative<core::AnswerEmpty>(answer)) return "empty";
  return std::get<core::RegistrationEnded>(answer).status.ok() ? "ended" : "ended badly";
}

inline core::AnswerParents ParentsNamed(const std::vector<std::string>& names) {
  core::AnswerParents answer;
  for (const std::string& name : names) {
    core::ParentInfo parent;
    parent.peer_id = name;
    parent.host_id = "host-" + name;
    parent.ip = "10.0.0.2";
    parent.port = 4000;
    answer.parents.push_back(std::move(parent));
  }
  return answer;
}

class SchedulerClientConformance : public ::testing::TestWithParam<SchedulerWorldCase> {
 protected:
  // A session and what it was answered. The session belongs to its executor.
  struct Near {
    std::unique_ptr<SchedulerSession> session;
    Record answers;
    std::atomic<bool> inside_open{false};
    std::atomic<bool> answered_inside_open{false};
    std::atomic<bool> answered_elsewhere{false};
  };

  SchedulerClientConformance() : world_(GetParam().make(runtime_)) {}
  ~SchedulerClientConformance() override {
    for (const auto& each : open_) {
      RunOn(each.second, [&] { each.first->session = nullptr; });
    }
    world_ = nullptr;
  }

  static common::id::TaskKey Key(char letter) {
    common::id::TaskKey key;
    key.id = std::string(64, letter);
    return key;
  }
  Registration Wanted(char letter = 'a') {
    Registration registration;
    registration.download = world_->download();
    registration.key = Key(letter);
    registration.peer_id = std::string("peer-") + letter;
    return registration;
  }
  std::shared_ptr<Near> Open(uint32_t attempt = 0, size_t core = 0, char letter = 'a') {
    auto near = std::make_shared<Near>();
    const common::async::Executor executor = runtime_.executor(core);
    open_.emplace_back(near, executor);
    RunOn(executor, [&] {
      near->inside_open = true;
      near->session = world_->client().Open(executor, Wanted(letter), attempt,
                                            [near, executor](const SchedulerAnswer& answer) {
                                              if (near->inside_open)
                                                near->answered_inside_open = true;
                                              if (!common::async::RunsHere(executor))
                                                near->answered_elsewhere = true;
                                              near->answers.Add(Describe(answer));
                                            });
      near->inside_open = false;
    });
    return near;
  }
  void OnItsExecutor(const std::function<void()>& what) { RunOn(runtime_.executor(0), what); }
  // Whatever was on its way when this was called has arrived: a session of its own goes there and
  // back.
  void RoundTrip() {
    const size_t number = open_.size();
    auto near = Open(0, 0, 'z');
    auto far = world_->Session(number);
    ASSERT_NE(far, nullptr);
    far->Answer(core::AnswerEmpty());
    ASSERT_EQ(near->answers.WaitFor(1).size(), 1U);
  }

  common::async::Runtime runtime_{2, "conform"};
  std::unique_ptr<SchedulerWorld> world_;
  std::vector<std::pair<std::shared_ptr<Near>, common::async::Executor>> open_;
};

using Lines = std::vector<std::string>;

TEST_P(SchedulerClientConformance, AnswersOnTheExecutorOfTheSessionAndNeverInsideOpen) {
  for (size_t core = 0; core < 2; ++core) {
    auto near = Open(0, core);
    auto far = world_->Session(core);
    ASSERT_NE(far, nullptr);
    far->Answer(ParentsNamed({"p1", "p2"}));
    EXPECT_EQ(near->answers.WaitFor(1), (Lines{"parents p1 p2"}));
    EXPECT_FALSE(near->answered_inside_open);
    EXPECT_FALSE(near->answered_elsewhere);
  }
}

TEST_P(SchedulerClientConformance, SaysInALaterTurnThatThereIsNoSuchScheduler) {
  EXPECT_EQ(world_->client().count(), 1U);
  auto near = Open(1);
  EXPECT_EQ(near->answers.WaitFor(1), (Lines{"ended badly"}));
  EXPECT_FALSE(near->answered_inside_open);
}

TEST_P(SchedulerClientConformance, DeliversEveryKindOfAnswerInOrder) {
  auto near = Open();
  auto far = world_->Session(0);
  ASSERT_NE(far, nullptr);
  far->Answer(ParentsNamed({"p1"}));
  far->Answer(core::AnswerSource());
  far->Answer(core::AnswerEmpty());
  far->Answer(ParentsNamed({"p2", "p3"}));
  EXPECT_EQ(near->answers.WaitFor(4), (Lines{"parents p1", "source", "empty", "parents p2 p3"}));
}

TEST_P(SchedulerClientConformance, ReportsArriveInTheOrderTheyWereMade) {
  auto near = Open();
  auto far = world_->Session(0);
  ASSERT_NE(far, nullptr);
  far->Answer(ParentsNamed({"p1", "p2"}));  // only parents that were named can be complained of
  ASSERT_EQ(near->answers.WaitFor(1).size(), 1U);
  OnItsExecutor([&] {
    near->session->Started();
    core::PieceInfo piece;
    piece.parent_id = "p1";
    piece.length = 1;
    for (core::PieceNumber number = 0; number < 3; ++number) {
      piece.number = number;
      near->session->PieceFinished(piece);
    }
    near->session->PieceFailed("p1", 7);
    near->session->Reschedule({"p1", "p2"}, "both are bad");
    near->session->SourceStarted("nobody else");
    near->session->End(true, absl::OkStatus());
  });
  EXPECT_EQ(far->heard().WaitFor(9),
            (Lines{"register", "started", "piece 0", "piece 1", "piece 2", "failed 7 of p1",
                   "reschedule p1 p2", "source started", "source end"}));
}

TEST_P(SchedulerClientConformance, TheEndIsHeardAlthoughTheSessionIsDestroyedAtOnce) {
  auto near = Open();
  OnItsExecutor([&] {
    near->session->Started();
    near->session->End(false, absl::OkStatus());
    near->session = nullptr;
  });
  auto far = world_->Session(0);
  ASSERT_NE(far, nullptr);
  EXPECT_EQ(far->heard().WaitFor(3), (Lines{"register", "started", "end"}));
}

TEST_P(SchedulerClientConformance, AnEndForAReasonIsHeardAsAFailure) {
  auto near = Open();
  auto far = world_->Session(0);
  ASSERT_NE(far, nullptr);
  OnItsExecutor([&] { near->session->End(false, absl::InternalError("disk")); });
  EXPECT_EQ(far->heard().WaitFor(2), (Lines{"register", "failed end"}));
}

TEST_P(SchedulerClientConformance, ASessionThatIsGivenUpIsHeardToBeGone) {
  auto near = Open();
  auto far = world_->Session(0);
  ASSERT_NE(far, nullptr);
  ASSERT_EQ(far->heard().WaitFor(1), (Lines{"register"}));
  OnItsExecutor([&] { near->session = nullptr; });
  EXPECT_EQ(far->heard().WaitFor(2), (Lines{"register", "gone"}));
}

TEST_P(SchedulerClientConformance, SaysNothingAfterTheSessionIsDestroyed) {
  auto near = Open();
  auto far = world_->Session(0);
  ASSERT_NE(far, nullptr);
  far->Answer(ParentsNamed({"p1"}));
  ASSERT_EQ(near->answers.WaitFor(1).size(), 1U);
  OnItsExecutor([&] { near->session = nullptr; });
  far->Answer(ParentsNamed({"p2"}));
  RoundTrip();
  EXPECT_EQ(near->answers.lines(), (Lines{"parents p1"}));
}

TEST_P(SchedulerClientConformance, SaysNothingAfterTheEndWasReported) {
  auto near = Open();
  auto far = world_->Session(0);
  ASSERT_NE(far, nullptr);
  OnItsExecutor([&] { near->session->End(false, absl::OkStatus()); });
  ASSERT_EQ(far->heard().WaitFor(2), (Lines{"register", "end"}));
  far->Answer(ParentsNamed({"p1"}));
  RoundTrip();
  EXPECT_TRUE(near->answers.lines().empty());
}

TEST_P(SchedulerClientConformance, ThatTheRegistrationEndedIsTheLastAnswer) {
  auto near = Open();
  auto far = world_->Session(0);
  ASSERT_NE(far, nullptr);
  far->Answer(ParentsNamed({"p1"}));
  core::RegistrationEnded ended;
  ended.status = absl::FailedPreconditionError("no more");
  far->Answer(ended);
  far->Answer(ParentsNamed({"p2"}));
  far->Answer(ended);
  ASSERT_EQ(near->answers.WaitFor(2).size(), 2U);
  OnItsExecutor([&] {  // must do no harm
    near->session->Started();
    near->session->End(false, absl::OkStatus());
  });
  RoundTrip();
  EXPECT_EQ(near->answers.lines(), (Lines{"parents p1", "ended badly"}));
}

TEST_P(SchedulerClientConformance, ASessionMayBeDestroyedInsideAnAnswer) {
  auto near = std::make_shared<Near>();
  const common::async::Executor executor = runtime_.executor(0);
  open_.emplace_back(near, executor);
  RunOn(executor, [&] {
    near->session = world_->client().Open(executor, Wanted(), 0, [near](const SchedulerAnswer& a) {
      near->session = nullptr;
      near->answers.Add(Describe(a));
    });
  });
  auto far = world_->Session(0);
  ASSERT_NE(far, nullptr);
  far->Answer(ParentsNamed({"p1"}));
  far->Answer(ParentsNamed({"p2"}));
  ASSERT_FALSE(near->answers.WaitFor(1).empty());
  RoundTrip();
  EXPECT_EQ(near->answers.lines(), (Lines{"parents p1"}));
}

TEST_P(SchedulerClientConformance, SessionsDoNotHearOneAnothersAnswers) {
  auto first = Open(0, 0, 'a');
  auto far_first = world_->Session(0);
  auto second = Open(0, 1, 'b');
  auto far_second = world_->Session(1);
  ASSERT_NE(far_first, nullptr);
  ASSERT_NE(far_second, nullptr);
  far_second->Answer(ParentsNamed({"p2"}));
  far_first->Answer(ParentsNamed({"p1"}));
  EXPECT_EQ(first->answers.WaitFor(1), (Lines{"parents p1"}));
  EXPECT_EQ(second->answers.WaitFor(1), (Lines{"parents p2"}));
}

TEST_P(SchedulerClientConformance, CallsOfACancelledScopeEndWithItsStatus) {
  absl::Status deleted;
  absl::Status stat;
  // A plain function pointer: a capturing lambda may not be a coroutine.
  const auto ask = [](SchedulerClient* client, common::async::Executor executor, absl::Status* out,
                      absl::Status* out_stat) -> common::async::Co<void> {
    common::async::CancelScope scope(executor, absl::InfiniteDuration());
    scope.Cancel(absl::CancelledError("the caller went away"));
    *out = co_await client->DeleteTask(scope, Key('a'), common::trace::SpanContext());
    auto answer = co_await client->StatTask(scope, Key('a'), common::trace::SpanContext());
    *out_stat = answer.status();
  };
  common::async::RunToEnd(runtime_.executor(1), [&] {
    return ask(&world_->client(), runtime_.executor(1), &deleted, &stat);
  });
  EXPECT_TRUE(absl::IsCancelled(deleted)) << deleted;
  EXPECT_TRUE(absl::IsCancelled(stat)) << stat;
}

inline std::string SchedulerWorldName(const ::testing::TestParamInfo<SchedulerWorldCase>& info) {
  return info.param.name;
}

}  // namespace dragonfly::dfdaemon::node::testing
