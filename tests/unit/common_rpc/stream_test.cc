#include <set>

#include "common/status/reason.h"
#include "tests/unit/common_rpc/rpc_test_util.h"

namespace dragonfly::common::rpc {
namespace {

using Handler = RecordingHandler<AnnounceRequest>;
using StreamTest = RpcTest;

TEST_F(StreamTest, MessagesGoBothWaysAndFinishEndsTheCall) {
  auto handler = std::make_shared<Handler>();
  scheduler_.open = [&](TestScheduler::Stream stream) {
    handler->on_message = [stream](const AnnounceRequest& request) {
      EXPECT_TRUE(stream->Write(Answer()).ok());
      stream->Consumed(1);
      if (request.task_id() == "last") stream->Finish(absl::OkStatus());
    };
    return handler;
  };
  StartServer();
  Run([&]() -> async::Co<void> {
    async::CancelScope scope(executor(), absl::Seconds(30));
    auto call = Announce();
    for (const char* task : {"first", "second", "last"}) {
      absl::Status sent = co_await call->Write(scope, ValidAnnounce(task));
      EXPECT_TRUE(sent.ok()) << sent;
      absl::StatusOr<AnnounceResponse> answer = co_await call->Read(scope);
      EXPECT_TRUE(answer.ok()) << answer.status();
    }
    // The client has not half-closed, and must not have to.
    absl::StatusOr<AnnounceResponse> end = co_await call->Read(scope);
    EXPECT_TRUE(absl::IsOutOfRange(end.status())) << end.status();
    absl::Status finished = co_await call->Finished(scope);
    EXPECT_TRUE(finished.ok()) << finished;
    absl::Status late = co_await call->Write(scope, ValidAnnounce());
    EXPECT_TRUE(absl::IsCancelled(late)) << late;
  });
  EXPECT_TRUE(handler->WaitFor("done"));
  EXPECT_EQ(handler->Count("cancel"), 0);
  EXPECT_EQ(handler->Count("half-close"), 0);
  EXPECT_EQ(handler->Count("message"), 3);
  handler->on_message = nullptr;
}

// Upstream clients give up when the headers take longer than 10 s, whatever comes later.
TEST_F(StreamTest, HeadersComeBeforeAnyMessage) {
  auto handler = std::make_shared<Handler>();
  TestScheduler::Stream stream;
  scheduler_.open = [&](TestScheduler::Stream opened) {
    stream = std::move(opened);
    return handler;
  };
  scheduler_.options.extensions = {kKeepalive, kStripes};
  StartServer();
  Run([&]() -> async::Co<void> {
    async::CancelScope scope(executor(), absl::Seconds(30));
    CallOptions options;
    options.extensions = {kStripes, kBlocks};
    auto call = Announce(options);
    absl::StatusOr<ExtensionSet> agreed = co_await call->Extensions(scope);
    EXPECT_TRUE(agreed.ok()) << agreed.status();
    EXPECT_EQ(agreed->ToString(), "stripes/1");
  });
  EXPECT_EQ(stream->info().extensions.ToString(), "stripes/1");
  EXPECT_TRUE(handler->WaitFor("cancel")) << "the client's hold is gone";
  EXPECT_TRUE(handler->WaitFor("done"));
}

TEST_F(StreamTest, NoExtensionKeyIsSentWhenThereIsNothingInCommon) {
  scheduler_.open = [&](const TestScheduler::Stream& stream) {
    stream->Finish(absl::OkStatus());
    return std::make_shared<Handler>();
  };
  scheduler_.options.extensions = {kKeepalive};
  StartServer();
  for (const char* offered : {"", "blocks/1"}) {
    ::grpc::ClientContext context;
    if (*offered != '\0') context.AddMetadata("df-ext", offered);
    auto stream = scheduler_stub_->AnnouncePeer(&context);
    AnnounceResponse response;
    EXPECT_FALSE(stream->Read(&response));
    EXPECT_TRUE(stream->Finish().ok());
    EXPECT_EQ(context.GetServerInitialMetadata().count("df-ext"), 0u);
    EXPECT_EQ(context.GetServerTrailingMetadata().count("df-reason"), 0u);
  }
}

TEST_F(StreamTest, TraceContextAndPeerReachTheHandler) {
  CallInfo seen;
  scheduler_.open = [&](const TestScheduler::Stream& stream) {
    seen = stream->info();
    stream->Finish(absl::OkStatus());
    return std::make_shared<Handler>();
  };
  StartServer();
  Run([&]() -> async::Co<void> {
    async::CancelScope scope(executor(), absl::Seconds(30));
    CallOptions options;
    options.trace = *trace::SpanContext::Parse(
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "vendor=a,other=b");
    auto call = Announce(options);
    absl::Status finished = co_await call->Finished(scope);
    EXPECT_TRUE(finished.ok()) << finished;
  });
  EXPECT_EQ(seen.trace,
            *trace::SpanContext::Parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                                       "vendor=a,other=b"));
  EXPECT_TRUE(seen.peer.starts_with("ipv4:127.0.0.1:")) << seen.peer;
  EXPECT_FALSE(seen.credentials.has_value());
  EXPECT_EQ(seen.deadline, absl::InfiniteFuture());
}

TEST_F(StreamTest, AnErrorArrivesWithItsReason) {
  scheduler_.open = [&](const TestScheduler::Stream& stream) {
    stream->Finish(status::MakeStatus(absl::StatusCode::kFailedPrecondition,
                                      status::ErrorReason::kNoParents, "nobody has it"));
    return std::shared_ptr<Handler>();
  };
  StartServer();
  Run([&]() -> async::Co<void> {
    async::CancelScope scope(executor(), absl::Seconds(30));
    auto call = Announce();
    absl::StatusOr<AnnounceResponse> answer = co_await call->Read(scope);
    EXPECT_EQ(answer.status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(answer.status().message(), "nobody has it");
    EXPECT_EQ(status::ReasonOf(answer.status()), status::ErrorReason::kNoParents);
  });
}

TEST_F(StreamTest, Sec_B14_AnInvalidMessageEndsTheStreamAndNeverReachesTheHandler) {
  auto handler = std::make_shared<Handler>();
  scheduler_.open = [&](const TestScheduler::Stream& stream) {
    handler->on_message = [stream](const AnnounceRequest&) { stream->Consumed(1); };
    return handler;
  };
  StartServer();
  Run([&]() -> async::Co<void> {
    async::CancelScope scope(executor(), absl::Seconds(30));
    auto call = Announce();
    absl::Status sent = co_await call->Write(scope, ValidAnnounce());
    EXPECT_TRUE(sent.ok());
    AnnounceRequest invalid = ValidAnnounce();
    invalid.clear_peer_id();
    sent = co_await call->Write(scope, invalid);
    EXPECT_TRUE(sent.ok());
    absl::StatusOr<AnnounceResponse> answer = co_await call->Read(scope);
    EXPECT_TRUE(absl::IsInvalidArgument(answer.status())) << answer.status();
    EXPECT_NE(answer.status().message().find("peer_id"), absl::string_view::npos);
  });
  EXPECT_TRUE(handler->WaitFor("done"));
  EXPECT_EQ(handler->Count("message"), 1);
  handler->on_message = nullptr;
}

TEST_F(StreamTest, HalfCloseIsToldAndTheServerMayGoOn) {
  auto handler = std::make_shared<Handler>();
  scheduler_.open = [&](const TestScheduler::Stream& stream) {
    handler->on_half_close = [stream] {
      EXPECT_TRUE(stream->Write(Answer()).ok());
      stream->Finish(absl::OkStatus());
    };
    return handler;
  };
  StartServer();
  Run([&]() -> async::Co<void> {
    async::CancelScope scope(executor(), absl::Seconds(30));
    auto call = Announce();
    call->HalfClose();
    absl::StatusOr<AnnounceResponse> answer = co_await call->Read(scope);
    EXPECT_TRUE(answer.ok()) << answer.status();
    absl::Status finished = co_await call->Finished(scope);
    EXPECT_TRUE(finished.ok());
  });
  EXPECT_TRUE(handler->WaitFor("done"));
  handler->on_half_close = nullptr;
}

// The peer can have no more in flight than the window; it goes on when messages are worked off.
TEST_F(StreamTest, TheServerReadsNoFurtherThanItsWindow) {
  auto handler = std::make_shared<Handler>();
  TestScheduler::Stream stream;
  scheduler_.options.max_unconsumed = 3;
  scheduler_.open = [&](TestScheduler::Stream opened) {
    stream = std::move(opened);
    return handler;
  };
  StartServer();
  Run([&]() -> async::Co<void> {
    async::CancelScope scope(executor(), absl::Seconds(30));
    auto call = Announce();
    for (int i = 0; i < 10; ++i) {
      absl::Status sent = co_await call->Write(scope, ValidAnnounce());
      EXPECT_TRUE(sent.ok());
    }
    EXPECT_TRUE(handler->WaitFor("message", 3));
    absl::Status slept = co_await async::Sleep(scope, absl::Milliseconds(50));
    EXPECT_TRUE(slept.ok());
    EXPECT_EQ(handler->Count("message"), 3);
    stream->Consumed(2);
    EXPECT_TRUE(handler->WaitFor("message", 5));
    EXPECT_EQ(handler->Count("message"), 5);
    stream->Consumed(100);
    EXPECT_TRUE(handler->WaitFor("message", 8));
    stream->Finish(absl::OkStatus());
    absl::Status finished = co_await call->Finished(scope);
    EXPECT_TRUE(finished.ok()) << finished;
  });
}

// A peer that does not read costs a bounded queue, and its stream ends all the same.
TEST_F(StreamTest, AWriteToAPeerThatDoesNotReadIsRefusedWhenTheQueueIsFull) {
  auto handler = std::make_shared<Handler>();
  TestScheduler::Stream stream;
  scheduler_.options.max_outgoing = 8;
  scheduler_.options.finish_linger = absl::Milliseconds(50);
  scheduler_.open = [&](TestScheduler::Stream opened) {
    stream = std::move(opened);
    return handler;
  };
  StartServer();
  Run([&]() -> async::Co<void> {
    async::CancelScope scope(executor(), absl::Seconds(30));
    CallOptions options;
    options.max_incoming = 1;
    auto call = Announce(options);
    absl::StatusOr<ExtensionSet> open = co_await call->Extensions(scope);
    EXPECT_TRUE(open.ok());
    AnnounceResponse big = Answer();
    auto* parent = big.mutable_normal_task_response()->add_candidate_parents();
    parent->set_id(std::string(500'000, 'x'));
    absl::Status written;
    int accepted = 0;
    while (written.ok() && accepted < 100) {
      written = stream->Write(big);
      if (written.ok()) ++accepted;
    }
    EXPECT_TRUE(absl::IsResourceExhausted(written)) << written;
    EXPECT_EQ(status::ReasonOf(written), status::ErrorReason::kOverloaded);
    // Reading makes room again.
    for (int i = 0; i < accepted; ++i) {
      absl::StatusOr<AnnounceResponse> answer = co_await call->Read(scope);
      EXPECT_TRUE(answer.ok()) << answer.status();
    }
    EXPECT_TRUE(handler->WaitFor("writable"));
    written = absl::OkStatus();
    for (int i = 0; i < 100 && written.ok(); ++i) written = stream->Write(big);
    stream->Finish(absl::OkStatus());
    EXPECT_TRUE(handler->WaitFor("done")) << "the linger has an end";
  });
  EXPECT_TRUE(absl::IsCancelled(stream->Write(Answer())));
}

TEST_F(StreamTest, ClientsThatVanishAreTold) {
  auto handler = std::make_shared<Handler>();
  scheduler_.open = [&](const TestScheduler::Stream&) { return handler; };
  StartServer();
  Run([&]() -> async::Co<void> {
    async::CancelScope scope(executor(), absl::Seconds(30));
    auto call = Announce();
    absl::Status sent = co_await call->Write(scope, ValidAnnounce());
    EXPECT_TRUE(sent.ok());
    EXPECT_TRUE(handler->WaitFor("message"));
    call.reset();
  });
  EXPECT_TRUE(handler->WaitFor("cancel"));
  EXPECT_TRUE(handler->WaitFor("done"));
  EXPECT_EQ(handler->Count("half-close"), 0);
}

TEST_F(StreamTest, AServerThatShutsDownEndsItsStreams) {
  auto handler = std::make_shared<Handler>();
  scheduler_.open = [&](const TestScheduler::Stream&) { return handler; };
  StartServer();
  Run([&]() -> async::Co<void> {
    async::CancelScope scope(executor(), absl::Seconds(30));
    auto call = Announce();
    absl::StatusOr<ExtensionSet> open = co_await call->Extensions(scope);
    EXPECT_TRUE(open.ok());
    std::thread shutdown([this] { server_->Shutdown(absl::ZeroDuration()); });
    absl::StatusOr<AnnounceResponse> answer = co_await call->Read(scope);
    EXPECT_FALSE(answer.ok());
    EXPECT_FALSE(scope.cancelled());
    shutdown.join();
  });
  EXPECT_EQ(handler->Count("done"), 1);
}

// An upstream child sends grpc-timeout on streams that live as long as a task.
TEST_F(StreamTest, AClientsTimeoutHeaderEndsNothingUnlessAskedTo) {
  for (bool enforce : {true, false}) {
    auto handler = std::make_shared<Handler>();
    TestScheduler::Stream stream;
    scheduler_.open = [&](TestScheduler::Stream opened) {
      stream = std::move(opened);
      return handler;
    };
    ServerOptions options;
    options.limits.enforce_client_deadlines = enforce;
    StartServer(options);
    ::grpc::ClientContext context;
    context.AddMetadata("grpc-timeout", "100m");
    auto call = scheduler_stub_->AnnouncePeer(&context);
    AnnounceResponse response;
    if (enforce) {
      EXPECT_FALSE(call->Read(&response));
      EXPECT_EQ(call->Finish().error_code(), ::grpc::StatusCode::DEADLINE_EXCEEDED);
      EXPECT_TRUE(handler->WaitFor("done"));
    } else {
      std::thread later([&] {
        // Longer than the timeout, which then had its chance.
        std::this_thread::sleep_for(std::chrono::milliseconds(300));
        EXPECT_TRUE(stream->Write(Answer()).ok());
        stream->Finish(absl::OkStatus());
      });
      EXPECT_TRUE(call->Read(&response));
      EXPECT_TRUE(call->Finish().ok());
      later.join();
    }
    server_->Shutdown(absl::ZeroDuration());
  }
}

TEST_F(StreamTest, ManyStreamsFromManyThreadsLoseNothing) {
  scheduler_.open = [](TestScheduler::Stream stream) {
    auto handler = std::make_shared<Handler>();
    std::weak_ptr<Handler> weak = handler;
    auto left = std::make_shared<int>(50);
    handler->on_message = [stream = std::move(stream), left](const AnnounceRequest&) {
      EXPECT_TRUE(stream->Write(Answer()).ok());
      stream->Consumed(1);
      if (--*left == 0) stream->Finish(absl::OkStatus());
    };
    return handler;
  };
  StartServer();
  Run([&]() -> async::Co<void> {
    async::CancelScope scope(executor(), absl::Minutes(1));
    async::TaskGroup group(executor());
    int answers = 0;
    auto one = [&]() -> async::Co<void> {
      auto call = Announce();
      for (int i = 0; i < 50; ++i) {
        absl::Status sent = co_await call->Write(scope, ValidAnnounce());
        EXPECT_TRUE(sent.ok()) << sent;
      }
      while (true) {
        absl::StatusOr<AnnounceResponse> answer = co_await call->Read(scope);
        if (!answer.ok()) {
          EXPECT_TRUE(absl::IsOutOfRange(answer.status())) << answer.status();
          co_return;
        }
        ++answers;
      }
    };
    for (int i = 0; i < 40; ++i) group.Spawn(one());
    co_await group.Join();
    EXPECT_EQ(answers, 40 * 50);
  });
}

TEST_F(StreamTest, AServerStreamSendsEverythingAndTheStatusLast) {
  upload_.open = [](const TestUpload::Stream& stream, const PiecesRequest& request) {
    for (uint32_t number : request.interested_piece_numbers()) {
      PiecesResponse response;
      response.set_number(number);
      EXPECT_TRUE(stream->Write(std::move(response)).ok());
    }
    stream->Finish(absl::OkStatus());
    return std::make_shared<StreamEvents>();
  };
  StartServer();
  Run([&]() -> async::Co<void> {
    async::CancelScope scope(executor(), absl::Seconds(30));
    PiecesRequest request;
    request.set_host_id("host");
    request.set_task_id("task");
    for (uint32_t i = 0; i < 100; ++i) request.add_interested_piece_numbers(i);
    CallOptions options;
    options.max_incoming = 4;
    auto call =
        ClientReader<PiecesResponse>::Start(executor(), options, [&](auto* context, auto* reactor) {
          upload_stub_->async()->SyncPieces(context, &request, reactor);
        });
    for (uint32_t i = 0; i < 100; ++i) {
      absl::StatusOr<PiecesResponse> piece = co_await call->Read(scope);
      EXPECT_TRUE(piece.ok()) << piece.status();
      if (piece.ok()) {
        EXPECT_EQ(piece->number(), i);
      }
    }
    absl::StatusOr<PiecesResponse> end = co_await call->Read(scope);
    EXPECT_TRUE(absl::IsOutOfRange(end.status())) << end.status();
  });
}

TEST_F(StreamTest, Sec_B14_AnInvalidRequestOfAServerStreamIsRefused) {
  upload_.open = [](const TestUpload::Stream&, const PiecesRequest&) {
    ADD_FAILURE() << "an invalid request reached the handler";
    return std::shared_ptr<StreamEvents>();
  };
  StartServer();
  ::grpc::ClientContext context;
  auto call = upload_stub_->SyncPieces(&context, PiecesRequest());
  PiecesResponse response;
  EXPECT_FALSE(call->Read(&response));
  EXPECT_EQ(call->Finish().error_code(), ::grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(StreamTest, AClientStreamDeliversEachMessageAndItsEnd) {
  auto handler = std::make_shared<RecordingHandler<KeepAliveRequest>>();
  manager_.open = [&](const std::shared_ptr<ServerStream<Empty>>& stream) {
    handler->on_message = [stream](const KeepAliveRequest&) {
      EXPECT_TRUE(absl::IsFailedPrecondition(stream->Write(Empty())));
      stream->Consumed(1);
    };
    handler->on_half_close = [stream] { stream->Finish(absl::OkStatus()); };
    return handler;
  };
  StartServer();
  Empty nothing;
  Run([&]() -> async::Co<void> {
    async::CancelScope scope(executor(), absl::Seconds(30));
    auto call = ClientWriter<KeepAliveRequest>::Start(
        executor(), CallOptions(), [&](auto* context, auto* reactor) {
          manager_stub_->async()->KeepAlive(context, &nothing, reactor);
        });
    KeepAliveRequest request;
    request.set_hostname("host");
    request.set_cluster_id(1);
    request.set_ip("10.0.0.1");
    for (int i = 0; i < 3; ++i) {
      absl::Status sent = co_await call->Write(scope, request);
      EXPECT_TRUE(sent.ok()) << sent;
    }
    call->HalfClose();
    absl::Status finished = co_await call->Finished(scope);
    EXPECT_TRUE(finished.ok()) << finished;
  });
  EXPECT_TRUE(handler->WaitFor("done"));
  EXPECT_EQ(handler->Count("message"), 3);
  handler->on_message = nullptr;
  handler->on_half_close = nullptr;
}

}  // namespace
}  // namespace dragonfly::common::rpc
