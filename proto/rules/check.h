#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "proto/rules/table.h"

// One rule against one value. Each answers "" where the value passes, else the text that follows
// "field: " in the status: the value where it may be shown, what is wrong with it, and what to
// send. Pure. A rule of a kind that does not fit the value's type passes everything; a test keeps
// such rows out.
namespace dragonfly::proto::rules {

std::string StringProblem(const Rule& rule, std::string_view value);
std::string IntegerProblem(const Rule& rule, std::int64_t value);
std::string UnsignedProblem(const Rule& rule, std::uint64_t value);
std::string DoubleProblem(const Rule& rule, double value);
std::string EnumProblem(const Rule& rule, const google::protobuf::EnumDescriptor& type, int value);
std::string CountProblem(const Rule& rule, std::int64_t count);
std::string DurationProblem(const Rule& rule, const google::protobuf::Duration& value);
std::string TimestampProblem(const google::protobuf::Timestamp& value);
std::string HeaderProblem(std::string_view name, std::string_view value);

}  // namespace dragonfly::proto::rules
