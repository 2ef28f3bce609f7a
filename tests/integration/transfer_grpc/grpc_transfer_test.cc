// What the piece RPCs do beyond the suite of all transports.

#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/security/credentials.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <future>
#include <optional>
#include <string>
#include <thread>

#include "absl/time/clock.h"
#include "common/async/task_group.h"
#include "common/rpc/served_methods.h"
#include "common/status/reason.h"
#include "dfdaemon/transfer/testing/fake_piece_client.h"
#include "dfdaemon/transfer/testing/memory_provider.h"
#include "dfdaemon/transfer/testing/recording_sink.h"
#include "proto/dfdaemon_v2.grpc.pb.h"
#include "tests/integration/transfer_grpc/grpc_world.h"
#include "tests/integration/transfer_grpc/stuck_child.h"

namespace dragonfly::dfdaemon::transfer::grpc::testing {
namespace {

namespace v2 = ::dfdaemon::v2;
using common::id::TaskKind;
using common::status::ErrorReason;
using common::status::ReasonOf;
using transfer::testing::FakePieceClient;
using transfer::testing::FetchNow;
using transfer::testing::MemoryPiece;
using transfer::testing::MemoryProvider;
using transfer::testing::PieceFor;
using transfer::testing::RecordingSink;
using transfer::testing::RequestFor;

void WaitUntil(const std::function<bool()>& condition) {
  const absl::Time deadline = absl::Now() + absl::Seconds(30);
  while (!condition() && absl::Now() < deadline) absl::SleepFor(absl::Milliseconds(1));
  ASSERT_TRUE(condition());
}

class GrpcTransfer : public ::testing::Test {
 protected:
  std::vector<common::async::Executor> Executors() const {
    return {runtime_.executor(0), runtime_.executor(1)};
  }
  Parent& Serve(GrpcPieceServerOptions options = {}) {
    parent_.emplace(options, Executors(), provider_);
    return *parent_;
  }
  PieceRequest Offer(core::PieceNumber number, uint64_t length) {
    const PieceRequest request = RequestFor(TaskKind::kStandard, number, length);
    provider_.Put(request.key, request.number, PieceFor(request));
    return request;
  }
  absl::Status Fetch(Child& child, const common::net::Endpoint& parent, const PieceRequest& request,
                     PieceSink& sink) {
    PieceTarget target;
    target.endpoint = parent;
    return FetchNow(runtime_.executor(0), child.client(), target, request, sink);
  }

  common::async::Runtime runtime_{2, "grpc"};
  MemoryProvider provider_;
  std::optional<Parent> parent_;
};

// A parent of another make: answers what it is told to, or knows no piece RPC at all.
class OtherParent {
 public:
  using Answer = std::function<::grpc::Status(v2::DownloadPieceResponse&)>;
  explicit OtherParent(Answer answer, uint64_t max_bytes = uint64_t{64} << 20)
      : service_(std::move(answer)) {
    auto server = common::rpc::Server::Start(Loopback(max_bytes), {&service_});
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = std::move(*server);
  }
  ~OtherParent() { server_->Shutdown(absl::ZeroDuration()); }
  common::net::Endpoint endpoint() const { return server_->endpoints().front(); }

 private:
  class Service final
      : public common::rpc::OnlyMarked<v2::DfdaemonUpload::WithCallbackMethod_DownloadPiece<
            common::rpc::AllMethods<v2::DfdaemonUpload>>> {
   public:
    explicit Service(Answer answer) : answer_(std::move(answer)) {}
    ::grpc::ServerUnaryReactor* DownloadPiece(::grpc::CallbackServerContext* context,
                                              const v2::DownloadPieceRequest*,
                                              v2::DownloadPieceResponse* response) override {
      auto* reactor = context->DefaultReactor();
      reactor->Finish(answer_ ? answer_(*response)
                              : ::grpc::Status(::grpc::StatusCode::UNIMPLEMENTED, ""));
      return reactor;
    }
    Answer answer_;
  };
  Service service_;
  std::unique_ptr<common::rpc::Server> server_;
};

void FillHonestly(const PieceRequest& request, v2::DownloadPieceResponse& response) {
  const MemoryPiece honest = PieceFor(request);
  auto* piece = response.mutable_piece();
  piece->set_number(request.number);
  piece->set_offset(request.offset);
  piece->set_length(request.length);
  piece->set_digest("crc32:" + std::to_string(*honest.head.crc32));
  piece->set_content(
      std::string(reinterpret_cast<const char*>(honest.bytes.data()), honest.bytes.size()));
}

TEST_F(GrpcTransfer, AnyClientReadsTheAnswerAsProtobuf) {
  const PieceRequest request = Offer(3, 600001);
  const auto channel =
      ::grpc::CreateChannel(Serve().endpoint().ToString(), ::grpc::InsecureChannelCredentials());
  v2::DownloadPieceRequest question;
  question.set_host_id("h");
  question.set_task_id(request.key.id);
  question.set_piece_number(3);
  v2::DownloadPieceResponse typed;
  ::grpc::ClientContext context;
  const ::grpc::Status status =
      v2::DfdaemonUpload::NewStub(channel)->DownloadPiece(&context, question, &typed);
  ASSERT_TRUE(status.ok()) << status.error_message();
  const MemoryPiece piece = PieceFor(request);
  EXPECT_EQ(typed.piece().number(), 3u);
  EXPECT_EQ(typed.piece().length(), 600001u);
  EXPECT_EQ(typed.piece().digest(), "crc32:" + std::to_string(*piece.head.crc32));
  EXPECT_EQ(typed.piece().parent_id(), piece.head.parent_id);
  EXPECT_TRUE(typed.has_digest());
  ASSERT_EQ(typed.piece().content().size(), piece.bytes.size());
  EXPECT_EQ(memcmp(typed.piece().content().data(), piece.bytes.data(), piece.bytes.size()), 0);
  // And the bytes on the wire are those that protobuf makes of it.
  ::grpc::Slice slice(question.SerializeAsString());
  ::grpc::ByteBuffer raw_question(&slice, 1);
  ::grpc::ByteBuffer raw;
  ::grpc::ClientContext raw_context;
  std::promise<bool> done;
  ::grpc::GenericStub(channel).UnaryCall(
      &raw_context, "/dfdaemon.v2.DfdaemonUpload/DownloadPiece", ::grpc::StubOptions(),
      &raw_question, &raw, [&done](const ::grpc::Status& end) { done.set_value(end.ok()); });
  ASSERT_TRUE(done.get_future().get());
  ::grpc::Slice whole;
  ASSERT_TRUE(raw.DumpToSingleSlice(&whole).ok());
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(whole.begin()), whole.size()),
            typed.SerializeAsString());
}

TEST_F(GrpcTransfer, RequestsAreValidatedLikeAllOthers) {
  const auto channel =
      ::grpc::CreateChannel(Serve().endpoint().ToString(), ::grpc::InsecureChannelCredentials());
  const auto stub = v2::DfdaemonUpload::NewStub(channel);
  const auto ask = [&](auto method, auto question, auto response) {
    ::grpc::ClientContext context;
    return ((*stub).*method)(&context, question, &response).error_code();
  };
  using Stub = v2::DfdaemonUpload::Stub;
  EXPECT_EQ(ask(&Stub::DownloadPiece, v2::DownloadPieceRequest(), v2::DownloadPieceResponse()),
            ::grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(ask(&Stub::DownloadPersistentPiece, v2::DownloadPersistentPieceRequest(),
                v2::DownloadPersistentPieceResponse()),
            ::grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(ask(&Stub::DownloadPersistentCachePiece, v2::DownloadPersistentCachePieceRequest(),
                v2::DownloadPersistentCachePieceResponse()),
            ::grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(parent_->stats().invalid_requests, 3u);
}

TEST_F(GrpcTransfer, AParentOfAnotherMakeIsUnderstood) {
  const PieceRequest request = RequestFor(TaskKind::kStandard, 2, 300000);
  OtherParent parent([&](v2::DownloadPieceResponse& response) {
    FillHonestly(request, response);
    return ::grpc::Status::OK;
  });
  Child child;
  RecordingSink sink;
  const absl::Status status = Fetch(child, parent.endpoint(), request, sink);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(sink.bytes, PieceFor(request).bytes);
}

TEST_F(GrpcTransfer, Sec_D30_LiesAreRefusedBeforeTheSinkSeesThem) {
  const PieceRequest request = RequestFor(TaskKind::kStandard, 2, 3000);
  const auto lie = [&](const std::function<void(v2::DownloadPieceResponse&)>& change) {
    OtherParent parent([&](v2::DownloadPieceResponse& response) {
      FillHonestly(request, response);
      change(response);
      return ::grpc::Status::OK;
    });
    Child child;
    RecordingSink sink;
    const absl::Status status = Fetch(child, parent.endpoint(), request, sink);
    EXPECT_EQ(ReasonOf(status), ErrorReason::kParentProtocol) << status;
    EXPECT_FALSE(sink.head.has_value());
    EXPECT_EQ(child.client().stats().protocol_violations, 1u);
  };
  lie([](v2::DownloadPieceResponse& response) {
    response.mutable_piece()->mutable_content()->pop_back();
  });
  lie([](v2::DownloadPieceResponse& response) {
    response.mutable_piece()->mutable_content()->append("x");
  });
  lie([](v2::DownloadPieceResponse& response) { response.mutable_piece()->clear_content(); });
  lie([](v2::DownloadPieceResponse& response) { response.clear_piece(); });
  lie([](v2::DownloadPieceResponse& response) {
    response.mutable_piece()->set_digest("sha256:00");
  });
  lie([](v2::DownloadPieceResponse& response) { response.set_digest("crc32:7"); });
  lie([](v2::DownloadPieceResponse& response) { response.mutable_piece()->set_number(3); });
}

TEST_F(GrpcTransfer, Sec_D29_AnAnswerLongerThanAnyPieceIsRefused) {
  const PieceRequest request = RequestFor(TaskKind::kStandard, 0, 1000);
  OtherParent parent([&](v2::DownloadPieceResponse& response) {
    FillHonestly(request, response);
    response.mutable_piece()->set_content(std::string(3 << 20, 'x'));
    return ::grpc::Status::OK;
  });
  GrpcPieceClientOptions options = Child::Named();
  options.max_piece_bytes = 1 << 20;
  Child child(options);
  RecordingSink sink;
  const absl::Status status = Fetch(child, parent.endpoint(), request, sink);
  EXPECT_EQ(ReasonOf(status), ErrorReason::kParentProtocol) << status;
  EXPECT_FALSE(sink.head.has_value());
}

TEST_F(GrpcTransfer, AParentWithoutTheRpcsIsLeftToTheOtherTransport) {
  int asked = 0;
  OtherParent parent([&asked](v2::DownloadPieceResponse&) {
    ++asked;
    return ::grpc::Status(::grpc::StatusCode::UNIMPLEMENTED, "no such method");
  });
  const PieceRequest request = Offer(1, 5000);
  FakePieceClient other;
  other.AddParent(parent.endpoint(), provider_);
  Child child(Child::Named(), &other);
  for (int i = 0; i < 3; ++i) {
    RecordingSink sink;
    const absl::Status status = Fetch(child, parent.endpoint(), request, sink);
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_EQ(sink.bytes, PieceFor(request).bytes);
  }
  EXPECT_EQ(asked, 1);
  EXPECT_EQ(child.client().stats().left_to_other_transport, 3u);

  Child alone;
  RecordingSink sink;
  EXPECT_EQ(ReasonOf(Fetch(alone, parent.endpoint(), request, sink)), ErrorReason::kParentRefused);
}

TEST_F(GrpcTransfer, AServerThatStopsBeforeTheMessageIsThroughEndsTheFetch) {
  const PieceRequest request = RequestFor(TaskKind::kStandard, 1, 5000);
  provider_.PutPending(request.key, request.number);
  const common::net::Endpoint endpoint = Serve().endpoint();
  std::thread stopper([this] {
    WaitUntil([this] { return provider_.waiting() == 1; });
    parent_.reset();
  });
  Child child;
  RecordingSink sink;
  const absl::Status status = Fetch(child, endpoint, request, sink);
  stopper.join();
  EXPECT_EQ(ReasonOf(status), ErrorReason::kParentUnreachable) << status;
  EXPECT_FALSE(sink.head.has_value());
  EXPECT_EQ(provider_.waiting(), 0);
}

TEST_F(GrpcTransfer, MessagesThatAreBeingSentNeverTakeMoreThanTheirBudget) {
  GrpcPieceServerOptions options;
  options.max_bytes_in_flight = 3 << 20;
  options.memory_timeout = absl::Milliseconds(200);
  Parent& parent = Serve(options);
  const PieceRequest large = Offer(0, 2 << 20);
  const PieceRequest small = Offer(1, 1 << 20);
  auto stuck = std::make_unique<StuckChild>(parent.endpoint(), large.key.id, large.number);
  WaitUntil([this] { return provider_.bytes_admitted() >= (2u << 20); });
  Child child;
  // Two more are too much, and are told so when nothing has become free; what fits is served.
  WaitUntil([&] {
    RecordingSink sink;
    return ReasonOf(Fetch(child, parent.endpoint(), large, sink)) == ErrorReason::kParentRefused;
  });
  EXPECT_GE(parent.stats().refused_memory, 1u);
  RecordingSink fits;
  const absl::Status served = Fetch(child, parent.endpoint(), small, fits);
  EXPECT_TRUE(served.ok()) << served;
  // The one that holds it goes away.
  stuck.reset();
  WaitUntil([this] { return provider_.open_pieces() == 0; });
  RecordingSink sink;
  const absl::Status status = Fetch(child, parent.endpoint(), large, sink);
  EXPECT_TRUE(status.ok()) << status;
}

TEST_F(GrpcTransfer, AChildThatDoesNotReadIsCut) {
  GrpcPieceServerOptions options;
  options.send_grace = absl::Milliseconds(100);
  options.min_bytes_per_second = uint64_t{1} << 40;
  Parent& parent = Serve(options);
  const PieceRequest request = Offer(0, 1 << 20);
  const StuckChild stuck(parent.endpoint(), request.key.id, request.number);
  WaitUntil([&] { return parent.stats().cut_slow == 1; });
  WaitUntil([this] { return provider_.open_pieces() == 0; });
  EXPECT_EQ(provider_.bytes_sent(), 0u);
}

TEST_F(GrpcTransfer, FetchesWaitForMemoryInsteadOfTakingIt) {
  GrpcPieceClientOptions options = Child::Named();
  options.max_bytes_in_flight = 1 << 20;
  Child child(options);
  std::vector<PieceRequest> requests;
  for (core::PieceNumber number = 0; number < 8; ++number)
    requests.push_back(Offer(number, 700000));
  PieceTarget target;
  target.endpoint = Serve().endpoint();
  int at_once = 0;
  int most = 0;
  std::vector<RecordingSink> sinks(requests.size());
  common::async::RunToEnd(runtime_.executor(0), [&]() -> common::async::Co<void> {
    common::async::CancelScope scope(runtime_.executor(0), absl::Minutes(1));
    common::async::TaskGroup group(runtime_.executor(0));
    auto fetch = [&](size_t i) -> common::async::Co<void> {
      bool begun = false;
      sinks[i].on_bytes = [&] {
        if (!begun) most = std::max(most, ++at_once);
        begun = true;
        return absl::OkStatus();
      };
      absl::Status status = co_await child.client().Fetch(scope, target, requests[i], sinks[i]);
      EXPECT_TRUE(status.ok()) << status;
      --at_once;
    };
    for (size_t i = 0; i < requests.size(); ++i) group.Spawn(fetch(i));
    co_await group.Join();
  });
  EXPECT_EQ(most, 1);
}

}  // namespace
}  // namespace dragonfly::dfdaemon::transfer::grpc::testing
