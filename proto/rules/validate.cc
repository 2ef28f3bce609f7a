#include "proto/rules/validate.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/duration.pb.h>
#include <google/protobuf/message.h>
#include <google/protobuf/timestamp.pb.h>

#include <string>
#include <string_view>

#include "proto/rules/check.h"
#include "proto/rules/plan.h"

namespace dragonfly::proto::rules {
namespace {

namespace pb = ::google::protobuf;
using pb::FieldDescriptor;

// Five are used by the deepest message of today (a rescheduling with parents, their tasks and
// pieces).
constexpr int kMaxDepth = 16;

// What is wrong, and the path to it, put together on the way back up: nothing is built on success.
struct Breach {
  std::string path;
  std::string problem;

  // Puts a field's name in front; an index belongs to the name before it.
  void Under(const std::string& name) {
    const bool joined = path.empty() || path.front() == '[';
    path.insert(0, joined ? name : name + ".");
  }
};

// Each returns true where all is well, or fills `breach`.
bool Walk(const Plan& plan, const pb::Message& message, int depth, Breach& breach);

bool Settle(std::string problem, Breach& breach) {
  if (problem.empty()) return true;
  breach.problem = std::move(problem);
  return false;
}

std::string NumberProblemOf(const Rule& rule, const FieldDescriptor* field,
                            const pb::Reflection& reflection, const pb::Message& message) {
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return IntegerProblem(rule, reflection.GetInt32(message, field));
    case FieldDescriptor::CPPTYPE_INT64:
      return IntegerProblem(rule, reflection.GetInt64(message, field));
    case FieldDescriptor::CPPTYPE_UINT32:
      return IntegerProblem(rule, std::int64_t{reflection.GetUInt32(message, field)});
    case FieldDescriptor::CPPTYPE_UINT64:
      return UnsignedProblem(rule, reflection.GetUInt64(message, field));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return DoubleProblem(rule, reflection.GetDouble(message, field));
    default:
      return {};
  }
}

bool CheckScalar(const Step& step, const pb::Message& message, Breach& breach) {
  const pb::Reflection& reflection = *message.GetReflection();
  if (step.field->has_presence() && !reflection.HasField(message, step.field)) return true;
  if (step.field->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
    std::string scratch;
    return Settle(
        StringProblem(step.rule, reflection.GetStringReference(message, step.field, &scratch)),
        breach);
  }
  if (step.field->cpp_type() == FieldDescriptor::CPPTYPE_ENUM) {
    const int value = reflection.GetEnumValue(message, step.field);
    return Settle(EnumProblem(step.rule, *step.field->enum_type(), value), breach);
  }
  return Settle(NumberProblemOf(step.rule, step.field, reflection, message), breach);
}

bool CheckSubmessage(const Step& step, const pb::Message& message, int depth, Breach& breach) {
  const pb::Reflection& reflection = *message.GetReflection();
  if (!reflection.HasField(message, step.field)) {
    return Settle(step.required ? "is missing; it is required" : "", breach);
  }
  const pb::Message& child = reflection.GetMessage(message, step.field);
  if (step.shape == Shape::kDuration) {
    return Settle(DurationProblem(step.rule, static_cast<const pb::Duration&>(child)), breach);
  }
  if (step.shape == Shape::kTimestamp) {
    return Settle(TimestampProblem(static_cast<const pb::Timestamp&>(child)), breach);
  }
  return Walk(*step.child, child, depth + 1, breach);
}

bool CheckHeaders(const Step& step, const pb::Message& message, Breach& breach) {
  const pb::Reflection& reflection = *message.GetReflection();
  const FieldDescriptor* key = step.field->message_type()->map_key();
  const FieldDescriptor* value = step.field->message_type()->map_value();
  const int count = reflection.FieldSize(message, step.field);
  for (int i = 0; i < count; ++i) {
    const pb::Message& entry = reflection.GetRepeatedMessage(message, step.field, i);
    const pb::Reflection& fields = *entry.GetReflection();
    std::string problem =
        HeaderProblem(fields.GetString(entry, key), fields.GetString(entry, value));
    if (!problem.empty()) return Settle(std::move(problem), breach);
  }
  return true;
}

bool CheckElements(const Step& step, const pb::Message& message, int depth, Breach& breach) {
  const pb::Reflection& reflection = *message.GetReflection();
  const int count = reflection.FieldSize(message, step.field);
  if (step.rule.kind == Kind::kItems && !Settle(CountProblem(step.rule, count), breach))
    return false;
  for (int i = 0; i < count; ++i) {
    bool good = true;
    if (step.child != nullptr) {
      const pb::Message& element = reflection.GetRepeatedMessage(message, step.field, i);
      good = Walk(*step.child, element, depth + 1, breach);
    } else if (step.field->type() == FieldDescriptor::TYPE_STRING) {
      std::string scratch;
      const std::string& text =
          reflection.GetRepeatedStringReference(message, step.field, i, &scratch);
      good = Settle(StringProblem(Text(0), text), breach);
    } else {
      return true;
    }
    if (!good) {
      breach.Under("[" + std::to_string(i) + "]");
      return false;
    }
  }
  return true;
}

bool CheckField(const Step& step, const pb::Message& message, int depth, Breach& breach) {
  bool good = true;
  switch (step.shape) {
    case Shape::kScalar:
      good = CheckScalar(step, message, breach);
      break;
    case Shape::kMessage:
    case Shape::kDuration:
    case Shape::kTimestamp:
      good = CheckSubmessage(step, message, depth, breach);
      break;
    case Shape::kMap:
      good = CheckHeaders(step, message, breach);
      break;
    case Shape::kRepeated:
      good = CheckElements(step, message, depth, breach);
      break;
    case Shape::kOneof:
      break;
  }
  if (!good) breach.Under(step.field->name());
  return good;
}

bool CheckOneof(const Step& step, const pb::Message& message, int depth, Breach& breach) {
  const FieldDescriptor* member =
      message.GetReflection()->GetOneofFieldDescriptor(message, step.oneof);
  if (member == nullptr) {
    if (!step.required) return true;
    breach.path = step.oneof->name();
    breach.problem =
        "is missing; exactly one of its fields is required, and this version may not know the one "
        "that was sent";
    return false;
  }
  for (const Step& candidate : step.members) {
    if (candidate.field == member) return CheckField(candidate, message, depth, breach);
  }
  return true;
}

bool Walk(const Plan& plan, const pb::Message& message, int depth, Breach& breach) {
  if (depth > kMaxDepth) return Settle("is nested too deep; 16 levels are allowed", breach);
  for (const Step& step : plan.steps) {
    const bool good = step.shape == Shape::kOneof ? CheckOneof(step, message, depth, breach)
                                                  : CheckField(step, message, depth, breach);
    if (!good) return false;
  }
  return true;
}

}  // namespace

absl::Status Validate(const pb::Message& message) {
  Breach breach;
  if (Walk(PlanOf(*message.GetDescriptor()), message, 1, breach)) return absl::OkStatus();
  return absl::InvalidArgumentError(breach.path + ": " + breach.problem);
}

}  // namespace dragonfly::proto::rules
