#include "proto/rules/plan.h"

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>

#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <utility>

namespace dragonfly::proto::rules {
namespace {

using ::google::protobuf::Descriptor;
using ::google::protobuf::FieldDescriptor;
using ::google::protobuf::OneofDescriptor;

// A memo of pure functions of the table and the generated descriptors, both constant: the only
// state of this library, and invisible from outside but for its speed.
class Plans {
 public:
  const Plan& Of(const Descriptor& type) {
    {
      const std::shared_lock lock(mutex_);
      if (const auto found = plans_.find(&type); found != plans_.end()) return *found->second;
    }
    const std::unique_lock lock(mutex_);
    return Make(type);
  }

 private:
  // Needs mutex_. A type's plan is entered before its fields' types are made, which ends circles;
  // nobody sees it unfinished, since all that it reaches is made under the same lock.
  const Plan& Make(const Descriptor& type);
  bool MakeStep(const FieldDescriptor& field, Step& step);
  Step MakeOneof(const OneofDescriptor& oneof);

  std::shared_mutex mutex_;  // guards plans_; a finished Plan is read without it
  std::unordered_map<const Descriptor*, std::unique_ptr<Plan>> plans_;
};

const Row* FindRow(std::string_view message, std::string_view field) {
  for (const auto rows : {CommonRows(), SchedulerRows(), DfdaemonRows(), ManagerRows()}) {
    for (const Row& row : rows) {
      if (row.message == message && row.field == field) return &row;
    }
  }
  return nullptr;
}

Shape ShapeOf(const Descriptor& type) {
  if (&type == ::google::protobuf::Duration::descriptor()) return Shape::kDuration;
  if (&type == ::google::protobuf::Timestamp::descriptor()) return Shape::kTimestamp;
  return Shape::kMessage;
}

// What a field gets without a row.
Rule DefaultRule(const FieldDescriptor& field) {
  if (field.type() == FieldDescriptor::TYPE_STRING) return Text(0);
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_DOUBLE) {
    return {Kind::kFinite, false, 0, kNoLimit, {}};
  }
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE &&
      ShapeOf(*field.message_type()) != Shape::kMessage) {
    return {Kind::kCanonical, false, 0, kNoLimit, {}};
  }
  return {};
}

// False where nothing is to be checked.
bool Plans::MakeStep(const FieldDescriptor& field, Step& step) {
  const Row* row = FindRow(field.containing_type()->full_name(), field.name());
  step.field = &field;
  step.rule = row != nullptr ? row->rule : DefaultRule(field);
  if (field.is_map()) {
    step.shape = Shape::kMap;
    return step.rule.kind == Kind::kHeaders;
  }
  const Descriptor* type = field.message_type();
  const Shape shape = type != nullptr ? ShapeOf(*type) : Shape::kScalar;
  if (shape == Shape::kMessage) step.child = &Make(*type);
  if (field.is_repeated()) {
    step.shape = Shape::kRepeated;
    return step.rule.kind != Kind::kNone || step.child != nullptr;
  }
  step.shape = shape;
  step.required = step.rule.kind == Kind::kRequired ||
                  (step.rule.kind == Kind::kSeconds && !field.has_optional_keyword());
  return step.rule.kind != Kind::kNone || step.child != nullptr;
}

Step Plans::MakeOneof(const OneofDescriptor& oneof) {
  const Row* row = FindRow(oneof.containing_type()->full_name(), oneof.name());
  Step step;
  step.oneof = &oneof;
  step.shape = Shape::kOneof;
  step.required = row != nullptr && row->rule.kind == Kind::kRequired;
  for (int i = 0; i < oneof.field_count(); ++i) {
    Step member;
    if (MakeStep(*oneof.field(i), member)) step.members.push_back(std::move(member));
  }
  return step;
}

const Plan& Plans::Make(const Descriptor& type) {
  const auto [entry, is_new] = plans_.try_emplace(&type);
  if (!is_new) return *entry->second;
  entry->second = std::make_unique<Plan>();
  Plan& plan = *entry->second;  // `entry` does not survive the insertions below, the Plan does
  for (int i = 0; i < type.field_count(); ++i) {
    Step step;
    if (type.field(i)->real_containing_oneof() != nullptr) continue;
    if (MakeStep(*type.field(i), step)) plan.steps.push_back(std::move(step));
  }
  for (int i = 0; i < type.real_oneof_decl_count(); ++i) {
    plan.steps.push_back(MakeOneof(*type.oneof_decl(i)));
  }
  return plan;
}

}  // namespace

const Plan& PlanOf(const Descriptor& type) {
  static Plans* const plans =
      new Plans;  // never destroyed: threads may validate until the very end
  return plans->Of(type);
}

}  // namespace dragonfly::proto::rules
