#pragma once

#include <string>
#include <vector>

#include "manager/rest/route.h"

namespace dragonfly::manager::rest {

// The table as an OpenAPI 3 document (JSON), and as the reference page (Markdown).
std::string OpenApiDocument(const std::vector<Route>& routes);
std::string ReferencePage(const std::vector<Route>& routes);

}  // namespace dragonfly::manager::rest
