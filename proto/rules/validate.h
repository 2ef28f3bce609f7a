#pragma once

#include "absl/status/status.h"

namespace google::protobuf {
class Message;
}

namespace dragonfly::proto::rules {

// Applies the table (table.h) to `message` and to every message in it. OK, or INVALID_ARGUMENT for
// the first field in breach, as "path.to.field[2]: what is wrong with which value; what to send
// instead". Values of secrets (headers, credentials, the user and the query of a URL) are not
// repeated.
//
// `message` is of a generated type. The rules of a type are gathered at its first use and kept.
// Nesting is followed 16 deep; deeper messages are refused. Any thread.
absl::Status Validate(const google::protobuf::Message& message);

}  // namespace dragonfly::proto::rules
