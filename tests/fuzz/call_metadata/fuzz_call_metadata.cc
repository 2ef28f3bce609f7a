// What comes in the metadata of calls and in headers, and addresses that others name: none of it
// may fail a call, what is read is written as it was meant, and is then read as the same.

#include <algorithm>

#include "common/net/endpoint.h"
#include "common/net/prefix.h"
#include "common/rpc/extensions.h"
#include "common/trace/span_context.h"
#include "tests/fuzz/fuzz.h"

namespace dragonfly::fuzz {
namespace {

using common::net::Endpoint;
using common::net::IpAddress;
using common::net::IpPrefix;
using common::rpc::ExtensionSet;
using common::trace::SpanContext;

bool IsHex(std::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

void TryTrace(std::string_view traceparent, std::string_view tracestate) {
  const auto context = SpanContext::Parse(traceparent, tracestate);
  if (!context) return;
  FUZZ_CHECK(context->valid());
  const std::string written = context->traceparent();
  FUZZ_CHECK(written.size() == 55 && written.starts_with("00-") && IsHex(context->TraceIdText()));
  FUZZ_CHECK(written.substr(3, 32) == context->TraceIdText());
  // Of any version the ids are where they are in ours.
  FUZZ_CHECK(traceparent.substr(3, 49) == written.substr(3, 49));
  FUZZ_CHECK(std::ranges::any_of(context->trace_id(), [](uint8_t byte) { return byte != 0; }));
  FUZZ_CHECK(std::ranges::any_of(context->span_id(), [](uint8_t byte) { return byte != 0; }));
  // What is handed on fits into a header.
  const std::string_view state = context->tracestate();
  FUZZ_CHECK(state.size() <= common::trace::kMaxTracestateBytes);
  FUZZ_CHECK(std::ranges::all_of(state, [](char c) { return c >= 0x20 && c < 0x7F; }));
  const auto again = SpanContext::Parse(written, state);
  FUZZ_CHECK(again && *again == *context && again->tracestate() == state);
  FUZZ_CHECK(SpanContext::Unpack(context->Pack()) == *context);
}

void TryExtensions(std::string_view ours, std::string_view theirs) {
  const ExtensionSet one = ExtensionSet::Parse(ours);
  const ExtensionSet other = ExtensionSet::Parse(theirs);
  FUZZ_CHECK(ExtensionSet::Parse(one.ToString()) == one);
  FUZZ_CHECK(one.empty() == one.ToString().empty());
  const ExtensionSet both = one.Intersect(other);
  FUZZ_CHECK(both == other.Intersect(one));
  FUZZ_CHECK(one.Intersect(one) == one);
  FUZZ_CHECK(both.Intersect(one) == both);
}

void TryAddress(std::string_view text) {
  if (const auto ip = IpAddress::Parse(text); ip.ok()) {
    const auto again = IpAddress::Parse(ip->ToString());
    FUZZ_CHECK(again.ok() && *again == *ip);
    // An address is the block of itself.
    const auto block = IpPrefix::Parse(ip->ToString());
    FUZZ_CHECK(!block.ok() || block->Contains(*ip));
  }
  if (const auto block = IpPrefix::Parse(text); block.ok()) {
    FUZZ_CHECK(block->length >= 0 && block->length <= (block->ip.is_v6() ? 128 : 32));
    FUZZ_CHECK(block->Contains(block->ip));
    const auto again = IpPrefix::Parse(block->ToString());
    FUZZ_CHECK(again.ok() && again->length == block->length && again->Contains(block->ip));
  }
  if (const auto endpoint = Endpoint::Parse(text); endpoint.ok()) {
    const auto again = Endpoint::Parse(endpoint->ToString());
    FUZZ_CHECK(again.ok() && *again == *endpoint);
    const auto listen = Endpoint::ParseListen(text, true);
    FUZZ_CHECK(listen.ok() && *listen == *endpoint);
  }
}

}  // namespace
}  // namespace dragonfly::fuzz

// Two texts, a line each.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace dragonfly::fuzz;
  const auto [first, second] = LinesOf(data, size);
  TryTrace(first, second);
  TryExtensions(first, second);
  TryAddress(first);
  return 0;
}
