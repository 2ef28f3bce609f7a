#pragma once

#include <google/protobuf/message.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/unit/proto/wire_facts.h"

namespace dragonfly::proto {

// A message of type `name` that holds just enough to satisfy the rules of the facts.
std::unique_ptr<google::protobuf::Message> BuildMinimal(const std::string& name);

// A value put into one field, and whether the rules allow it.
struct Mutation {
  std::string what;
  bool allowed = false;
  std::unique_ptr<google::protobuf::Message> message;
};

// Minimal messages of type `name`, each with one edge value in `field`: absent, empty, one beyond
// each bound, the bounds themselves, malformed text, NaN. From the facts, never from our table of
// rules.
std::vector<Mutation> MutationsOf(const std::string& name, const FieldFact& field);

}  // namespace dragonfly::proto
