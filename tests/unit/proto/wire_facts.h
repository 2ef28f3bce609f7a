#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

// tests/data/wire_facts.txt, read. The file says what its columns mean.
namespace dragonfly::proto {

struct RuleFact {
  std::string kind = "-";  // the word without its question mark
  bool when_set = false;
  std::optional<std::int64_t> lo;
  std::optional<std::int64_t> hi;
  std::vector<std::string> choices;
};

struct FieldFact {
  int number = 0;
  std::string name;
  std::string type;      // "uint32", "common.v2.Peer"; a map is "string,string"
  std::string presence;  // "single", "optional", "repeated", "map", "oneof:NAME"
  RuleFact rule;
};

struct MessageFact {
  std::string name;
  std::vector<FieldFact> fields;
  std::map<int, std::string> reserved;
  std::vector<std::string> required_oneofs;
};

struct RpcFact {
  std::string name;
  std::string request;
  std::string response;
  bool client_streams = false;
  bool server_streams = false;
};

struct WireFacts {
  std::map<std::string, MessageFact> messages;
  std::map<std::string, std::map<int, std::string>> enums;
  std::map<std::string, std::vector<RpcFact>> services;
};

// Reads the file, once. Fails the test run where a line cannot be understood.
const WireFacts& Facts();

}  // namespace dragonfly::proto
