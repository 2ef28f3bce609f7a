#include "proto/rules/table.h"

#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <utility>

#include "proto/common_v2.pb.h"
#include "proto/dfdaemon_v2.pb.h"
#include "proto/manager_v2.pb.h"
#include "proto/scheduler_v2.pb.h"
#include "tests/unit/proto/wire_facts.h"

namespace dragonfly::proto::rules {
namespace {

using ::google::protobuf::Descriptor;
using ::google::protobuf::DescriptorPool;
using ::google::protobuf::FieldDescriptor;

const Descriptor* const kPackages[] = {
    ::common::v2::Peer::descriptor(), ::scheduler::v2::AnnouncePeerRequest::descriptor(),
    ::dfdaemon::v2::SyncPiecesRequest::descriptor(), ::manager::v2::Scheduler::descriptor()};

std::vector<Row> AllRows() {
  std::vector<Row> rows;
  for (const auto part : {CommonRows(), SchedulerRows(), DfdaemonRows(), ManagerRows()}) {
    rows.insert(rows.end(), part.begin(), part.end());
  }
  return rows;
}

bool Fits(Kind kind, const FieldDescriptor& field) {
  const bool time = field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
  switch (kind) {
    case Kind::kRequired:
      return time && !field.is_repeated();
    case Kind::kText:
    case Kind::kId:
    case Kind::kUri:
    case Kind::kIp:
    case Kind::kDigest:
    case Kind::kHostname:
    case Kind::kChoice:
      return field.type() == FieldDescriptor::TYPE_STRING && !field.is_repeated();
    case Kind::kBytes:
      return field.type() == FieldDescriptor::TYPE_BYTES && !field.is_repeated();
    case Kind::kKnownEnum:
      return field.enum_type() != nullptr && !field.is_repeated();
    case Kind::kRange:
      return field.enum_type() == nullptr && !time && !field.is_repeated() &&
             field.cpp_type() != FieldDescriptor::CPPTYPE_STRING &&
             field.cpp_type() != FieldDescriptor::CPPTYPE_BOOL;
    case Kind::kItems:
      return field.is_repeated() && !field.is_map();
    case Kind::kSeconds:
      return time && field.message_type()->full_name() == "google.protobuf.Duration";
    case Kind::kHeaders:
      return field.is_map();
    case Kind::kNone:
    case Kind::kFinite:
    case Kind::kCanonical:
      return false;  // defaults, not for rows
  }
  return false;
}

TEST(RuleTable, EveryRowNamesAFieldOfAFittingType) {
  ASSERT_NE(kPackages[0], nullptr);
  for (const Row& row : AllRows()) {
    const std::string name(row.message), field_name(row.field);
    SCOPED_TRACE(name + "." + field_name);
    const Descriptor* type = DescriptorPool::generated_pool()->FindMessageTypeByName(name);
    ASSERT_NE(type, nullptr);
    if (type->FindOneofByName(field_name) != nullptr) {
      EXPECT_EQ(row.rule.kind, Kind::kRequired);
      continue;
    }
    const FieldDescriptor* field = type->FindFieldByName(field_name);
    ASSERT_NE(field, nullptr);
    EXPECT_TRUE(Fits(row.rule.kind, *field));
    EXPECT_LE(row.rule.lo, row.rule.hi);
    EXPECT_EQ(row.rule.choices.empty(), row.rule.kind != Kind::kChoice);
  }
}

TEST(RuleTable, AFieldHasOneRow) {
  std::set<std::pair<std::string_view, std::string_view>> seen;
  for (const Row& row : AllRows()) {
    EXPECT_TRUE(seen.insert({row.message, row.field}).second) << row.message << "." << row.field;
  }
}

// A rule that other implementations do not have may only refuse what none of them sends.
TEST(RuleTable, RowsBeyondTheProtocolAreHeadersDurationsAndIds) {
  for (const Row& row : AllRows()) {
    const MessageFact& message = Facts().messages.at(std::string(row.message));
    for (const FieldFact& field : message.fields) {
      if (field.name != row.field || field.rule.kind != "-") continue;
      EXPECT_TRUE(row.rule.kind == Kind::kHeaders || row.rule.kind == Kind::kSeconds ||
                  row.rule.kind == Kind::kId)
          << row.message << "." << row.field;
    }
  }
}

}  // namespace
}  // namespace dragonfly::proto::rules
