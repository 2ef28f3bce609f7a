#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "manager/app/config.h"
#include "manager/store/store.h"

namespace dragonfly::manager::app {

// Opens the database that the configuration names, makes its folder if it is an embedded one, and
// migrates. Errors name the key, the file or the server. Blocks, at most for a minute or two when
// another manager migrates.
absl::StatusOr<std::unique_ptr<store::Store>> OpenDatabase(const Config& config);

}  // namespace dragonfly::manager::app
