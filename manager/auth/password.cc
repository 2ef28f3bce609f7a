#include "manager/auth/password.h"

#include <crypt.h>
#include <openssl/crypto.h>

#include <array>
#include <atomic>
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "common/status/parse.h"
#include "common/status/reason.h"
#include "common/status/strings.h"
#include "manager/auth/secret.h"

namespace dragonfly::manager::auth {
namespace {

using common::status::ErrorReason;
using common::status::MakeStatus;

// "$2b$12$", 22 characters of salt, 31 of hash.
constexpr size_t kCostAt = 4;
constexpr size_t kSaltAt = 7;
constexpr size_t kHashAt = 29;
constexpr size_t kHashLength = 60;
constexpr size_t kSaltBytes = 16;
constexpr int kLowestCost = 4;  // the original's
constexpr std::string_view kBcryptAlphabet =
    "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

// Only counts; nothing is decided by it.
std::atomic<uint64_t> rounds{0};

std::optional<int> CostOf(std::string_view stored) {
  if (stored.size() != kHashLength || stored.substr(0, 2) != "$2" || stored[3] != '$' ||
      stored[6] != '$' || std::string_view("aby").find(stored[2]) == std::string_view::npos ||
      stored.substr(kSaltAt).find_first_not_of(kBcryptAlphabet) != std::string_view::npos) {
    return std::nullopt;
  }
  const auto cost = common::status::ParseInteger<int>(stored.substr(kCostAt, 2));
  if (!cost || *cost < kLowestCost || *cost > PasswordHasher::kMaxCost) return std::nullopt;
  return cost;
}

// The whole bcrypt text for `setting` (of which the first 29 characters count); nothing for want of
// memory.
std::optional<std::string> Bcrypt(std::string_view password, std::string_view setting, int cost) {
  // crypt takes $2a$ with a safeguard against hashes of a broken program, and so differs from the
  // original's for some passwords beyond ASCII. $2b$ is what the original computes.
  const std::string safe_setting =
      absl::StrCat("$2b$", common::status::Sv(setting.substr(kCostAt)));
  std::string key(password);
  auto data = std::make_unique<crypt_data>();
  rounds.fetch_add(uint64_t{1} << static_cast<unsigned>(cost), std::memory_order_relaxed);
  const char* text = crypt_r(key.c_str(), safe_setting.c_str(), data.get());
  std::optional<std::string> result;
  if (text != nullptr && std::string_view(text).size() == kHashLength) result = text;
  OPENSSL_cleanse(key.data(), key.size());
  OPENSSL_cleanse(data.get(), sizeof *data);
  return result;
}

// What bcrypt reads whole.
bool IsReadable(std::string_view password) {
  return password.size() <= kMaxPasswordBytes && password.find('\0') == std::string_view::npos;
}

absl::Status NoMemory() {
  return MakeStatus(absl::StatusCode::kInternal, ErrorReason::kInternal,
                    "hashing a password with bcrypt failed; is memory short?");
}

}  // namespace

uint64_t BcryptRounds() { return rounds.load(std::memory_order_relaxed); }

absl::Status CheckNewPassword(std::string_view password) {
  std::string why;
  if (password.size() < kMinPasswordBytes || password.size() > kMaxPasswordBytes) {
    why = absl::StrCat("has ", password.size(), " bytes; choose one of ", kMinPasswordBytes, " to ",
                       kMaxPasswordBytes);
  } else if (password.find('\0') != std::string_view::npos) {
    why = "has a zero byte; choose one without";
  } else {
    return absl::OkStatus();
  }
  return MakeStatus(absl::StatusCode::kInvalidArgument, ErrorReason::kInvalidArgument,
                    absl::StrCat("password ", why));
}

absl::StatusOr<PasswordHasher> PasswordHasher::Create(const Options& options) {
  if (options.cost < kMinCost || options.cost > kMaxCost) {
    return MakeStatus(absl::StatusCode::kInvalidArgument, ErrorReason::kInvalidArgument,
                      absl::StrCat("auth.password.cost is ", options.cost, "; write ", kMinCost,
                                   " to ", kMaxCost));
  }
  return PasswordHasher(options.cost);
}

absl::StatusOr<std::string> PasswordHasher::Hash(std::string_view password,
                                                 common::os::Env& env) const {
  if (absl::Status checked = CheckNewPassword(password); !checked.ok()) return checked;
  const std::string salt = RandomBytes(env, kSaltBytes);
  std::array<char, CRYPT_GENSALT_OUTPUT_SIZE> setting{};
  if (crypt_gensalt_rn("$2b$", static_cast<unsigned long>(cost_), salt.data(),
                       static_cast<int>(salt.size()), setting.data(),
                       static_cast<int>(setting.size())) == nullptr) {
    return NoMemory();
  }
  auto hash = Bcrypt(password, setting.data(), cost_);
  if (!hash) return NoMemory();
  return *std::move(hash);
}

void PasswordHasher::SpendTime(std::string_view password) const {
  const std::string setting =
      absl::StrCat("$2b$", cost_, "$", "......................");  // any salt is as good
  Bcrypt(password.substr(0, kMaxPasswordBytes), setting, cost_);
}

absl::StatusOr<bool> PasswordHasher::Verify(std::string_view password,
                                            std::string_view stored) const {
  const std::optional<int> cost = CostOf(stored);
  if (!cost || !IsReadable(password)) {
    SpendTime(password);
    if (cost || stored.empty()) return false;
    return MakeStatus(absl::StatusCode::kDataLoss, ErrorReason::kInternal,
                      "the stored password hash is not bcrypt's; have the password reset");
  }
  const auto hash = Bcrypt(password, stored, *cost);
  if (!hash) return NoMemory();
  const bool equal =
      EqualInConstantTime(std::string_view(*hash).substr(kHashAt), stored.substr(kHashAt));
  // A wrong password for a cheap hash of old must not be told sooner than for a new one.
  if (!equal && *cost < cost_) SpendTime(password);
  return equal;
}

bool PasswordHasher::NeedsRehash(std::string_view stored) const {
  const std::optional<int> cost = CostOf(stored);
  return !cost || *cost < cost_;
}

}  // namespace dragonfly::manager::auth
