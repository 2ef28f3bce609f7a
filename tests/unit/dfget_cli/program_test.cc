// The program dfget against a fake daemon.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/id/task_id.h"
#include "common/os/unique_fd.h"
#include "common/status/reason.h"
#include "tests/unit/dfget_cli/child.h"
#include "tests/unit/dfget_cli/fake_daemon.h"
#include "tests/unit/dfget_cli/temp_dir.h"

namespace dragonfly::dfget::cli {
namespace {

using common::status::ErrorReason;
using common::status::MakeStatus;

constexpr char kUrl[] = "http://origin.example/file?Expires=1";

class ProgramTest : public ::testing::Test {
 protected:
  void Serve(FakeDaemon::Script script) {
    daemon_ = std::make_unique<FakeDaemon>(socket_, std::move(script));
  }
  std::vector<std::string> Arguments(std::vector<std::string> more = {}) const {
    std::vector<std::string> all = {kUrl, "-O", output_, "-e", socket_};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  // Every test that fails leaves nothing behind beside the socket.
  size_t FilesLeft() const { return outputs_.Count(); }

  const TempDir dir_;
  const TempDir outputs_;
  const std::string socket_ = dir_ / "d.sock";
  const std::string output_ = outputs_ / "out";
  std::unique_ptr<FakeDaemon> daemon_;
};

// Three pieces, not in order, from everywhere: "aaaa", "bbbb", "cc".
absl::Status SendThree(FakeDaemon&, const FakeDaemon::Request& request,
                       FakeDaemon::Writer& writer) {
  const bool content = request.download().need_piece_content();
  writer.Write(Started(10, 4));
  writer.Write(PieceDone(2, 8, "cc", ::common::v2::LOCAL_PEER, content));
  writer.Write(PieceDone(0, 0, "aaaa", ::common::v2::REMOTE_PEER, content));
  writer.Write(PieceDone(0, 0, "aaaa", ::common::v2::REMOTE_PEER, content));  // said twice
  writer.Write(PieceDone(1, 4, "bbbb", ::common::v2::BACK_TO_SOURCE, content));
  return absl::OkStatus();
}

TEST_F(ProgramTest, ADownloadSucceedsSilently) {
  Serve(SendThree);
  Child child(Arguments());
  EXPECT_EQ(child.Wait(), 0) << child.err();
  EXPECT_EQ(child.out(), "");
  EXPECT_EQ(child.err(), "") << "no progress where nobody looks";
}

TEST_F(ProgramTest, TheTraceOfTheEnvironmentIsHandedOn) {
  const std::string parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  Serve(SendThree);
  Child child(Arguments(), -1, {"TRACEPARENT=" + parent, "TRACESTATE=vendor=x"});
  ASSERT_EQ(child.Wait(), 0) << child.err();
  EXPECT_EQ(daemon_->metadata("traceparent"), parent) << "as it is: dfget makes no span of its own";
  EXPECT_EQ(daemon_->metadata("tracestate"), "vendor=x");
}

TEST_F(ProgramTest, ATraceThatIsNoneIsLeftOut) {
  Serve(SendThree);
  Child child(Arguments(), -1, {"TRACEPARENT=nonsense", "TRACESTATE=vendor=x"});
  ASSERT_EQ(child.Wait(), 0) << child.err();
  EXPECT_EQ(daemon_->metadata("traceparent"), "");
  EXPECT_EQ(daemon_->metadata("tracestate"), "");
}

TEST_F(ProgramTest, TheDaemonIsToldEverything) {
  Serve(SendThree);
  Child child(Arguments({"-H", "X-A: 1", "--tag", "t", "--application", "a", "--priority", "3",
                         "--piece-length", "8MiB", "--timeout", "90s", "--overwrite",
                         "--disable-back-to-source", "--digest", "crc32:7"}));
  ASSERT_EQ(child.Wait(), 0) << child.err();
  const ::common::v2::Download download = daemon_->request().download();
  EXPECT_EQ(download.url(), kUrl);
  EXPECT_EQ(download.type(), ::common::v2::STANDARD);
  EXPECT_EQ(download.digest(), "crc32:7");
  EXPECT_EQ(download.tag(), "t");
  EXPECT_EQ(download.application(), "a");
  EXPECT_EQ(download.priority(), ::common::v2::LEVEL3);
  EXPECT_EQ(download.piece_length(), uint64_t{8} << 20U);
  EXPECT_EQ(download.timeout().seconds(), 90);
  EXPECT_EQ(download.output_path(), output_);
  EXPECT_TRUE(download.overwrite());
  EXPECT_TRUE(download.disable_back_to_source());
  EXPECT_FALSE(download.force_hard_link());
  EXPECT_FALSE(download.need_piece_content());
  EXPECT_EQ(download.request_header().at("x-a"), "1");
  EXPECT_EQ(static_cast<size_t>(download.filtered_query_params_size()),
            common::id::DefaultFilteredQueryParams().size());
}

TEST_F(ProgramTest, WhatWasNotSaidIsNotSent) {
  Serve(SendThree);
  Child child(Arguments());
  ASSERT_EQ(child.Wait(), 0) << child.err();
  const ::common::v2::Download download = daemon_->request().download();
  EXPECT_FALSE(download.has_piece_length()) << "unset and zero are different tasks";
  EXPECT_FALSE(download.has_digest());
  EXPECT_FALSE(download.has_content_for_calculating_task_id());
  EXPECT_EQ(download.priority(), ::common::v2::LEVEL6);
  EXPECT_EQ(download.timeout().seconds(), 7200);
}

TEST_F(ProgramTest, JsonCountsEachPieceOnceByItsOrigin) {
  Serve(SendThree);
  Child child(Arguments({"--json"}));
  ASSERT_EQ(child.Wait(), 0) << child.err();
  const nlohmann::json result = nlohmann::json::parse(child.out());
  EXPECT_EQ(result["task_id"], kTaskId);
  EXPECT_EQ(result["output"], output_);
  EXPECT_EQ(result["bytes"], 10);
  EXPECT_EQ(result["from_peers"], 4);
  EXPECT_EQ(result["from_origin"], 4);
  EXPECT_EQ(result["from_disk"], 2);
  EXPECT_GE(result["seconds"].get<double>(), 0);
  EXPECT_EQ(child.out().back(), '\n');
}

TEST_F(ProgramTest, StdoutGetsTheContentInOrderAndNothingElse) {
  Serve(SendThree);
  Child child({kUrl, "-O", "-", "-e", socket_});
  EXPECT_EQ(child.Wait(), 0) << child.err();
  EXPECT_EQ(child.out(), "aaaabbbbcc");
  EXPECT_TRUE(daemon_->request().download().need_piece_content());
  EXPECT_FALSE(daemon_->request().download().has_output_path());
}

TEST_F(ProgramTest, TransferWritesTheFileHere) {
  Serve(SendThree);
  Child child(Arguments({"--transfer-from-dfdaemon"}));
  EXPECT_EQ(child.Wait(), 0) << child.err();
  EXPECT_EQ(ReadFile(output_), "aaaabbbbcc");
  EXPECT_EQ(FilesLeft(), 1U);
}

TEST_F(ProgramTest, TransferOfEmptyContentMakesAnEmptyFile) {
  Serve([](FakeDaemon&, const FakeDaemon::Request&, FakeDaemon::Writer& writer) {
    writer.Write(Started(0, 4));
    return absl::OkStatus();
  });
  Child child(Arguments({"--transfer-from-dfdaemon"}));
  EXPECT_EQ(child.Wait(), 0) << child.err();
  EXPECT_TRUE(std::filesystem::exists(output_));
  EXPECT_EQ(ReadFile(output_), "");
}

TEST_F(ProgramTest, UnknownLengthIsCompleteWhenTheDaemonSaysSo) {
  Serve([](FakeDaemon&, const FakeDaemon::Request&, FakeDaemon::Writer& writer) {
    writer.Write(Started(0, 4));
    writer.Write(PieceDone(0, 0, "aaaa", ::common::v2::BACK_TO_SOURCE, true));
    writer.Write(PieceDone(1, 4, "b", ::common::v2::BACK_TO_SOURCE, true));
    return absl::OkStatus();
  });
  Child child(Arguments({"--transfer-from-dfdaemon"}));
  EXPECT_EQ(child.Wait(), 0) << child.err();
  EXPECT_EQ(ReadFile(output_), "aaaab");
}

TEST_F(ProgramTest, AFailedTransferKeepsTheOldFileAndLeavesNoOther) {
  WriteFile(output_, "old");
  Serve([](FakeDaemon&, const FakeDaemon::Request&, FakeDaemon::Writer& writer) {
    writer.Write(Started(8, 4));
    writer.Write(PieceDone(0, 0, "aaaa", ::common::v2::REMOTE_PEER, true));
    return MakeStatus(absl::StatusCode::kDataLoss, ErrorReason::kDigestMismatch, "wrong digest");
  });
  Child child(Arguments({"--transfer-from-dfdaemon", "--overwrite"}));
  EXPECT_EQ(child.Wait(), 7);
  EXPECT_EQ(ReadFile(output_), "old");
  EXPECT_EQ(FilesLeft(), 1U);
}

TEST_F(ProgramTest, ContentThatWasDamagedOnTheWayIsNotWritten) {
  Serve([](FakeDaemon&, const FakeDaemon::Request&, FakeDaemon::Writer& writer) {
    writer.Write(Started(4, 4));
    FakeDaemon::Response piece = PieceDone(0, 0, "aaaa", ::common::v2::REMOTE_PEER, true);
    piece.mutable_download_piece_finished_response()->mutable_piece()->set_content("aaab");
    writer.Write(piece);
    return absl::OkStatus();
  });
  Child child(Arguments({"--transfer-from-dfdaemon"}));
  EXPECT_EQ(child.Wait(), 1);
  EXPECT_NE(child.err().find("crc32"), std::string::npos) << child.err();
  EXPECT_EQ(FilesLeft(), 0U);
}

TEST_F(ProgramTest, PiecesOutsideTheContentAreRefused) {
  Serve([](FakeDaemon&, const FakeDaemon::Request&, FakeDaemon::Writer& writer) {
    writer.Write(Started(4, 4));
    writer.Write(PieceDone(0, UINT64_MAX - 1, "aaaa", ::common::v2::REMOTE_PEER, true));
    return absl::OkStatus();
  });
  Child child(Arguments({"--transfer-from-dfdaemon"}));
  EXPECT_EQ(child.Wait(), 1);
  EXPECT_NE(child.err().find("beyond the end"), std::string::npos) << child.err();
  EXPECT_EQ(FilesLeft(), 0U);
}

TEST_F(ProgramTest, SuccessWithPiecesMissingIsNoSuccess) {
  Serve([](FakeDaemon&, const FakeDaemon::Request&, FakeDaemon::Writer& writer) {
    writer.Write(Started(8, 4));
    writer.Write(PieceDone(0, 0, "aaaa", ::common::v2::REMOTE_PEER, true));
    return absl::OkStatus();
  });
  Child child(Arguments({"--transfer-from-dfdaemon"}));
  EXPECT_EQ(child.Wait(), 1);
  EXPECT_NE(child.err().find("download incomplete"), std::string::npos) << child.err();
  EXPECT_EQ(FilesLeft(), 0U);
}

struct Failure {
  ErrorReason reason;
  absl::StatusCode code;
  int exit_code;
};

TEST_F(ProgramTest, EachReasonOfTheDaemonBecomesItsExitCode) {
  const std::vector<Failure> table = {
      {ErrorReason::kInvalidArgument, absl::StatusCode::kInvalidArgument, 2},
      {ErrorReason::kOriginUnreachable, absl::StatusCode::kInternal, 5},
      {ErrorReason::kNoSpace, absl::StatusCode::kResourceExhausted, 6},
      {ErrorReason::kOutputPath, absl::StatusCode::kPermissionDenied, 6},
      {ErrorReason::kDigestMismatch, absl::StatusCode::kDataLoss, 7},
      {ErrorReason::kTimeout, absl::StatusCode::kDeadlineExceeded, 124},
      {ErrorReason::kNoParents, absl::StatusCode::kUnavailable, 1},
      {ErrorReason::kForbidden, absl::StatusCode::kPermissionDenied, 1},
  };
  Failure now = table.front();
  Serve([&now](FakeDaemon&, const FakeDaemon::Request&, FakeDaemon::Writer&) {
    return MakeStatus(now.code, now.reason, "what the daemon says");
  });
  for (const Failure& failure : table) {
    now = failure;
    Child child(Arguments());
    EXPECT_EQ(child.Wait(), failure.exit_code) << child.err();
    EXPECT_EQ(child.err().find("Downloading Failed!\n"), 0U) << child.err();
    EXPECT_NE(child.err().find("Message: "), std::string::npos);
    EXPECT_NE(child.err().find("what the daemon says"), std::string::npos) << child.err();
    EXPECT_EQ(child.out(), "") << "errors go to stderr";
    EXPECT_EQ(child.err().find('\x1b'), std::string::npos) << "no colour without a terminal";
  }
}

TEST_F(ProgramTest, WhatTheOriginSaidIsShownAndItsClassIsTheExitCode) {
  int http_status = 0;
  Serve([&http_status](FakeDaemon& daemon, const FakeDaemon::Request&, FakeDaemon::Writer&) {
    daemon.gives_reasons = false;  // as upstream's: JSON details only
    absl::Status status = absl::InternalError("origin says no");
    common::status::OriginError origin;
    origin.http_status = http_status;
    origin.message = "origin says no";
    origin.header_json = R"({"x-request-id":"42"})";
    common::status::AttachOrigin(status, origin);
    return status;
  });
  for (const auto& [answer, exit_code] :
       std::vector<std::pair<int, int>>{{401, 4}, {404, 4}, {416, 4}, {500, 5}, {503, 5}}) {
    http_status = answer;
    Child child(Arguments({"--json"}));
    EXPECT_EQ(child.Wait(), exit_code);
    EXPECT_NE(child.err().find("Bad Status Code: " + std::to_string(answer) +
                               "\nHeader:\n  [x-request-id]: 42\n"),
              std::string::npos)
        << child.err();
    const nlohmann::json result = nlohmann::json::parse(child.out());
    EXPECT_EQ(result["error"]["http_status"], answer);
    EXPECT_EQ(result["error"]["exit_code"], exit_code);
    EXPECT_EQ(result["error"]["reason"], "origin_status");
  }
}

TEST_F(ProgramTest, WithoutADaemonItSaysHowToStartOne) {
  Child child(Arguments());
  EXPECT_EQ(child.Wait(), 3);
  const std::string err = child.err();
  EXPECT_EQ(err.find("Connect Dfdaemon Failed!\n"), 0U) << err;
  EXPECT_NE(err.find(socket_ + ": there is no such socket"), std::string::npos) << err;
  EXPECT_NE(err.find("dfdaemon --config /etc/dragonfly/dfdaemon.yaml"), std::string::npos) << err;
  EXPECT_EQ(FilesLeft(), 0U);
}

// A unix socket at `path` that nobody accepts from.
common::os::UniqueFd BoundSocket(const std::string& path) {
  common::os::UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  EXPECT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  return fd;
}

TEST_F(ProgramTest, AStaleSocketIsToldFromAMissingOne) {
  const common::os::UniqueFd stale = BoundSocket(socket_);
  Child child(Arguments());
  EXPECT_EQ(child.Wait(), 3);
  EXPECT_NE(child.err().find("nobody listens on it"), std::string::npos) << child.err();
}

TEST_F(ProgramTest, ADaemonThatDoesNotAnswerIsGivenUp) {
  const common::os::UniqueFd frozen = BoundSocket(socket_);
  ASSERT_EQ(::listen(frozen.get(), 8), 0);
  Child child(Arguments({"--timeout", "1s"}));  // and the slack for a daemon that enforces it
  const int code = child.Wait();
  EXPECT_TRUE(code == 3 || code == 124) << code << child.err();
}

TEST_F(ProgramTest, ADaemonThatDiesIsUnreachable) {
  Serve([](FakeDaemon& daemon, const FakeDaemon::Request&, FakeDaemon::Writer& writer) {
    daemon.gives_reasons = false;
    writer.Write(Started(8, 4));
    return absl::UnavailableError("Socket closed");
  });
  Child child(Arguments());
  EXPECT_EQ(child.Wait(), 3);
  EXPECT_NE(child.err().find("went away during the download"), std::string::npos) << child.err();
}

TEST_F(ProgramTest, OutputsAreCheckedBeforeTheDaemonIsAsked) {
  Serve(SendThree);
  WriteFile(output_, "old");
  Child exists(Arguments());
  EXPECT_EQ(exists.Wait(), 6);
  EXPECT_NE(exists.err().find("validate failed: output path " + output_ + " is already exist"),
            std::string::npos)
      << exists.err();
  Child missing({kUrl, "-O", outputs_ / "no/out", "-e", socket_});
  EXPECT_EQ(missing.Wait(), 6);
  Child directory({kUrl, "-O", outputs_.path(), "-e", socket_, "--overwrite"});
  EXPECT_EQ(directory.Wait(), 6);
  EXPECT_EQ(daemon_->calls(), 0);
  EXPECT_EQ(ReadFile(output_), "old");
}

TEST_F(ProgramTest, UsageErrorsExitWith2) {
  Child child({kUrl, "-O", output_, "--recursive"});
  EXPECT_EQ(child.Wait(), 2);
  EXPECT_NE(child.err().find("--recursive: not supported by this version"), std::string::npos);
  EXPECT_EQ(child.out(), "");
}

TEST_F(ProgramTest, SignalsCancelTheCallAndLeaveNothing) {
  for (const int signal : {SIGINT, SIGTERM}) {
    daemon_.reset();
    Serve([](FakeDaemon& daemon, const FakeDaemon::Request&, FakeDaemon::Writer& writer) {
      writer.Write(Started(8, 4));
      writer.Write(PieceDone(0, 0, "aaaa", ::common::v2::REMOTE_PEER, true));
      return daemon.HoldUntilCancelled();
    });
    Child child(Arguments({"--transfer-from-dfdaemon"}));
    ASSERT_TRUE(daemon_->WaitForCall());
    child.Signal(signal);
    EXPECT_EQ(child.Wait(), 128 + signal) << child.err();
    EXPECT_TRUE(daemon_->WaitForCancelled());
    EXPECT_NE(child.err().find("interrupted"), std::string::npos) << child.err();
    EXPECT_EQ(FilesLeft(), 0U);
  }
}

TEST_F(ProgramTest, Sec_D40_SecretsAreNotInTheListOfProcesses) {
  Serve([](FakeDaemon& daemon, const FakeDaemon::Request&, FakeDaemon::Writer& writer) {
    writer.Write(Started(8, 4));
    return daemon.HoldUntilCancelled();
  });
  Child child(Arguments({"-H", "Authorization: Bearer hunter2"}));
  ASSERT_TRUE(daemon_->WaitForCall());
  EXPECT_EQ(daemon_->request().download().request_header().at("authorization"), "Bearer hunter2");
  const std::string shown = child.CommandLine();
  EXPECT_NE(shown.find("Authorization:"), std::string::npos) << shown;
  EXPECT_EQ(shown.find("hunter2"), std::string::npos) << shown;
  child.Signal(SIGTERM);
  EXPECT_EQ(child.Wait(), 143);
  EXPECT_NE(child.err().find("--header @FILE"), std::string::npos) << child.err();
  EXPECT_EQ(child.err().find("hunter2"), std::string::npos);
}

// A terminal; the child has its other end.
struct Terminal {
  common::os::UniqueFd master{::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)};
  common::os::UniqueFd slave;
  Terminal() {
    EXPECT_EQ(::grantpt(master.get()), 0);
    EXPECT_EQ(::unlockpt(master.get()), 0);
    slave.Reset(::open(::ptsname(master.get()), O_RDWR | O_NOCTTY | O_CLOEXEC));
  }
  // What was printed; for when the child is gone.
  std::string Take() {
    slave.Reset();
    std::string out;
    char block[4096];
    ssize_t count = 0;
    while ((count = ::read(master.get(), block, sizeof block)) > 0) {
      out.append(block, static_cast<size_t>(count));
    }
    return out;
  }
};

TEST_F(ProgramTest, ATerminalSeesProgressUnlessItIsSwitchedOff) {
  Serve(SendThree);
  Terminal terminal;
  Child child(Arguments(), terminal.slave.get());
  EXPECT_EQ(child.Wait(), 0);
  const std::string shown = terminal.Take();
  EXPECT_NE(shown.find("100% 10 B of 10 B"), std::string::npos) << shown;
  EXPECT_NE(shown.find("peers 40% origin 40% disk 20%"), std::string::npos) << shown;

  Terminal silent;
  Child quiet(Arguments({"--no-progress"}), silent.slave.get());
  EXPECT_EQ(quiet.Wait(), 0);
  EXPECT_EQ(silent.Take(), "");
}

TEST_F(ProgramTest, ColourIsForTerminalsThatWantIt) {
  Terminal coloured;
  Child child(Arguments(), coloured.slave.get(), {"TERM=xterm", "NO_COLOR="});
  EXPECT_EQ(child.Wait(), 3);
  EXPECT_NE(coloured.Take().find("\x1b[31"), std::string::npos);
  Terminal plain;
  Child other(Arguments(), plain.slave.get(), {"TERM=xterm", "NO_COLOR=1"});
  EXPECT_EQ(other.Wait(), 3);
  EXPECT_EQ(plain.Take().find('\x1b'), std::string::npos);
}

TEST_F(ProgramTest, TheLogGoesToStderrOnRequest) {
  Serve(SendThree);
  Child child({kUrl, "-O", "-", "-e", socket_, "--console"});
  EXPECT_EQ(child.Wait(), 0);
  EXPECT_EQ(child.out(), "aaaabbbbcc");
  EXPECT_NE(child.err().find("download started"), std::string::npos) << child.err();
}

}  // namespace
}  // namespace dragonfly::dfget::cli
