#pragma once

#include "common/config/schema.h"
#include "dfdaemon/app/config.h"

namespace dragonfly::dfdaemon::app {

// dfdaemon.yaml as a table over `config`, which must outlive it.
common::config::Schema MakeSchema(Config& config, common::config::Schema::Options options);

}  // namespace dragonfly::dfdaemon::app
