#include "common/rpc/hash_ring.h"

#include <algorithm>
#include <bit>
#include <string>

namespace dragonfly::common::rpc {
namespace {

// SipHash-2-4 with the key 0, after the paper of Aumasson and Bernstein.
class SipHash {
 public:
  static uint64_t Of(std::string_view bytes) {
    SipHash hash;
    size_t at = 0;
    for (; at + 8 <= bytes.size(); at += 8) hash.Compress(Word(bytes.substr(at, 8)));
    const uint64_t length = static_cast<uint64_t>(bytes.size() & 0xFFU) << 56;
    hash.Compress(length | Word(bytes.substr(at)));
    return hash.Finish();
  }

 private:
  static uint64_t Word(std::string_view bytes) {
    uint64_t word = 0;
    for (size_t i = 0; i < bytes.size(); ++i) {
      word |= static_cast<uint64_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
    }
    return word;
  }

  void Round() {
    v0_ += v1_;
    v1_ = std::rotl(v1_, 13) ^ v0_;
    v0_ = std::rotl(v0_, 32);
    v2_ += v3_;
    v3_ = std::rotl(v3_, 16) ^ v2_;
    v0_ += v3_;
    v3_ = std::rotl(v3_, 21) ^ v0_;
    v2_ += v1_;
    v1_ = std::rotl(v1_, 17) ^ v2_;
    v2_ = std::rotl(v2_, 32);
  }
  void Compress(uint64_t word) {
    v3_ ^= word;
    Round();
    Round();
    v0_ ^= word;
  }
  uint64_t Finish() {
    v2_ ^= 0xFFU;
    for (int i = 0; i < 4; ++i) Round();
    return v0_ ^ v1_ ^ v2_ ^ v3_;
  }

  uint64_t v0_ = 0x736f6d6570736575U;
  uint64_t v1_ = 0x646f72616e646f6dU;
  uint64_t v2_ = 0x6c7967656e657261U;
  uint64_t v3_ = 0x7465646279746573U;
};

void AppendLittleEndian(std::string& out, uint64_t value, size_t bytes) {
  for (size_t i = 0; i < bytes; ++i) out += static_cast<char>((value >> (8 * i)) & 0xFFU);
}

// Characters, not bytes: upstream counts Unicode scalar values.
std::string_view FirstCharacters(std::string_view text, size_t count) {
  size_t at = 0;
  while (at < text.size()) {
    const bool continues = (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U;
    if (!continues && count-- == 0) break;
    ++at;
  }
  return text.substr(0, at);
}

}  // namespace

uint64_t HashRing::PointOf(const net::Endpoint& scheduler) {
  const net::IpAddress& ip = scheduler.ip;
  std::string bytes;
  AppendLittleEndian(bytes, ip.is_v6() ? 1 : 0, 8);
  const size_t octets = ip.is_v6() ? 16 : 4;
  for (size_t i = 0; i < octets; ++i) bytes += static_cast<char>(ip.bytes()[i]);
  AppendLittleEndian(bytes, scheduler.port, 2);
  if (ip.is_v6()) {
    AppendLittleEndian(bytes, 0, 4);  // flow information
    AppendLittleEndian(bytes, ip.scope_id(), 4);
  }
  return SipHash::Of(bytes);
}

uint64_t HashRing::KeyOf(std::string_view task_id) {
  std::string bytes(FirstCharacters(task_id, 5));
  bytes += '\xFF';
  return SipHash::Of(bytes);
}

HashRing::HashRing(const std::vector<net::Endpoint>& schedulers) {
  for (const net::Endpoint& scheduler : schedulers) {
    Point point;
    point.hash = PointOf(scheduler);
    point.scheduler = scheduler;
    points_.push_back(point);
  }
  std::ranges::sort(points_, [](const Point& a, const Point& b) {
    return a.hash != b.hash ? a.hash < b.hash : a.scheduler < b.scheduler;
  });
  const auto same = std::ranges::unique(
      points_, [](const Point& a, const Point& b) { return a.scheduler == b.scheduler; });
  points_.erase(same.begin(), same.end());
}

size_t HashRing::First(std::string_view task_id) const {
  const auto found = std::ranges::lower_bound(points_, KeyOf(task_id), {}, &Point::hash);
  return found == points_.end() ? 0 : static_cast<size_t>(found - points_.begin());
}

const net::Endpoint* HashRing::Pick(std::string_view task_id) const {
  return points_.empty() ? nullptr : &points_[First(task_id)].scheduler;
}

std::vector<net::Endpoint> HashRing::Order(std::string_view task_id) const {
  std::vector<net::Endpoint> out;
  if (points_.empty()) return out;
  const size_t first = First(task_id);
  out.reserve(points_.size());
  for (size_t i = 0; i < points_.size(); ++i) {
    out.push_back(points_[(first + i) % points_.size()].scheduler);
  }
  return out;
}

}  // namespace dragonfly::common::rpc
