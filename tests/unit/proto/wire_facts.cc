#include "tests/unit/proto/wire_facts.h"

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>

namespace dragonfly::proto {
namespace {

[[noreturn]] void Fail(const std::string& path, int line, const std::string& what) {
  std::cerr << path << ":" << line << ": " << what << "\n";
  std::abort();
}

std::vector<std::string> Split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, separator);) parts.push_back(part);
  return parts;
}

RuleFact ParseRule(std::istringstream& in) {
  RuleFact rule;
  in >> rule.kind;
  if (rule.kind.size() > 1 && rule.kind.back() == '?') {
    rule.when_set = true;
    rule.kind.pop_back();
  }
  std::string argument;
  if (!(in >> argument)) return rule;
  if (rule.kind == "in") {
    rule.choices = Split(argument, ',');
    return rule;
  }
  const size_t dots = argument.find("..");
  const std::string lo = argument.substr(0, dots);
  const std::string hi = argument.substr(dots + 2);
  if (!lo.empty()) rule.lo = std::stoll(lo);
  if (!hi.empty()) rule.hi = std::stoll(hi);
  return rule;
}

void ParseMessageLine(const std::string& first, std::istringstream& in, MessageFact& message) {
  if (first == "reserved") {
    int number = 0;
    std::string name;
    in >> number >> name;
    message.reserved[number] = name;
  } else if (first == "oneof") {
    std::string name;
    in >> name;
    message.required_oneofs.push_back(name);
  } else {
    FieldFact field;
    field.number = std::stoi(first);
    in >> field.name >> field.type >> field.presence;
    field.rule = ParseRule(in);
    message.fields.push_back(std::move(field));
  }
}

RpcFact ParseRpc(const std::string& name, std::istringstream& in) {
  RpcFact rpc;
  rpc.name = name;
  in >> rpc.request;
  if (rpc.request == "stream") {
    rpc.client_streams = true;
    in >> rpc.request;
  }
  in >> rpc.response;
  if (rpc.response == "stream") {
    rpc.server_streams = true;
    in >> rpc.response;
  }
  return rpc;
}

WireFacts Read() {
  const char* root = std::getenv("DRAGONFLY_SOURCE_DIR");
  const std::string path = std::string(root != nullptr ? root : ".") + "/tests/data/wire_facts.txt";
  std::ifstream file(path);
  if (!file)
    Fail(path, 0, "cannot be opened; run from the source root or set DRAGONFLY_SOURCE_DIR");

  WireFacts facts;
  std::string section, name;
  int number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    if (line.empty() || line.front() == '#') continue;
    std::istringstream in(line);
    std::string first;
    in >> first;
    if (line.front() != ' ') {
      section = first;
      in >> name;
      if (section == "message") facts.messages[name].name = name;
    } else if (section == "message") {
      ParseMessageLine(first, in, facts.messages[name]);
    } else if (section == "enum") {
      in >> facts.enums[name][std::stoi(first)];
    } else if (section == "service") {
      facts.services[name].push_back(ParseRpc(first, in));
    } else {
      Fail(path, number, "is in no section");
    }
  }
  return facts;
}

}  // namespace

const WireFacts& Facts() {
  static const WireFacts facts = Read();
  return facts;
}

}  // namespace dragonfly::proto
