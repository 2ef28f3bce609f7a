#include "common/limit/source.h"

#include <algorithm>
#include <cstring>

namespace dragonfly::common::limit {
namespace {

constexpr std::array<uint8_t, 12> kMappedV4 = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

}  // namespace

Source Source::Of(const net::IpAddress& ip) {
  Source source;
  const std::array<uint8_t, 16>& bytes = ip.bytes();
  if (!ip.is_v6()) {
    std::copy_n(bytes.begin(), 4, source.bytes_.begin());
  } else if (std::equal(kMappedV4.begin(), kMappedV4.end(), bytes.begin())) {
    std::copy_n(bytes.begin() + kMappedV4.size(), 4, source.bytes_.begin());
  } else {
    source.kind_ = Kind::kV6Network;
    std::copy_n(bytes.begin(), source.bytes_.size(), source.bytes_.begin());
  }
  return source;
}

Source Source::OfUser(uid_t uid) {
  Source source;
  source.kind_ = Kind::kUser;
  std::memcpy(source.bytes_.data(), &uid, sizeof(uid));
  return source;
}

std::string Source::ToString() const {
  if (kind_ == Kind::kUser) {
    uid_t uid = 0;
    std::memcpy(&uid, bytes_.data(), sizeof(uid));
    return "uid " + std::to_string(uid);
  }
  if (kind_ == Kind::kV4) {
    return net::IpAddress::V4({bytes_[0], bytes_[1], bytes_[2], bytes_[3]}).ToString();
  }
  std::array<uint8_t, 16> whole{};
  std::copy(bytes_.begin(), bytes_.end(), whole.begin());
  return net::IpAddress::V6(whole).ToString() + "/64";
}

}  // namespace dragonfly::common::limit
