#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/time/time.h"

namespace dragonfly::manager::rest {

// Writes JSON text as the original does: "<", ">", "&" and the line separators of JavaScript are
// escaped, so that an answer that ends up in a page does no harm. Bytes that are not UTF-8 become
// U+FFFD. The caller balances Begin and End.
class JsonWriter {
 public:
  JsonWriter& BeginObject() { return Open('{'); }
  JsonWriter& EndObject() { return Close('}'); }
  JsonWriter& BeginArray() { return Open('['); }
  JsonWriter& EndArray() { return Close(']'); }
  JsonWriter& Key(std::string_view name);
  JsonWriter& Text(std::string_view value);
  JsonWriter& Integer(int64_t value);
  JsonWriter& Boolean(bool value);
  JsonWriter& Null();
  // RFC 3339 in UTC with the digits it needs; the year 1 for a time that nobody has set, as the
  // original shows it.
  JsonWriter& Time(absl::Time value);
  // A value that is JSON already.
  JsonWriter& Raw(std::string_view json);

  std::string Take() { return std::move(out_); }

 private:
  JsonWriter& Open(char bracket);
  JsonWriter& Close(char bracket);
  void Separate();

  std::string out_;
  bool needs_comma_ = false;
};

std::string EscapeForHtml(std::string_view json);

}  // namespace dragonfly::manager::rest
