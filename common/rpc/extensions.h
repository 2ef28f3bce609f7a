#pragma once

#include <map>
#include <string>
#include <string_view>

namespace dragonfly::common::rpc {

// What two of our own processes may agree on beyond the upstream protocol. A caller offers a set in
// the metadata key df-ext, the callee answers with what it speaks too; upstream neither sends nor
// reads the key, and without it (or with nothing in common) every byte is as upstream sends it.
inline constexpr std::string_view kExtensionKey = "df-ext";

// Name/version. Pieces travel as blocks with a crc32 each.
inline constexpr std::string_view kBlocks = "blocks/1";
// The stream carries keepalive messages, so that inactivity means something.
inline constexpr std::string_view kKeepalive = "keepalive/1";
// candidate_parents is ordered: the first two are the primary sources of even and odd pieces, and
// they are named anew, unasked, when there are better ones (docs/design/life-of-a-download.md).
inline constexpr std::string_view kStripes = "stripes/1";
// The piece port speaks TLS with whoever begins a connection with a ClientHello.
inline constexpr std::string_view kPieceTls = "piece-tls/1";
// The scheduler may be asked about a task before its origin was.
inline constexpr std::string_view kLazyStat = "lazy-stat/1";
// A scheduler that sends several peers to the origin says which part each begins with: "slice=1/3"
// in the description of NeedBackToSourceResponse; they get to know one another as parents.
inline constexpr std::string_view kSlice = "slice/1";

// A set of name/version pairs, one version a name. A value; copies are cheap.
class ExtensionSet {
 public:
  ExtensionSet() = default;
  ExtensionSet(std::initializer_list<std::string_view> extensions);

  // "blocks/1,keepalive/1". Total: what is malformed, twice there or beyond 32 entries is left out,
  // because the key comes from outside and must never fail a call.
  static ExtensionSet Parse(std::string_view text);
  // Sorted by name; empty for the empty set, which is not sent at all.
  std::string ToString() const;

  // `extension` as one of the constants above: same name, same version.
  bool Has(std::string_view extension) const;
  bool empty() const { return versions_.empty(); }
  // What both sides speak: names that both have, in the lower of their versions.
  ExtensionSet Intersect(const ExtensionSet& other) const;

  friend bool operator==(const ExtensionSet&, const ExtensionSet&) = default;

 private:
  void Add(std::string_view extension);

  std::map<std::string, int, std::less<>> versions_;
};

}  // namespace dragonfly::common::rpc
