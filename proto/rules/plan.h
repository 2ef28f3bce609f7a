#pragma once

#include <google/protobuf/descriptor.h>

#include <vector>

#include "proto/rules/table.h"

// The rows of one message type, resolved to its descriptor: what Validate() runs through per
// message.
namespace dragonfly::proto::rules {

struct Plan;

enum class Shape : std::uint8_t {
  kScalar,
  kMessage,
  kDuration,
  kTimestamp,
  kRepeated,
  kMap,
  kOneof
};

// One field (or oneof) and all that is asked of it.
struct Step {
  const google::protobuf::FieldDescriptor* field = nullptr;  // null for kOneof
  const google::protobuf::OneofDescriptor* oneof = nullptr;
  Shape shape = Shape::kScalar;
  Rule rule;
  bool required = false;  // kMessage: must be present
  const Plan* child =
      nullptr;  // kMessage, kRepeated of messages; types refer to each other in circles
  std::vector<Step> members;  // kOneof: its fields, of which one at most is looked at
};

struct Plan {
  std::vector<Step> steps;
};

// The plan of a generated message type, made at its first use, kept for the life of the process and
// never changed after. Any thread.
const Plan& PlanOf(const google::protobuf::Descriptor& type);

}  // namespace dragonfly::proto::rules
