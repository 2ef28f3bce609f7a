#include "dfdaemon/node/scheduler_messages.h"

#include "common/status/reason.h"
#include "common/status/strings.h"
#include "gtest/gtest.h"
#include "proto/rules/validate.h"

namespace dragonfly::dfdaemon::node {
namespace {

using common::status::ErrorReason;
using common::status::MakeStatus;
using common::status::ReasonOf;
using Request = SchedulerMessages::Request;
using Response = SchedulerMessages::Response;

constexpr uint64_t kMiB = 1 << 20;

Registration Register() {
  ::common::v2::Download download;
  download.set_url("http://origin/file");
  download.set_output_path("/home/somebody/file");
  (*download.mutable_request_header())["Authorization"] = "Bearer x";
  Registration registration;
  registration.key.id = std::string(64, 'a');
  registration.peer_id = "10.0.0.9-node-uuid";
  registration.download = download.SerializeAsString();
  return registration;
}

SchedulerMessages Messages(Registration registration = Register()) {
  SchedulerMessages::Options options;
  options.host_id = "me";
  options.concurrent_piece_count = 8;
  auto messages = SchedulerMessages::Make(options, std::move(registration));
  EXPECT_TRUE(messages.ok()) << messages.status();
  return *std::move(messages);
}

::common::v2::Peer Candidate(const std::string& id, const std::string& ip = "10.0.0.2",
                             int port = 4000) {
  ::common::v2::Peer peer;
  peer.set_id(id);
  peer.set_state("Running");
  peer.mutable_cost();
  peer.mutable_created_at();
  peer.mutable_updated_at();
  auto* task = peer.mutable_task();
  task->set_id(std::string(64, 'a'));
  task->set_url("http://origin/file");
  task->set_state("Running");
  task->set_content_length(10 * kMiB);
  task->set_piece_count(3);
  task->mutable_created_at();
  task->mutable_updated_at();
  auto* host = peer.mutable_host();
  host->set_id("host-" + id);
  host->set_hostname("node");
  host->set_ip(ip);
  host->set_port(port);
  host->set_download_port(port);
  host->mutable_network()->set_max_tx_bandwidth(1'000'000'000);
  host->mutable_network()->set_tx_bandwidth(7);
  return peer;
}

core::PieceInfo Piece(std::string parent) {
  core::PieceInfo piece;
  piece.number = 2;
  piece.offset = 8 * kMiB;
  piece.length = 2 * kMiB;
  piece.crc32 = 3421780262;
  piece.parent_id = std::move(parent);
  piece.cost = absl::Milliseconds(1500);
  piece.created_at = absl::FromUnixSeconds(1700000000);
  return piece;
}

TEST(SchedulerMessages, RegistersWithTheCallersDownloadButNotWhereItIsPut) {
  Registration registration = Register();
  registration.geometry.piece_length = 4 * kMiB;
  registration.geometry.content_length = 10 * kMiB;
  registration.need_source = true;
  const Request request = Messages(registration).Register();
  EXPECT_EQ(request.host_id(), "me");
  EXPECT_EQ(request.task_id(), registration.key.id);
  EXPECT_EQ(request.peer_id(), registration.peer_id);
  const auto& download = request.register_peer_request().download();
  EXPECT_EQ(download.url(), "http://origin/file");
  EXPECT_EQ(download.request_header().at("Authorization"), "Bearer x");
  EXPECT_FALSE(download.has_output_path());
  EXPECT_TRUE(download.need_back_to_source());
  EXPECT_EQ(download.actual_piece_length(), 4 * kMiB);
  EXPECT_EQ(download.actual_content_length(), 10 * kMiB);
  EXPECT_EQ(download.actual_piece_count(), 3U);
  EXPECT_EQ(download.concurrent_piece_count(), 8U);
}

TEST(SchedulerMessages, LeavesOutTheLengthWhileItIsNotKnown) {
  const auto download = Messages().Register().register_peer_request().download();
  EXPECT_FALSE(download.has_actual_content_length());
  EXPECT_FALSE(download.has_actual_piece_count());
  EXPECT_FALSE(download.has_actual_piece_length());
  SchedulerMessages messages = Messages();
  core::Geometry learned;
  learned.piece_length = 4 * kMiB;
  learned.content_length = 0;
  const auto refreshed = messages.Refresh(learned).register_peer_request().download();
  EXPECT_TRUE(refreshed.has_actual_content_length());
  EXPECT_EQ(refreshed.actual_piece_count(), 0U);
}

TEST(SchedulerMessages, RefusesADownloadThatIsNone) {
  Registration registration = Register();
  registration.download = "\xff\xff";
  EXPECT_FALSE(SchedulerMessages::Make({}, registration).ok());
}

TEST(SchedulerMessages, PassTheValidatorsOfUpstreamsScheduler) {
  SchedulerMessages messages = Messages();
  Response response;
  *response.mutable_normal_task_response()->add_candidate_parents() = Candidate("p1");
  messages.Read(response, false);
  absl::Status origin =
      MakeStatus(absl::StatusCode::kNotFound, ErrorReason::kOriginStatus, "404 for x");
  common::status::AttachOrigin(origin, {404, "404 for x", R"({"Server":"nginx"})"});

  std::vector<Request> all = {messages.Register(),
                              messages.Started(),
                              messages.SourceStarted("why"),
                              messages.PieceFinished(Piece("p1")),
                              messages.PieceFinished(Piece("")),
                              *messages.PieceFailed("p1", 3),
                              messages.Reschedule({"p1"}, "slow"),
                              messages.Reschedule({}, "none")};
  for (const bool from_source : {false, true}) {
    for (const absl::Status& status :
         {absl::OkStatus(), absl::Status(absl::InternalError("x")), origin}) {
      for (Request& request : messages.End(from_source, status)) all.push_back(std::move(request));
    }
  }
  for (const Request& request : all) {
    const absl::Status valid = proto::rules::Validate(request);
    EXPECT_TRUE(valid.ok()) << valid << "\n" << request.DebugString();
  }
}

TEST(SchedulerMessages, TellsPiecesOfParentsFromThoseOfTheOrigin) {
  const auto from_parent = Messages().PieceFinished(Piece("p1"));
  const auto& piece = from_parent.download_piece_finished_request().piece();
  EXPECT_EQ(piece.number(), 2U);
  EXPECT_EQ(piece.parent_id(), "p1");
  EXPECT_EQ(piece.digest(), "crc32:3421780262");
  EXPECT_EQ(piece.traffic_type(), ::common::v2::REMOTE_PEER);
  EXPECT_EQ(piece.cost().seconds(), 1);
  EXPECT_EQ(piece.cost().nanos(), 500'000'000);
  EXPECT_EQ(piece.created_at().seconds(), 1700000000);

  const auto from_origin = Messages().PieceFinished(Piece(""));
  ASSERT_TRUE(from_origin.has_download_piece_back_to_source_finished_request());
  const auto& own = from_origin.download_piece_back_to_source_finished_request().piece();
  EXPECT_FALSE(own.has_parent_id());
  EXPECT_EQ(own.traffic_type(), ::common::v2::BACK_TO_SOURCE);
}

TEST(SchedulerMessages, WritesTimesThatTheWireCanHold) {
  core::PieceInfo piece = Piece("p1");
  piece.created_at = absl::InfinitePast();
  piece.cost = absl::Seconds(-1);
  const Request request = Messages().PieceFinished(piece);
  EXPECT_TRUE(proto::rules::Validate(request).ok());
  EXPECT_EQ(request.download_piece_finished_request().piece().cost().seconds(), 0);
}

TEST(SchedulerMessages, ReportsWhatTheOriginSaid) {
  absl::Status status = MakeStatus(absl::StatusCode::kPermissionDenied, ErrorReason::kOriginStatus,
                                   "the origin answered 403");
  common::status::AttachOrigin(status, {403, "the origin answered 403", R"({"X":"y"})"});
  const auto requests = Messages().End(true, status);
  ASSERT_EQ(requests.size(), 2U);
  const auto& backend = requests[0].download_piece_back_to_source_failed_request().backend();
  EXPECT_EQ(backend.status_code(), 403);
  EXPECT_EQ(backend.header().at("X"), "y");
  EXPECT_TRUE(requests[1].has_download_peer_back_to_source_failed_request());
}

TEST(SchedulerMessages, ReadsCandidatesInTheirOrder) {
  Response response;
  auto* parents = response.mutable_normal_task_response();
  *parents->add_candidate_parents() = Candidate("p1");
  *parents->add_candidate_parents() = Candidate("p2", "fd00::2", 5000);
  parents->mutable_candidate_parents(1)->mutable_host()->set_type(1);
  parents->mutable_candidate_parents(1)->mutable_task()->set_content_length(UINT64_MAX);
  parents->mutable_candidate_parents(1)->mutable_task()->set_piece_count(0);
  SchedulerMessages messages = Messages();
  const auto read = messages.Read(response, false);
  EXPECT_TRUE(read.dropped.empty());
  const auto& answer = std::get<core::AnswerParents>(*read.answer);
  ASSERT_EQ(answer.parents.size(), 2U);
  EXPECT_EQ(answer.parents[0].peer_id, "p1");
  EXPECT_EQ(answer.parents[0].host_id, "host-p1");
  EXPECT_EQ(answer.parents[0].ip, "10.0.0.2");
  EXPECT_EQ(answer.parents[0].port, 4000);
  EXPECT_FALSE(answer.parents[0].is_seed);
  EXPECT_EQ(answer.parents[0].max_tx_bandwidth, 1'000'000'000U);
  EXPECT_EQ(answer.parents[0].tx_bandwidth, 7U);
  EXPECT_EQ(answer.parents[0].content_length, 10 * kMiB);
  EXPECT_EQ(answer.parents[0].piece_count, 3U);
  EXPECT_TRUE(answer.parents[1].is_seed);
  EXPECT_FALSE(answer.parents[1].content_length.has_value());
  EXPECT_FALSE(answer.parents[1].piece_count.has_value());
}

TEST(SchedulerMessages, Sec_D3_DropsCandidatesThatCannotBeDialled) {
  Response response;
  auto* parents = response.mutable_normal_task_response();
  *parents->add_candidate_parents() = Candidate("name", "example.com");
  *parents->add_candidate_parents() = Candidate("none", "");
  *parents->add_candidate_parents() = Candidate("any", "0.0.0.0");
  *parents->add_candidate_parents() = Candidate("port0", "10.0.0.2", 0);
  *parents->add_candidate_parents() = Candidate("port-1", "10.0.0.2", -1);
  *parents->add_candidate_parents() = Candidate("port65536", "10.0.0.2", 65536);
  *parents->add_candidate_parents() = Candidate("", "10.0.0.2");
  *parents->add_candidate_parents() = Candidate("10.0.0.9-node-uuid");
  *parents->add_candidate_parents() = Candidate("mine");
  parents->mutable_candidate_parents(8)->mutable_host()->set_id("me");
  *parents->add_candidate_parents() = Candidate("good");
  *parents->add_candidate_parents() = Candidate("good");
  SchedulerMessages messages = Messages();
  const auto read = messages.Read(response, false);
  const auto& answer = std::get<core::AnswerParents>(*read.answer);
  ASSERT_EQ(answer.parents.size(), 1U);
  EXPECT_EQ(answer.parents[0].peer_id, "good");
  EXPECT_EQ(read.dropped.size(), 10U);
}

TEST(SchedulerMessages, NamesBadParentsAsTheyWereOffered) {
  SchedulerMessages messages = Messages();
  Response response;
  *response.mutable_normal_task_response()->add_candidate_parents() = Candidate("p1");
  messages.Read(response, false);
  response.Clear();
  *response.mutable_normal_task_response()->add_candidate_parents() = Candidate("p2");
  messages.Read(response, false);
  const auto request = messages.Reschedule({"p2", "stranger", "p1"}, "all slow");
  const auto& reschedule = request.reschedule_peer_request();
  ASSERT_EQ(reschedule.candidate_parents_size(), 2);
  EXPECT_EQ(reschedule.candidate_parents(0).id(), "p2");
  EXPECT_EQ(reschedule.candidate_parents(1).id(), "p1");
  EXPECT_FALSE(reschedule.candidate_parents(0).host().has_network());
  EXPECT_EQ(reschedule.description(), "all slow");
}

TEST(SchedulerMessages, ReadsTheOtherAnswers) {
  SchedulerMessages messages = Messages();
  Response response;
  response.mutable_empty_task_response();
  EXPECT_TRUE(std::holds_alternative<core::AnswerEmpty>(*messages.Read(response, false).answer));
  response.mutable_metadata_only_response();
  const auto registered = messages.Read(response, false);
  EXPECT_FALSE(registered.answer.has_value());
  EXPECT_TRUE(registered.registered);
  const auto unknown = messages.Read(Response(), false);
  EXPECT_TRUE(std::holds_alternative<core::RegistrationEnded>(*unknown.answer));
}

TEST(SchedulerMessages, ReadsSlicesFromOurOwnSchedulersOnly) {
  SchedulerMessages messages = Messages();
  Response response;
  response.mutable_need_back_to_source_response()->set_description("no seed; slice=2/5");
  const auto ours = std::get<core::AnswerSource>(*messages.Read(response, true).answer);
  EXPECT_EQ(ours.slice_index, 2U);
  EXPECT_EQ(ours.slice_count, 5U);
  const auto other = std::get<core::AnswerSource>(*messages.Read(response, false).answer);
  EXPECT_EQ(other.slice_index, 0U);
  EXPECT_EQ(other.slice_count, 1U);
  EXPECT_EQ(other.description, "no seed; slice=2/5");
}

TEST(SliceOf, TakesNothingThatMakesNoSense) {
  for (const char* text : {"", "slice=", "slice=1", "slice=/", "slice=5/5", "slice=6/5",
                           "slice=0/0", "slice=-1/5", "slice=1/99999999999", "slice=1/2/3"}) {
    EXPECT_EQ(SliceOf(text).index, 0U) << text;
    EXPECT_EQ(SliceOf(text).count, 1U) << text;
  }
  EXPECT_EQ(SliceOf("a slice=0/2, b").count, 2U);
  EXPECT_EQ(SliceOf("slice=1/2.").index, 1U);
}

TEST(SchedulerMessages, TellsAForgottenHostFromOtherEnds) {
  const auto ended = [](const absl::Status& status, bool answered) {
    return SchedulerMessages::EndedBy(status, answered, "10.0.0.1:8002");
  };
  EXPECT_TRUE(ended(absl::NotFoundError("host me not found"), true).host_unknown);
  EXPECT_TRUE(ended(absl::NotFoundError("peer p not found"), false).host_unknown);
  EXPECT_FALSE(ended(absl::NotFoundError("peer p not found"), true).host_unknown);
  EXPECT_TRUE(ended(MakeStatus(absl::StatusCode::kFailedPrecondition, ErrorReason::kHostUnknown,
                               "announce first"),
                    true)
                  .host_unknown);
  EXPECT_EQ(ReasonOf(ended(absl::NotFoundError("host me not found"), false).status),
            ErrorReason::kHostUnknown);

  EXPECT_EQ(ReasonOf(ended(absl::UnavailableError("gone"), false).status),
            ErrorReason::kSchedulerUnavailable);
  EXPECT_EQ(ReasonOf(ended(absl::OkStatus(), true).status), ErrorReason::kSchedulerUnavailable);
  EXPECT_FALSE(ended(absl::OkStatus(), true).status.ok());
  const absl::Status refused = ended(absl::FailedPreconditionError("no parents"), true).status;
  EXPECT_EQ(ReasonOf(refused), ErrorReason::kSchedulerRefused);
  EXPECT_NE(common::status::MessageOf(refused).find("10.0.0.1:8002"), std::string_view::npos);
}

}  // namespace
}  // namespace dragonfly::dfdaemon::node
