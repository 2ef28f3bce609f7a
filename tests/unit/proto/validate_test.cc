#include "proto/rules/validate.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/stubs/logging.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "proto/common_v2.pb.h"
#include "proto/dfdaemon_v2.pb.h"
#include "proto/manager_v2.pb.h"
#include "proto/scheduler_v2.pb.h"
#include "tests/unit/proto/message_builder.h"
#include "tests/unit/proto/wire_facts.h"

namespace dragonfly::proto::rules {
namespace {

// Linked in, so that the generated pool has every package.
const ::google::protobuf::Descriptor* const kLinkedPackages[] = {
    ::common::v2::Peer::descriptor(), ::scheduler::v2::AnnouncePeerRequest::descriptor(),
    ::dfdaemon::v2::SyncPiecesRequest::descriptor(), ::manager::v2::Scheduler::descriptor()};

bool Names(const absl::Status& status, const std::string& field) {
  const std::string message(status.message());
  if (message.rfind(field, 0) != 0 || message.size() == field.size()) return false;
  const char next = message[field.size()];
  return next == ':' || next == '.' || next == '[';
}

::common::v2::Piece GoodPiece() {
  ::common::v2::Piece piece;
  piece.mutable_cost();
  piece.mutable_created_at();
  return piece;
}

::scheduler::v2::AnnouncePeerRequest Announce() {
  ::scheduler::v2::AnnouncePeerRequest request;
  request.set_host_id("host");
  request.set_task_id("task");
  request.set_peer_id("peer");
  return request;
}

TEST(Validate, AcceptsAMinimalMessageOfEveryType) {
  ASSERT_NE(kLinkedPackages[0], nullptr);
  for (const auto& [name, fact] : Facts().messages) {
    const auto message = BuildMinimal(name);
    EXPECT_TRUE(Validate(*message).ok()) << name << ": " << Validate(*message);
  }
}

TEST(Validate, Sec_B14_OneBadFieldInAGoodMessageIsRefusedByName) {
  int refused = 0;
  for (const auto& [name, fact] : Facts().messages) {
    for (const FieldFact& field : fact.fields) {
      for (const Mutation& mutation : MutationsOf(name, field)) {
        if (mutation.allowed) continue;
        SCOPED_TRACE(name + "." + field.name + " = " + mutation.what);
        const absl::Status status = Validate(*mutation.message);
        EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
        EXPECT_TRUE(Names(status, field.name)) << status;
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, 1000);
}

TEST(Validate, AcceptsTheEdgesThatOtherImplementationsAccept) {
  int accepted = 0;
  for (const auto& [name, fact] : Facts().messages) {
    for (const FieldFact& field : fact.fields) {
      for (const Mutation& mutation : MutationsOf(name, field)) {
        if (!mutation.allowed) continue;
        const absl::Status status = Validate(*mutation.message);
        EXPECT_TRUE(status.ok()) << name << "." << field.name << " = " << mutation.what << ": "
                                 << status;
        ++accepted;
      }
    }
  }
  EXPECT_GT(accepted, 300);
}

TEST(Validate, Sec_B14_AMessageWithoutItsOneofIsRefused) {
  int tried = 0;
  for (const auto& [name, fact] : Facts().messages) {
    for (const std::string& oneof : fact.required_oneofs) {
      const auto message = BuildMinimal(name);
      const auto* field = message->GetDescriptor()->FindOneofByName(oneof);
      message->GetReflection()->ClearOneof(message.get(), field);
      const absl::Status status = Validate(*message);
      EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << name;
      EXPECT_TRUE(Names(status, oneof)) << status;
      ++tried;
    }
  }
  EXPECT_GE(tried, 8);
}

TEST(Validate, Sec_B14_EveryEmptyMessageIsJudgedWithoutACrash) {
  for (const auto& [name, fact] : Facts().messages) {
    const auto message = BuildMinimal(name);
    message->Clear();
    const absl::Status status = Validate(*message);
    EXPECT_TRUE(status.ok() || status.code() == absl::StatusCode::kInvalidArgument) << status;
  }
}

TEST(Validate, Sec_B14_BytesOfAnyKindAreJudgedWithoutACrash) {
  ::google::protobuf::LogSilencer quiet;  // the parser reports each text that is not UTF-8
  std::mt19937 random(20260821);
  int parsed = 0;
  for (const auto& [name, fact] : Facts().messages) {
    const auto message = BuildMinimal(name);
    const std::string good = message->SerializeAsString();
    for (int round = 0; round < 50; ++round) {
      std::string bytes = good;
      bytes.resize(good.size() + random() % 8);
      for (int flips = 0; flips < 3 && !bytes.empty(); ++flips) {
        bytes[random() % bytes.size()] = static_cast<char>(random());
      }
      if (!message->ParseFromString(bytes)) continue;
      ++parsed;
      const absl::Status status = Validate(*message);
      EXPECT_TRUE(status.ok() || status.code() == absl::StatusCode::kInvalidArgument) << status;
    }
  }
  EXPECT_GT(parsed, 100);
}

TEST(Validate, NamesTheWholePathOfANestedField) {
  auto request = Announce();
  auto* reschedule = request.mutable_reschedule_peer_request();
  ASSERT_TRUE(Validate(request).ok()) << Validate(request);
  for (int i = 0; i < 2; ++i) {
    auto parent = BuildMinimal("common.v2.Peer");
    reschedule->add_candidate_parents()->CopyFrom(*parent);
  }
  ASSERT_TRUE(Validate(request).ok()) << Validate(request);
  reschedule->mutable_candidate_parents(1)->mutable_host()->set_port(80);
  EXPECT_TRUE(Names(Validate(request), "reschedule_peer_request.candidate_parents[1].host.port"))
      << Validate(request);
  *reschedule->mutable_candidate_parents(0)->mutable_task()->add_pieces() = GoodPiece();
  *reschedule->mutable_candidate_parents(0)->mutable_task()->add_pieces() = GoodPiece();
  reschedule->mutable_candidate_parents(0)->mutable_task()->mutable_pieces(1)->clear_cost();
  EXPECT_TRUE(
      Names(Validate(request), "reschedule_peer_request.candidate_parents[0].task.pieces[1].cost"))
      << Validate(request);
}

TEST(Validate, SaysValueRuleAndRemedy) {
  auto request = Announce();
  auto* download = request.mutable_register_peer_request()->mutable_download();
  download->set_url("example.com/file");
  EXPECT_EQ(Validate(request).message(),
            "register_peer_request.download.url: value \"example.com/file\" has no scheme; send an "
            "absolute URL such as https://host/path");
  download->set_url("https://example.com/file");
  download->set_piece_length(1024);
  EXPECT_EQ(Validate(request).message(),
            "register_peer_request.download.piece_length: value 1024 is out of range; send from "
            "4194304 to 67108864");
}

TEST(Validate, Sec_B14_AMessageThatNestsWithoutEndIsRefused) {
  ::manager::v2::SeedPeer root;
  ::manager::v2::SeedPeer* at = &root;
  for (int i = 0; i < 5; ++i) at = at->add_schedulers()->add_seed_peers();
  EXPECT_TRUE(Validate(root).ok()) << Validate(root);
  for (int i = 0; i < 15; ++i) at = at->add_schedulers()->add_seed_peers();
  EXPECT_EQ(Validate(root).code(), absl::StatusCode::kInvalidArgument);
}

TEST(Validate, Sec_B14_SecretsAreNotRepeatedInTheError) {
  const std::string secret = "hunter2-secret";
  auto request = Announce();
  auto* download = request.mutable_register_peer_request()->mutable_download();
  const auto refusal = [&] {
    const absl::Status status = Validate(request);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };

  for (const std::string& url :
       {"http://user:" + secret + "@h\x01/", "us_er:" + secret + "@host/file",
        "http://h/%zz?X-Amz-Signature=" + secret, "http://u:x?" + secret + "@h/%z"}) {
    download->set_url(url);
    EXPECT_EQ(refusal().find(secret), std::string::npos) << refusal();
  }
  download->set_url("https://h/x");

  (*download->mutable_request_header())["Authorization"] = secret + "\r\nX: y";
  EXPECT_EQ(refusal().find(secret), std::string::npos);
  download->mutable_request_header()->clear();
  (*download->mutable_request_header())["Bearer " + secret] = "x";
  EXPECT_EQ(refusal().find(secret), std::string::npos);
  download->mutable_request_header()->clear();

  download->mutable_object_storage()->set_access_key_secret(secret + std::string(200'000, 'x'));
  EXPECT_EQ(refusal().find(secret), std::string::npos);
  download->clear_object_storage();
  download->mutable_hugging_face()->set_token(secret + std::string(200'000, 'x'));
  EXPECT_EQ(refusal().find(secret), std::string::npos);
}

TEST(Validate, Sec_B14_HeadersCannotSmuggleALine) {
  auto request = Announce();
  auto* download = request.mutable_register_peer_request()->mutable_download();
  download->set_url("https://h/x");
  // Fetched anew at each use: a map held by reference hides its changes from reflection.
  const auto headers = [&]() -> auto& { return *download->mutable_request_header(); };
  headers()["Accept"] = "a\tb; q=0.5, \xc3\xa9";
  EXPECT_TRUE(Validate(request).ok()) << Validate(request);
  for (const char* value : {"a\r\nHost: evil", "a\nb", "a\rb"}) {
    headers()["Accept"] = value;
    EXPECT_TRUE(Names(Validate(request), "register_peer_request.download.request_header"));
  }
  headers()["Accept"] = "a";
  for (const char* name : {"", "A B", "A:", "A\r\nB", "\xc3\xa9"}) {
    headers()[name] = "x";
    EXPECT_TRUE(Names(Validate(request), "register_peer_request.download.request_header")) << name;
    headers().erase(name);
  }
}

TEST(Validate, Sec_B14_IdsAreShortAndHaveNoControlCharacters) {
  ::scheduler::v2::StatTaskRequest request;
  request.set_host_id("h");
  for (const std::string& good :
       {std::string("x"), std::string(4096, 'a'), std::string("a/../b")}) {
    request.set_task_id(good);
    EXPECT_TRUE(Validate(request).ok()) << Validate(request);
  }
  for (const std::string& bad :
       {std::string(), std::string(4097, 'a'), std::string("a\0b", 3), std::string("a\nb")}) {
    request.set_task_id(bad);
    EXPECT_TRUE(Names(Validate(request), "task_id")) << Validate(request);
  }
}

TEST(Validate, Sec_B14_NumbersThatAreNoneAreRefused) {
  auto host = BuildMinimal("common.v2.Host");
  auto& typed = dynamic_cast<::common::v2::Host&>(*host);
  for (const double bad : {std::nan(""), HUGE_VAL, -0.001}) {
    typed.mutable_cpu()->set_percent(bad);
    EXPECT_TRUE(Names(Validate(typed), "cpu.percent")) << Validate(typed);
  }
  typed.mutable_cpu()->set_percent(99.5);
  typed.mutable_memory()->set_used_percent(100.5);
  EXPECT_TRUE(Names(Validate(typed), "memory.used_percent")) << Validate(typed);
}

TEST(Validate, Sec_B14_TimesOutsideProtobufsBoundsAreRefused) {
  auto piece = GoodPiece();
  piece.mutable_created_at()->set_nanos(-1);
  EXPECT_TRUE(Names(Validate(piece), "created_at"));
  piece = GoodPiece();
  piece.mutable_created_at()->set_seconds(INT64_MAX);
  EXPECT_TRUE(Names(Validate(piece), "created_at"));
  piece = GoodPiece();
  piece.mutable_cost()->set_seconds(INT64_MIN);
  EXPECT_TRUE(Names(Validate(piece), "cost"));
  piece = GoodPiece();
  piece.mutable_cost()->set_seconds(1);
  piece.mutable_cost()->set_nanos(-1);
  EXPECT_TRUE(Names(Validate(piece), "cost"));
}

TEST(Validate, Sec_B14_ANegativeTimeoutIsRefused) {
  ::dfdaemon::v2::DownloadTaskRequest request;
  request.mutable_download()->set_url("https://h/x");
  request.mutable_download()->mutable_timeout()->set_seconds(0);
  EXPECT_TRUE(Validate(request).ok()) << Validate(request);
  request.mutable_download()->mutable_timeout()->set_seconds(-1);
  EXPECT_TRUE(Names(Validate(request), "download.timeout"));
}

TEST(Validate, ManyThreadsMayAskFirst) {
  std::vector<std::thread> threads;
  std::vector<int> good(8, 0);
  for (size_t i = 0; i < good.size(); ++i) {
    threads.emplace_back([i, &good] {
      for (const auto& [name, fact] : Facts().messages) {
        good[i] += Validate(*BuildMinimal(name)).ok() ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const int count : good) EXPECT_EQ(static_cast<size_t>(count), Facts().messages.size());
}

}  // namespace
}  // namespace dragonfly::proto::rules
