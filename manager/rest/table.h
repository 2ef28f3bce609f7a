#pragma once

#include <string>
#include <vector>

#include "manager/rest/route.h"

namespace dragonfly::manager::rest {

// Every route of the API. `swagger_needs_session`: the OpenAPI document is for who is signed in.
std::vector<Route> MakeRoutes(bool swagger_needs_session);

}  // namespace dragonfly::manager::rest
