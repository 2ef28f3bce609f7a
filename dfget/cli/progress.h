#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "absl/time/time.h"

namespace dragonfly::dfget::cli {

enum class From : uint8_t { kOrigin, kPeers, kDisk, kUnknown };

// Bytes of a download by where they came from.
struct Traffic {
  uint64_t bytes = 0;
  uint64_t from_peers = 0;
  uint64_t from_origin = 0;
  uint64_t from_disk = 0;  // of the daemon's host

  void Add(uint64_t count, From from);
};

// How far a download is, and the line that says so. Pure: told the time. Threading: one at a time.
class Progress {
 public:
  explicit Progress(absl::Time start) : start_(start) {}

  // nullopt: nobody knows how long the content is.
  void SetTotal(std::optional<uint64_t> total_bytes) { total_ = total_bytes; }
  void Add(uint64_t bytes, From from, absl::Time now);

  const Traffic& traffic() const { return traffic_; }
  absl::Duration elapsed(absl::Time now) const { return now - start_; }
  // Over the last seconds, not since the start.
  double BytesPerSecond(absl::Time now) const;

  // At most `columns` wide: "42% 1.2 GiB of 2.9 GiB, 103.4 MiB/s, 17s left, peers 80% origin 20%"
  // behind a bar, as far as there is room.
  std::string Line(absl::Time now, size_t columns) const;

 private:
  struct Sample {
    absl::Time at;
    uint64_t bytes;
  };
  std::string Facts(absl::Time now) const;
  // 0 to 1; nullopt while the total is unknown.
  std::optional<double> Fraction() const;

  const absl::Time start_;
  std::optional<uint64_t> total_;
  Traffic traffic_;
  std::deque<Sample> samples_;  // of the last seconds, bounded
};

// "1.2 GiB", "17 B".
std::string ByteText(double bytes);

}  // namespace dragonfly::dfget::cli
