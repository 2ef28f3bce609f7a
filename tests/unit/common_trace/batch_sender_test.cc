#include "common/trace/batch_sender.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "common/trace/tracer.h"

namespace dragonfly::common::trace {
namespace {

struct Script {
  std::mutex mutex;  // guards names and batches
  std::vector<std::string> names;
  size_t batches = 0;
  std::atomic<int> failures{0};  // so many times away
  std::atomic<bool> hangs{false};
};

class ScriptedExporter final : public Exporter {
 public:
  explicit ScriptedExporter(std::shared_ptr<Script> script) : script_(std::move(script)) {}
  async::Co<Exported> Export(async::CancelScope& scope, const Batch& batch) override {
    Exported out;
    if (script_->hangs) {
      absl::Status slept = co_await async::Sleep(scope, absl::Hours(1));
      out.status = slept;
      out.retryable = true;
      co_return out;
    }
    if (script_->failures > 0) {
      --script_->failures;
      out.status = absl::UnavailableError("away");
      out.retryable = true;
      out.retry_after = absl::ZeroDuration();
      co_return out;
    }
    const std::lock_guard lock(script_->mutex);
    ++script_->batches;
    for (const auto& span : batch) script_->names.push_back(span->name);
    co_return out;
  }
  const std::string& receiver() const override { return name_; }

 private:
  std::shared_ptr<Script> script_;
  const std::string name_ = "scripted";
};

class BatchSenderTest : public ::testing::Test {
 protected:
  void Start(BatchSender::Options options = {}) {
    sender_ = BatchSender::Start(runtime_.executor(0), os::PosixEnv(),
                                 std::make_unique<ScriptedExporter>(script_), &metrics_, options);
    tracer_ = Tracer(sender_, os::PosixEnv(), 1);
  }
  void Spans(int count) {
    for (int i = 0; i < count; ++i)
      (void)tracer_.Start(std::to_string(i), SpanKind::kInternal, SpanContext());
  }
  size_t Sent() {
    const std::lock_guard lock(script_->mutex);
    return script_->names.size();
  }
  bool WaitSent(size_t count) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (Sent() < count) {
      if (std::chrono::steady_clock::now() > until) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return true;
  }
  // -1: there is no such sample.
  double Counted(const std::string& sample) {
    const std::string page = registry_.Scrape();
    const std::string name = "\ntest_trace_spans_" + sample + " ";
    const size_t at = page.find(name);
    return at == std::string::npos ? -1 : std::stod(page.substr(at + name.size(), 20));
  }

  telemetry::Registry registry_;
  TraceMetrics metrics_{registry_, "test"};
  std::shared_ptr<Script> script_ = std::make_shared<Script>();
  async::Runtime runtime_{1, "test"};
  std::shared_ptr<BatchSender> sender_;
  Tracer tracer_;
};

TEST_F(BatchSenderTest, FullBatchesGoAtOnce) {
  Start();
  Spans(1024);
  EXPECT_TRUE(WaitSent(1024));
  sender_->Stop(absl::Seconds(1));
  EXPECT_EQ(Counted("exported_total"), 1024);
}

TEST_F(BatchSenderTest, TheRestGoesWhenItHasWaited) {
  BatchSender::Options options;
  options.batches.longest_wait = absl::Milliseconds(20);
  Start(options);
  Spans(3);
  EXPECT_TRUE(WaitSent(3));
  sender_->Stop(absl::Seconds(1));
}

TEST_F(BatchSenderTest, StopSendsWhatIsThere) {
  Start();
  Spans(700);
  sender_->Stop(absl::Seconds(10));
  EXPECT_EQ(Sent(), 700U);
  Spans(1);
  EXPECT_EQ(Sent(), 700U) << "what ends later is dropped";
}

TEST_F(BatchSenderTest, WhatFailedIsSentAgain) {
  script_->failures = 3;
  Start();
  Spans(512);
  EXPECT_TRUE(WaitSent(512));
  sender_->Stop(absl::Seconds(1));
  EXPECT_EQ(Counted("exported_total"), 512);
  EXPECT_EQ(Counted("dropped_total{why=\"failed\"}"), 0);
  EXPECT_EQ(Counted("dropped_total{why=\"queue\"}"), 0);
}

TEST_F(BatchSenderTest, AReceiverThatHangsCostsNobodyAnythingButSpans) {
  script_->hangs = true;
  Start();
  // One batch is on its way, 2048 wait, the rest is dropped; nobody waits.
  Spans(512);
  Spans(4000);
  EXPECT_GE(Counted("dropped_total{why=\"queue\"}"), 4512 - 512 - 2048);
  const auto before = std::chrono::steady_clock::now();
  sender_->Stop(absl::Milliseconds(100));
  // Generous: it is about hours or not.
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(30));
  EXPECT_GE(Counted("dropped_total{why=\"end\"}"), 2048);
}

TEST_F(BatchSenderTest, TakesSpansOfManyThreads) {
  Start();
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back([this] { Spans(300); });
  for (std::thread& thread : threads) thread.join();
  sender_->Stop(absl::Seconds(10));
  EXPECT_EQ(Sent(), 1200U);
}

}  // namespace
}  // namespace dragonfly::common::trace
