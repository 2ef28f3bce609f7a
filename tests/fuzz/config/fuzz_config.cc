// Configuration files: what loads prints, and what was printed loads as the same.

#include "absl/time/time.h"
#include "common/config/schema.h"
#include "tests/fuzz/fuzz.h"

namespace dragonfly::fuzz {
namespace {

// A row of each type.
struct Settings {
  bool flag = false;
  std::string text;
  std::string choice = "one";
  std::string ip;
  uint16_t port = 8000;
  int32_t number = 5;
  std::optional<int32_t> maybe;
  double real = 0.5;
  absl::Duration duration = absl::Seconds(3);
  uint64_t size = 4096;
  uint32_t mode = 0660;
  std::vector<std::string> list;
  std::map<std::string, std::string> map;

  friend bool operator==(const Settings&, const Settings&) = default;
};

common::config::Schema SchemaOf(Settings& settings) {
  common::config::Schema schema;
  schema.Flag("flag", &settings.flag, "-");
  schema.Text("text", &settings.text, "-");
  schema.Choice("a.choice", &settings.choice, {"one", "two"}, "-");
  schema.Ip("a.ip", &settings.ip, "-");
  schema.Port("a.port", &settings.port, "-");
  schema.Number("a.b.number", &settings.number, -10, 10, "-");
  schema.Number("a.b.maybe", &settings.maybe, 0, 100, "-");
  schema.Real("a.b.real", &settings.real, -1e6, 1e6, "-");
  schema.Duration("c.duration", &settings.duration, absl::ZeroDuration(), "-");
  schema.Size("c.size", &settings.size, "-");
  schema.Mode("c.mode", &settings.mode, "-");
  schema.TextList("list", &settings.list, "-");
  schema.TextMap("map", &settings.map, "-");
  schema.Ignored("old", "is not needed");
  schema.Alias("a.p", "a.port");
  return schema;
}

void TryLoad(std::string_view text) {
  Settings settings;
  common::config::Schema schema = SchemaOf(settings);
  if (!schema.Load(text, "input").ok()) return;
  const std::string printed = schema.PrintYaml();
  Settings again;
  common::config::Schema reader = SchemaOf(again);
  const auto loaded = reader.Load(printed, "printed");
  if (!loaded.ok() || !(again == settings)) {
    std::fprintf(stderr, "printed:\n%s\n%s\n", printed.c_str(),
                 std::string(loaded.status().message()).c_str());
  }
  FUZZ_CHECK(loaded.ok());
  FUZZ_CHECK(loaded->empty());
  FUZZ_CHECK(again == settings);
}

}  // namespace
}  // namespace dragonfly::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  dragonfly::fuzz::TryLoad(dragonfly::fuzz::TextOf(data, size));
  return 0;
}
