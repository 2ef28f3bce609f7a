#include "common/trace/span_context.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace dragonfly::common::trace {
namespace {

constexpr const char* kGood = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

TEST(SpanContext, ParsesAndPrintsTheW3cForm) {
  const auto context = SpanContext::Parse(kGood);
  ASSERT_TRUE(context.has_value());
  EXPECT_TRUE(context->valid());
  EXPECT_TRUE(context->sampled());
  EXPECT_EQ(context->traceparent(), kGood);
  EXPECT_EQ(context->TraceIdText(), "0af7651916cd43dd8448eb211c80319c");
  EXPECT_EQ(context->span_id()[0], 0xb7);
  EXPECT_EQ(context->tracestate(), "");
}

TEST(SpanContext, RefusesWhatIsNot) {
  const std::string good = kGood;
  for (const std::string& text :
       {std::string(),
        good.substr(0, 52),
        good.substr(0, 54),
        good + "0",
        good + "-00",
        "ff" + good.substr(2),
        "FF" + good.substr(2),
        "0x" + good.substr(2),
        " " + good,
        good + " ",
        std::string("00-00000000000000000000000000000000-b7ad6b7169203331-01"),
        std::string("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01"),
        std::string("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01"),
        std::string("00-0af7651916cd43dd8448eb211c80319c-B7AD6B7169203331-01"),
        std::string("00-0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331-01"),
        std::string("00-0af7651916cd43dd8448eb211c80319g-b7ad6b7169203331-01"),
        std::string("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0g"),
        std::string("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-A1"),
        "cc" + good.substr(2) + "x",
        "cc" + good.substr(2) + std::string(300, '-')}) {
    EXPECT_FALSE(SpanContext::Parse(text).has_value()) << text;
  }
}

TEST(SpanContext, ReadsWhatItKnowsOfNewerVersions) {
  const std::string rest = std::string(kGood).substr(2);
  for (const std::string& text :
       {"01" + rest, "cc" + rest, "fe" + rest + "-", "cc" + rest + "-what-ever"}) {
    const auto context = SpanContext::Parse(text);
    ASSERT_TRUE(context.has_value()) << text;
    // Handed on in the version that we write.
    EXPECT_EQ(context->traceparent(), kGood) << text;
  }
}

TEST(SpanContext, LooksAtTheFlagThatItKnows) {
  const std::string front = std::string(kGood).substr(0, 53);
  for (const auto& [flags, sampled] :
       {std::pair("00", false), {"01", true}, {"02", false}, {"03", true}, {"ff", true}}) {
    const auto context = SpanContext::Parse(front + flags);
    ASSERT_TRUE(context.has_value());
    EXPECT_EQ(context->sampled(), sampled) << flags;
    EXPECT_EQ(context->traceparent(), front + (sampled ? "01" : "00"));
  }
}

TEST(SpanContext, HandsTracestateOn) {
  const auto context = SpanContext::Parse(kGood, "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7");
  ASSERT_TRUE(context.has_value());
  EXPECT_EQ(context->tracestate(), "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7");
  EXPECT_EQ(context->Child(os::PosixEnv()).tracestate(), context->tracestate());
}

TEST(SpanContext, LeavesOutTracestatesThatAreWrong) {
  std::string many;
  for (int i = 0; i < 33; ++i) many += "k" + std::to_string(i) + "=v,";
  many.pop_back();
  for (const std::string& state :
       {std::string("nothing"), std::string("=v"), std::string("k="), std::string("K=v"),
        std::string("k=a\nb"), std::string("k=\x80"), std::string(","), std::string("k=a=b"), many,
        "k=" + std::string(511, 'x')}) {
    const auto context = SpanContext::Parse(kGood, state);
    ASSERT_TRUE(context.has_value());
    EXPECT_EQ(context->tracestate(), "") << state;
  }
  EXPECT_TRUE(IsTracestate(" a=1 ,, b@c=2\t"));
}

TEST(SpanContext, Sec_HandsOnNoBlanksThatMetadataDoesNotTake) {
  const auto context = SpanContext::Parse(kGood, "\t a=1 \t,,\tb@c=2 3\t,");
  ASSERT_TRUE(context.has_value());
  EXPECT_EQ(context->tracestate(), "a=1,b@c=2 3");
  EXPECT_EQ(SpanContext::Unpack(context->Pack()), *context);
}

TEST(SpanContext, AChildIsAnotherSpanOfItsTrace) {
  const SpanContext root = SpanContext::NewTrace(os::PosixEnv(), true);
  const SpanContext child = root.Child(os::PosixEnv());
  EXPECT_EQ(child.trace_id(), root.trace_id());
  EXPECT_NE(child.span_id(), root.span_id());
  EXPECT_TRUE(child.sampled());
}

TEST(SpanContext, TracesHaveIdsOfTheirOwn) {
  std::set<std::string> ids;
  for (int i = 0; i < 100; ++i)
    ids.insert(SpanContext::NewTrace(os::PosixEnv(), false).TraceIdText());
  EXPECT_EQ(ids.size(), 100U);
}

TEST(SpanContext, ComesBackFromAText) {
  const auto context = SpanContext::Parse(kGood, "a=b");
  EXPECT_EQ(SpanContext::Unpack(context->Pack()), *context);
  const auto plain = SpanContext::Parse(kGood);
  EXPECT_EQ(SpanContext::Unpack(plain->Pack()), *plain);
  EXPECT_EQ(SpanContext().Pack(), nullptr);
  EXPECT_FALSE(SpanContext::Unpack(nullptr).valid());
  EXPECT_FALSE(SpanContext::Unpack(std::make_shared<const std::string>("nonsense")).valid());
}

}  // namespace
}  // namespace dragonfly::common::trace
