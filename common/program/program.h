#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/config/schema.h"
#include "common/log/log.h"

namespace dragonfly::common::program {

// An option of the command line beside those that every service has.
struct Option {
  std::string names;  // "-l,--log-level"
  std::variant<std::string*, size_t*, bool*> value;
  std::string help;
  std::string environment;           // a variable that says the same; empty: none
  std::vector<std::string> choices;  // of a text; empty: any
};

// A service as its main function sees it. Everything is called by main's thread, in the order of
// the declarations.
class Service {
 public:
  struct About {
    std::string name;  // "scheduler": of messages, log files and --version
    std::string what;  // one line for --help
    std::string default_config;
    // Of environment variables: PREFIX_CONFIG for --config, PREFIX_CONSOLE for --console.
    std::string variable_prefix;
    // Whether the service ends when there is no file at the default place. One that was named has
    // to be there in any case.
    bool needs_config = false;
  };

  Service() = default;
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;
  virtual ~Service() = default;

  virtual About about() const = 0;
  virtual std::vector<Option> options() { return {}; }
  // Over a configuration of the service's own.
  virtual config::Schema MakeSchema(bool strict) = 0;
  // What the configuration says; `console` of it is joined with the command line's.
  virtual absl::StatusOr<log::Options> LogOptions() = 0;
  // Everything is up when it returns.
  virtual absl::Status Start() = 0;
  // Called after Start has returned OK; ends what runs within about `grace`.
  virtual void Shutdown(absl::Duration grace) = 0;
};

// A service that is an Application: Start makes it, and Shutdown ends it.
template <typename Application>
class ApplicationService : public Service {
 public:
  absl::Status Start() final {
    absl::StatusOr<std::unique_ptr<Application>> made = Make();
    if (!made.ok()) return made.status();
    application_ = *std::move(made);
    Started(*application_);
    return absl::OkStatus();
  }
  void Shutdown(absl::Duration grace) final {
    application_->Shutdown(grace);
    application_ = nullptr;
  }

 protected:
  virtual absl::StatusOr<std::unique_ptr<Application>> Make() = 0;
  virtual void Started(const Application& /*application*/) {}

 private:
  std::unique_ptr<Application> application_;
};

// The life of a process: command line, configuration, log, Start, a signal, Shutdown. Returns the
// exit status: 0 after SIGINT, SIGTERM or SIGQUIT, 1 when the service could not start, 2 for a
// wrong command line.
//
// The first signal ends the service in order, also while it still starts; a second one ends the
// process at once (128 + its number), and so does a start or an end that takes longer than half a
// minute from the first signal on (1).
int Run(Service& service, int argc, char** argv);

}  // namespace dragonfly::common::program
