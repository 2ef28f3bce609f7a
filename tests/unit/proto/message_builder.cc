#include "tests/unit/proto/message_builder.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/duration.pb.h>

#include <cmath>
#include <functional>
#include <limits>
#include <utility>

namespace dragonfly::proto {
namespace {

namespace pb = ::google::protobuf;
using pb::FieldDescriptor;

const std::string kHex(128, 'a');

const FieldDescriptor* FieldOf(const pb::Message& message, const std::string& name) {
  return message.GetDescriptor()->FindFieldByName(name);
}

void SetText(pb::Message& message, const FieldDescriptor* field, const std::string& value) {
  message.GetReflection()->SetString(&message, field, value);
}

// `value` as far as the field's type can hold it; false where it cannot.
bool SetNumber(pb::Message& message, const FieldDescriptor* field, std::int64_t value) {
  const pb::Reflection& to = *message.GetReflection();
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      if (!std::in_range<std::int32_t>(value)) return false;
      to.SetInt32(&message, field, static_cast<std::int32_t>(value));
      return true;
    case FieldDescriptor::CPPTYPE_INT64:
      to.SetInt64(&message, field, value);
      return true;
    case FieldDescriptor::CPPTYPE_UINT32:
      if (!std::in_range<std::uint32_t>(value)) return false;
      to.SetUInt32(&message, field, static_cast<std::uint32_t>(value));
      return true;
    case FieldDescriptor::CPPTYPE_UINT64:
      if (value < 0) return false;
      to.SetUInt64(&message, field, static_cast<std::uint64_t>(value));
      return true;
    case FieldDescriptor::CPPTYPE_DOUBLE:
      to.SetDouble(&message, field, static_cast<double>(value));
      return true;
    default:
      return false;
  }
}

pb::Duration* MutableDuration(pb::Message& message, const FieldDescriptor* field) {
  return pb::DynamicCastToGenerated<pb::Duration>(
      message.GetReflection()->MutableMessage(&message, field));
}

void FillMinimal(pb::Message& message);

void FillField(pb::Message& message, const FieldFact& fact) {
  const FieldDescriptor* field = FieldOf(message, fact.name);
  const pb::Reflection& to = *message.GetReflection();
  const std::string& kind = fact.rule.kind;
  if (kind == "required") {
    FillMinimal(*to.MutableMessage(&message, field));
  } else if (kind == "items") {
    if (field->message_type() != nullptr) {
      FillMinimal(*to.AddMessage(&message, field));
    } else {
      to.AddUInt32(&message, field, 0);
    }
  } else if (kind == "seconds") {
    MutableDuration(message, field)->set_seconds(*fact.rule.lo);
  } else if (kind == "range") {
    if (fact.rule.lo.value_or(0) != 0) SetNumber(message, field, *fact.rule.lo);
  } else if (kind == "text") {
    SetText(message, field, "x");
  } else if (kind == "uri") {
    SetText(message, field, "https://example.com/file");
  } else if (kind == "ip") {
    SetText(message, field, "10.0.0.1");
  } else if (kind == "digest") {
    SetText(message, field, "crc32:1");
  } else if (kind == "hostname") {
    SetText(message, field, "node-1");
  } else if (kind == "in") {
    SetText(message, field, fact.rule.choices.front());
  } else if (kind == "bytes") {
    SetText(message, field, std::string(static_cast<size_t>(*fact.rule.lo), 'b'));
  }
}

void FillMinimal(pb::Message& message) {
  const auto fact = Facts().messages.find(message.GetDescriptor()->full_name());
  if (fact == Facts().messages.end()) return;  // Duration, Timestamp
  for (const FieldFact& field : fact->second.fields) {
    if (field.presence != "optional" && !field.rule.when_set) FillField(message, field);
  }
  for (const std::string& oneof : fact->second.required_oneofs) {
    const FieldDescriptor* first = message.GetDescriptor()->FindOneofByName(oneof)->field(0);
    FillMinimal(*message.GetReflection()->MutableMessage(&message, first));
  }
}

// Collects mutations of one field.
class Collector {
 public:
  Collector(const std::string& type, const FieldFact& fact) : type_(type), fact_(fact) {}

  using Edit = std::function<bool(pb::Message&, const FieldDescriptor*)>;

  void Add(std::string what, bool allowed, const Edit& edit) {
    std::unique_ptr<pb::Message> message = BuildMinimal(type_);
    if (!edit(*message, FieldOf(*message, fact_.name))) return;
    mutations_.push_back({std::move(what), allowed, std::move(message)});
  }
  void AddText(const std::string& value, bool allowed) {
    Add("\"" + value.substr(0, 80) + "\"", allowed, [&](pb::Message& m, const FieldDescriptor* f) {
      SetText(m, f, value);
      return true;
    });
  }
  void AddNumber(std::int64_t value, bool allowed) {
    Add(std::to_string(value), allowed,
        [&](pb::Message& m, const FieldDescriptor* f) { return SetNumber(m, f, value); });
  }
  void AddDouble(double value) {
    Add(std::to_string(value), false, [&](pb::Message& m, const FieldDescriptor* f) {
      if (f->cpp_type() != FieldDescriptor::CPPTYPE_DOUBLE) return false;
      m.GetReflection()->SetDouble(&m, f, value);
      return true;
    });
  }
  void AddDuration(std::int64_t seconds, std::int32_t nanos, bool allowed) {
    Add(std::to_string(seconds) + " s " + std::to_string(nanos) + " ns", allowed,
        [&](pb::Message& m, const FieldDescriptor* f) {
          MutableDuration(m, f)->set_seconds(seconds);
          MutableDuration(m, f)->set_nanos(nanos);
          return true;
        });
  }
  void AddAbsent(bool allowed) {
    Add("absent", allowed, [](pb::Message& m, const FieldDescriptor* f) {
      m.GetReflection()->ClearField(&m, f);
      return true;
    });
  }
  std::vector<Mutation> Take() { return std::move(mutations_); }

 private:
  std::string type_;
  const FieldFact& fact_;
  std::vector<Mutation> mutations_;
};

void MutateText(const FieldFact& fact, Collector& out) {
  const RuleFact& rule = fact.rule;
  out.AddText("", rule.when_set || rule.lo.value_or(0) == 0);
  out.AddText("x", true);
  out.AddText(std::string(128 * 1024 + 1, 'x'), false);
  if (!rule.hi.has_value()) return;
  const auto limit = static_cast<size_t>(*rule.hi);
  out.AddText(std::string(limit, 'x'), true);
  out.AddText(std::string(limit + 1, 'x'), false);
  std::string wide;  // as many characters, twice the bytes
  for (size_t i = 0; i < limit; ++i) wide += "\xc3\xa9";
  out.AddText(wide, true);
  out.AddText(wide + "x", false);
}

void MutateRange(const FieldFact& fact, Collector& out) {
  const RuleFact& rule = fact.rule;
  if (rule.lo.has_value()) {
    out.AddNumber(*rule.lo, true);
    out.AddNumber(*rule.lo - 1, rule.when_set && *rule.lo == 1);
  }
  if (rule.hi.has_value()) {
    out.AddNumber(*rule.hi, true);
    out.AddNumber(*rule.hi + 1, false);
    out.AddNumber(std::numeric_limits<std::int64_t>::max(), false);
  }
  if (rule.when_set) out.AddNumber(0, true);
  if (rule.lo.has_value()) out.AddNumber(-1, false);
  for (const double value : {std::nan(""), HUGE_VAL, -HUGE_VAL}) out.AddDouble(value);
}

void MutateWord(const FieldFact& fact, Collector& out) {
  const std::string& kind = fact.rule.kind;
  out.AddText("", fact.rule.when_set);
  if (kind == "uri") {
    for (const char* bad : {"file", "//host/x", "http://a b/", "http://h/%zz", "http://h:99999/",
                            "http://h/\n", ":x"}) {
      out.AddText(bad, false);
    }
    out.AddText("http://h/" + std::string(32 * 1024, 'x'), false);
    out.AddText("s3://bucket/key?versionId=%2", true);
  } else if (kind == "ip") {
    for (const char* bad : {"host", "300.1.1.1", "1.2.3", "1.2.3.4:80", "[::1]", "fe80::1%eth0"}) {
      out.AddText(bad, false);
    }
    out.AddText(std::string("1.2.3.4\0", 8), false);
    out.AddText("fd00::1", true);
  } else if (kind == "digest") {
    for (const std::string& bad :
         {std::string("md5"), "xsha256:" + kHex.substr(0, 64), "sha256:" + kHex.substr(0, 63),
          "sha256:" + kHex.substr(0, 65), "SHA256:" + kHex.substr(0, 64), std::string("crc32:")}) {
      out.AddText(bad, false);
    }
    out.AddText("sha256:" + kHex.substr(0, 64), true);
  } else if (kind == "hostname") {
    for (const char* bad : {"a b", "-a", "a..b", "a_b"}) out.AddText(bad, false);
    out.AddText(std::string(64, 'a'), false);
    out.AddText("Node-1.example.com", true);
  } else if (kind == "in") {
    for (const std::string& choice : fact.rule.choices) {
      out.AddText(choice, true);
      out.AddText(choice + "x", false);
    }
    out.AddText(fact.rule.choices.front() + ",", false);
  }
}

void MutateEnum(Collector& out) {
  const auto set = [](std::int32_t value) {
    return [value](pb::Message& m, const FieldDescriptor* f) {
      m.GetReflection()->SetEnumValue(&m, f, value);
      return true;
    };
  };
  out.Add("last known value", true, [](pb::Message& m, const FieldDescriptor* f) {
    const auto* last = f->enum_type()->value(f->enum_type()->value_count() - 1);
    m.GetReflection()->SetEnumValue(&m, f, last->number());
    return true;
  });
  out.Add("one above", false, [](pb::Message& m, const FieldDescriptor* f) {
    m.GetReflection()->SetEnumValue(&m, f, f->enum_type()->value_count());
    return true;
  });
  out.Add("-1", false, set(-1));
  out.Add("a million", false, set(1'000'000));
}

void MutateByType(const FieldFact& fact, Collector& out) {
  if (fact.presence == "repeated" || fact.presence == "map") return;
  if (fact.type == "string") out.AddText(std::string(128 * 1024 + 1, 'x'), false);
  if (fact.type == "double") out.AddDouble(std::nan(""));
  if (fact.type == "google.protobuf.Duration") out.AddDuration(1, 1'000'000'000, false);
}

}  // namespace

std::unique_ptr<pb::Message> BuildMinimal(const std::string& name) {
  const pb::Descriptor* type = pb::DescriptorPool::generated_pool()->FindMessageTypeByName(name);
  std::unique_ptr<pb::Message> message(
      pb::MessageFactory::generated_factory()->GetPrototype(type)->New());
  FillMinimal(*message);
  return message;
}

std::vector<Mutation> MutationsOf(const std::string& name, const FieldFact& field) {
  Collector out(name, field);
  const std::string& kind = field.rule.kind;
  MutateByType(field, out);
  if (field.presence == "optional") out.AddAbsent(true);
  if (kind == "text") MutateText(field, out);
  if (kind == "range") MutateRange(field, out);
  if (kind == "enum") MutateEnum(out);
  if (kind == "required") out.AddAbsent(false);
  if (kind == "items") out.AddAbsent(field.rule.when_set);
  if (kind == "seconds") {
    out.AddAbsent(false);
    out.AddDuration(*field.rule.lo, 0, true);
    out.AddDuration(*field.rule.lo - 1, 999'999'999, false);
    out.AddDuration(*field.rule.hi, 0, true);
    out.AddDuration(*field.rule.hi, 1, false);
    out.AddDuration(-1, 0, false);
  }
  if (kind == "bytes") {
    out.AddText("", field.rule.when_set || field.rule.lo.value_or(0) == 0);
    if (field.rule.lo.value_or(0) > 1) {
      out.AddText(std::string(static_cast<size_t>(*field.rule.lo - 1), 'b'), false);
    }
    if (field.rule.hi.has_value()) {
      out.AddText(std::string(static_cast<size_t>(*field.rule.hi + 1), 'b'), false);
    }
  }
  if (kind == "uri" || kind == "ip" || kind == "digest" || kind == "hostname" || kind == "in") {
    MutateWord(field, out);
  }
  return out.Take();
}

}  // namespace dragonfly::proto
