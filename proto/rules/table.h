#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string_view>

// The table of acceptable values: one row per field that has a rule. It is the specification;
// Validate() only carries it out. What a field without a row gets is in kind kText's note and in
// README.md.
namespace dragonfly::proto::rules {

inline constexpr std::int64_t kNoLimit = std::numeric_limits<std::int64_t>::max();
inline constexpr std::int64_t kMaxIdBytes = 4 * 1024;
inline constexpr std::int64_t kMaxUriBytes = 32 * 1024;
inline constexpr std::int64_t kMaxTextBytes = 128 * 1024;  // of any other string, row or not

enum class Kind : std::uint8_t {
  kNone,
  kRequired,   // message or oneof: present
  kText,       // string: lo to hi characters
  kId,         // string: 1 to kMaxIdBytes bytes, no control characters
  kUri,        // string: UriProblem(), at most kMaxUriBytes
  kIp,         // string: v4 or v6 literal
  kDigest,     // string: DigestProblem()
  kHostname,   // string: HostnameProblem()
  kChoice,     // string: one of `choices`, which are separated by commas
  kKnownEnum,  // enum: a value that has a name in our .proto
  kRange,      // number: lo to hi; a double is finite besides
  kFinite,     // double: neither NaN nor infinite; also where there is no row
  kItems,      // repeated: lo to hi elements
  kBytes,      // bytes: lo to hi of them
  kSeconds,    // Duration: lo to hi seconds; required unless the field is optional
  kHeaders,    // map: HTTP header names and values
  kCanonical,  // Duration, Timestamp: within protobuf's own bounds; also where there is no row
};

struct Rule {
  Kind kind = Kind::kNone;
  bool when_set = false;  // an empty string, zero or an empty list passes
  std::int64_t lo = 0;
  std::int64_t hi = kNoLimit;
  std::string_view choices;

  constexpr Rule WhenSet() const {
    Rule rule = *this;
    rule.when_set = true;
    return rule;
  }
};

// Piece lengths that a message may ask for; and the longest time to live of a task.
inline constexpr std::int64_t kMinPieceLength = 4 << 20;
inline constexpr std::int64_t kMaxPieceLength = 64 << 20;
inline constexpr std::int64_t kWeek = 7 * 24 * 3600;  // seconds

// A rule of an optional field holds where the field is present.
struct Row {
  std::string_view message;  // full name: "common.v2.Piece"
  std::string_view field;    // or a oneof, for kRequired
  Rule rule;
};

constexpr Rule Required() { return {Kind::kRequired, false, 0, kNoLimit, {}}; }
constexpr Rule Text(std::int64_t lo, std::int64_t hi = kMaxTextBytes) {
  return {Kind::kText, false, lo, hi, {}};
}
constexpr Rule Id() { return {Kind::kId, false, 1, kMaxIdBytes, {}}; }
constexpr Rule Uri() { return {Kind::kUri, false, 1, kMaxUriBytes, {}}; }
constexpr Rule Ip() { return {Kind::kIp, false, 0, kNoLimit, {}}; }
constexpr Rule Digest() { return {Kind::kDigest, false, 0, kNoLimit, {}}; }
constexpr Rule Hostname() { return {Kind::kHostname, false, 0, kNoLimit, {}}; }
constexpr Rule In(std::string_view choices) { return {Kind::kChoice, false, 0, kNoLimit, choices}; }
constexpr Rule KnownEnum() { return {Kind::kKnownEnum, false, 0, kNoLimit, {}}; }
constexpr Rule Range(std::int64_t lo, std::int64_t hi = kNoLimit) {
  return {Kind::kRange, false, lo, hi, {}};
}
constexpr Rule Port() {
  return Range(1024, 65534);
}  // the bounds other schedulers hold; 65535 is out
constexpr Rule Items(std::int64_t lo) { return {Kind::kItems, false, lo, kNoLimit, {}}; }
constexpr Rule Bytes(std::int64_t lo, std::int64_t hi) { return {Kind::kBytes, false, lo, hi, {}}; }
constexpr Rule Seconds(std::int64_t lo, std::int64_t hi = kNoLimit) {
  return {Kind::kSeconds, false, lo, hi, {}};
}
constexpr Rule Headers() { return {Kind::kHeaders, false, 0, kNoLimit, {}}; }

// Rows of common.v2 and errordetails.v2, scheduler.v2, dfdaemon.v2, manager.v2.
std::span<const Row> CommonRows();
std::span<const Row> SchedulerRows();
std::span<const Row> DfdaemonRows();
std::span<const Row> ManagerRows();

}  // namespace dragonfly::proto::rules
