#include "proto/rules/plan.h"

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>

#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <unordered_map>

namespace dragonfly::proto::rules {
namespace {

using ::google::protobuf::Descriptor;
using ::google::protobuf::FieldDescriptor;

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

bool IsTime(const Descriptor& type) {
  return &type == ::google::protobuf::Duration::descriptor() ||
         &type == ::google::protobuf::Timestamp::descriptor();
}

// What a field gets without a row.
Rule DefaultRule(const FieldDescriptor& field) {
  if (field.type() == FieldDescriptor::TYPE_STRING) return Text(0);
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_DOUBLE) {
    return {Kind::kFinite, false, 0, kNoLimit, {}};
  }
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && IsTime(*field.message_type())) {
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
  const bool is_message = field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
  if (is_message && !IsTime(*field.message_type())) step.child = &Make(*field.message_type());
  if (field.is_repeated()) {
    step.shape = Shape::kRepeated;
    return step.rule.kind != Kind::kNone || step.child != nullptr;
  }
  if (is_message) {
    step.shape = Shape::kMessage;
    step.required = step.rule.kind == Kind::kRequired ||
                    (step.rule.kind == Kind::kSeconds && !field.has_optional_keyword());
    return true;
  }
  step.shape = Shape::kScalar;
  return step.rule.kind != Kind::kNone;
}

const Plan& Plans::Make(const Descriptor& type) {
  const auto [entry, is_new] = plans_.try_emplace(&type);
  if (!is_new) return *entry->second;
  entry->second = std::make_unique<Plan>();
  Plan& plan = *entry->second;  // `entry` does not survive the insertions below, the Plan does
  for (int i = 0; i < type.field_count(); ++i) {
    Step step;
    if (MakeStep(*type.field(i), step)) plan.steps.push_back(step);
  }
  for (int i = 0; i < type.real_oneof_decl_count(); ++i) {
    const auto* oneof = type.oneof_decl(i);
    const Row* row = FindRow(type.full_name(), oneof->name());
    if (row == nullptr) continue;
    Step step;
    step.oneof = oneof;
    step.shape = Shape::kOneof;
    step.rule = row->rule;
    plan.steps.push_back(step);
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
