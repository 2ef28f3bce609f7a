#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "common/digest/crc32.h"
#include "common/os/simulated_env.h"
#include "dfdaemon/storage/open_store.h"

namespace dragonfly::dfdaemon::storage {

using common::id::TaskKind;
using core::kBlockBytes;

inline TaskKey KeyOf(TaskKind kind, char letter = 'a') { return {kind, std::string(64, letter)}; }

// Bytes that differ from offset to offset and task to task.
inline std::string BytesOf(uint64_t offset, uint64_t length, char seed) {
  std::string bytes(static_cast<size_t>(length), '\0');
  for (uint64_t i = 0; i < length; ++i) {
    bytes[static_cast<size_t>(i)] =
        static_cast<char>((offset + i) * 31 + (offset + i) / 977 + static_cast<uint64_t>(seed));
  }
  return bytes;
}

inline std::span<const std::byte> AsBytes(const std::string& text) {
  return std::as_bytes(std::span<const char>(text));
}

inline StoreOptions KeepOptions(const std::string& dir = "/data") {
  StoreOptions options;
  options.dir = dir;
  options.keep = true;
  // Every Sync of a test may write the journal anew.
  options.journal_rewrite_bytes = 1024;
  return options;
}

inline CreateOptions CreateFor(uint64_t piece_length, std::optional<uint64_t> length) {
  CreateOptions create;
  create.url = "http://h/f";
  create.piece_length = piece_length;
  create.content_length = length;
  return create;
}

// Writes piece `number` of `length` bytes in blocks.
inline absl::Status WritePiece(TaskFile& task, PieceNumber number, uint64_t length,
                               char seed = 'a') {
  absl::StatusOr<std::unique_ptr<PieceWriter>> writer = task.Begin(number);
  if (!writer.ok()) return writer.status();
  const std::string bytes = BytesOf(number * task.meta().geometry.piece_length, length, seed);
  for (uint64_t at = 0; at < length; at += kBlockBytes) {
    const std::string block = bytes.substr(static_cast<size_t>(at), kBlockBytes);
    if (absl::Status wrote = (*writer)->Write(AsBytes(block), true); !wrote.ok()) return wrote;
  }
  return (*writer)
      ->Commit(common::digest::Crc32(bytes), "parent", core::TrafficType::kRemotePeer,
               absl::Seconds(1))
      .status();
}

// What the store serves as piece `number`; an error if it has none.
inline absl::StatusOr<std::string> ServePiece(TaskFile& task, PieceNumber number) {
  absl::StatusOr<std::unique_ptr<PieceReader>> reader = task.OpenPiece(number);
  if (!reader.ok()) return reader.status();
  std::string bytes(static_cast<size_t>((*reader)->info().length), '\0');
  absl::Status read = (*reader)->ReadAt(0, std::as_writable_bytes(std::span<char>(bytes)));
  if (!read.ok()) return read;
  return bytes;
}

}  // namespace dragonfly::dfdaemon::storage
