#pragma once

#include <string_view>

#include "absl/status/status.h"

namespace dragonfly::manager::store::sql {

// What an error number of MySQL or MariaDB means to a caller of Connection, and its message without
// the values that some servers repeat in it (a value may be a secret).
absl::Status StatusOfMysql(int code, std::string_view message, std::string_view doing);

}  // namespace dragonfly::manager::store::sql
