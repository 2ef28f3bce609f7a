#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <gtest/gtest.h>

#include <array>
#include <set>
#include <string>

#include "proto/common_v2.pb.h"
#include "proto/dfdaemon_v2.pb.h"
#include "proto/errordetails_v2.pb.h"
#include "proto/manager_v2.pb.h"
#include "proto/scheduler_v2.pb.h"
#include "tests/unit/proto/wire_facts.h"

// What is compiled in is exactly what the facts say: nothing missing, extra, renumbered or retyped.
namespace dragonfly::proto {
namespace {

using ::google::protobuf::Descriptor;
using ::google::protobuf::DescriptorProto;
using ::google::protobuf::FieldDescriptor;
using ::google::protobuf::FileDescriptor;

std::array<const FileDescriptor*, 5> Files() {
  return {::common::v2::Peer::descriptor()->file(),
          ::errordetails::v2::Backend::descriptor()->file(),
          ::scheduler::v2::AnnouncePeerRequest::descriptor()->file(),
          ::dfdaemon::v2::SyncPiecesRequest::descriptor()->file(),
          ::manager::v2::Scheduler::descriptor()->file()};
}

std::string TypeOf(const FieldDescriptor& field) {
  if (field.is_map()) {
    return TypeOf(*field.message_type()->map_key()) + "," +
           TypeOf(*field.message_type()->map_value());
  }
  if (field.message_type() != nullptr) return field.message_type()->full_name();
  if (field.enum_type() != nullptr) return field.enum_type()->full_name();
  return field.type_name();
}

std::string PresenceOf(const FieldDescriptor& field) {
  if (field.is_map()) return "map";
  if (field.is_repeated()) return "repeated";
  if (field.has_optional_keyword()) return "optional";
  if (field.real_containing_oneof() != nullptr) {
    return "oneof:" + field.real_containing_oneof()->name();
  }
  return "single";
}

const Descriptor* FindMessage(const std::string& name) {
  for (const FileDescriptor* file : Files()) {
    if (const Descriptor* found = file->pool()->FindMessageTypeByName(name)) return found;
  }
  return nullptr;
}

TEST(WireDescriptors, EveryFieldOfTheFactsIsCompiledIn) {
  ASSERT_GT(Facts().messages.size(), 150u);
  for (const auto& [name, fact] : Facts().messages) {
    const Descriptor* message = FindMessage(name);
    ASSERT_NE(message, nullptr) << "message " << name << " is missing";
    for (const FieldFact& expected : fact.fields) {
      SCOPED_TRACE(name + "." + expected.name);
      const FieldDescriptor* field = message->FindFieldByName(expected.name);
      ASSERT_NE(field, nullptr) << "is missing";
      EXPECT_EQ(field->number(), expected.number) << "is renumbered";
      EXPECT_EQ(TypeOf(*field), expected.type) << "is retyped";
      EXPECT_EQ(PresenceOf(*field), expected.presence) << "has another presence";
    }
    for (const std::string& oneof : fact.required_oneofs) {
      EXPECT_NE(message->FindOneofByName(oneof), nullptr) << name << "." << oneof;
    }
  }
}

TEST(WireDescriptors, NothingIsCompiledInThatTheFactsDoNotKnow) {
  for (const FileDescriptor* file : Files()) {
    for (int i = 0; i < file->message_type_count(); ++i) {
      const Descriptor& message = *file->message_type(i);
      const auto fact = Facts().messages.find(message.full_name());
      ASSERT_NE(fact, Facts().messages.end()) << message.full_name() << " is extra";
      std::set<std::string> known;
      for (const FieldFact& field : fact->second.fields) known.insert(field.name);
      for (int j = 0; j < message.field_count(); ++j) {
        EXPECT_TRUE(known.contains(message.field(j)->name()))
            << message.field(j)->full_name() << " is extra";
      }
    }
  }
}

TEST(WireDescriptors, RetiredNumbersAndNamesAreReserved) {
  for (const auto& [name, fact] : Facts().messages) {
    const Descriptor* message = FindMessage(name);
    ASSERT_NE(message, nullptr) << name;
    DescriptorProto text;
    message->CopyTo(&text);
    int reserved = 0;
    for (const auto& range : text.reserved_range()) reserved += range.end() - range.start();
    EXPECT_EQ(static_cast<size_t>(reserved), fact.reserved.size()) << name;
    EXPECT_EQ(static_cast<size_t>(text.reserved_name_size()), fact.reserved.size()) << name;
    for (const auto& [number, retired] : fact.reserved) {
      EXPECT_TRUE(message->IsReservedNumber(number)) << name << " " << number;
      EXPECT_TRUE(message->IsReservedName(retired)) << name << " " << retired;
    }
  }
}

TEST(WireDescriptors, EnumsHaveTheValuesOfTheFactsAndNoOthers) {
  size_t compiled = 0;
  for (const FileDescriptor* file : Files()) {
    for (int i = 0; i < file->enum_type_count(); ++i, ++compiled) {
      const auto& type = *file->enum_type(i);
      std::map<int, std::string> values;
      for (int j = 0; j < type.value_count(); ++j) {
        values[type.value(j)->number()] = type.value(j)->name();
      }
      const auto fact = Facts().enums.find(type.full_name());
      ASSERT_NE(fact, Facts().enums.end()) << type.full_name() << " is extra";
      EXPECT_EQ(values, fact->second) << type.full_name();
    }
  }
  EXPECT_EQ(compiled, Facts().enums.size());
}

TEST(WireDescriptors, ServicesHaveTheRpcsOfTheFactsAndNoOthers) {
  size_t compiled = 0;
  for (const FileDescriptor* file : Files()) {
    for (int i = 0; i < file->service_count(); ++i, ++compiled) {
      const auto& service = *file->service(i);
      const auto fact = Facts().services.find(service.full_name());
      ASSERT_NE(fact, Facts().services.end()) << service.full_name() << " is extra";
      EXPECT_EQ(static_cast<size_t>(service.method_count()), fact->second.size())
          << service.full_name();
      for (const RpcFact& expected : fact->second) {
        SCOPED_TRACE(service.full_name() + "/" + expected.name);
        const auto* rpc = service.FindMethodByName(expected.name);
        ASSERT_NE(rpc, nullptr) << "is missing";
        EXPECT_EQ(rpc->input_type()->full_name(), expected.request);
        EXPECT_EQ(rpc->output_type()->full_name(), expected.response);
        EXPECT_EQ(rpc->client_streaming(), expected.client_streams);
        EXPECT_EQ(rpc->server_streaming(), expected.server_streams);
      }
    }
  }
  EXPECT_EQ(compiled, Facts().services.size());
}

// Bytes as another implementation writes them: field 1 "h", 2 "t", 3 "p", 12 { 1 { 1: 7, 5:
// "crc32:1" } }.
TEST(WireDescriptors, ReadsAnAnnouncePeerRequestFromItsBytes) {
  const std::string bytes(
      "\x0a\x01h\x12\x01t\x1a\x01p\x62\x0d\x0a\x0b\x08\x07\x2a\x07"
      "crc32:1",
      24);
  ::scheduler::v2::AnnouncePeerRequest request;
  ASSERT_TRUE(request.ParseFromString(bytes));
  EXPECT_EQ(request.host_id(), "h");
  EXPECT_EQ(request.download_piece_finished_request().piece().number(), 7u);
  EXPECT_EQ(request.download_piece_finished_request().piece().digest(), "crc32:1");
  EXPECT_EQ(request.SerializeAsString(), bytes);
}

TEST(WireDescriptors, UnsetPieceLengthDiffersFromZero) {
  ::common::v2::Download unset, zero;
  zero.set_piece_length(0);
  EXPECT_FALSE(unset.has_piece_length());
  EXPECT_TRUE(zero.has_piece_length());
  EXPECT_NE(unset.SerializeAsString(), zero.SerializeAsString());
}

TEST(WireDescriptors, FieldsOfNewerVersionsSurviveTheRoundTrip) {
  const std::string bytes(
      "\x92\x02\x03"
      "abc",
      6);  // field 34, length-delimited
  ::common::v2::Download download;
  ASSERT_TRUE(download.ParseFromString(bytes));
  EXPECT_EQ(download.SerializeAsString(), bytes);
}

TEST(WireDescriptors, Sec_B14_TextThatIsNotUtf8IsRefusedWhenRead) {
  const std::string bytes("\x0a\x02\xff\xfe", 4);  // Peer.id
  ::common::v2::Peer peer;
  EXPECT_FALSE(peer.ParseFromString(bytes));
}

}  // namespace
}  // namespace dragonfly::proto
