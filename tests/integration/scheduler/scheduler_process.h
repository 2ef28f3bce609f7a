#pragma once

#include <sys/types.h>
#include <string>

namespace dragonfly::tests {

// A scheduler program of its own: temporary folder, ports from the kernel, ended by its pid.
class SchedulerProcess {
 public:
  // `yaml` is added to the configuration; lines of whole sections other than server and metrics.
  // `server`: lines of that section, with their indentation of two.
  explicit SchedulerProcess(const std::string& yaml = "", const std::string& dynconfig = "",
                            const std::string& server = "");
  ~SchedulerProcess();
  SchedulerProcess(const SchedulerProcess&) = delete;
  SchedulerProcess& operator=(const SchedulerProcess&) = delete;

  const std::string& address() const { return address_; }          // of gRPC
  const std::string& metrics_address() const { return metrics_; }  // of /metrics and /healthy
  const std::string& folder() const { return folder_; }
  pid_t pid() const { return pid_; }
  std::string Log() const;
  // The exit status of waitpid, or -1 when it has not ended within the bound.
  int WaitEnd(int seconds);

 private:
  std::string WaitForValue(const std::string& event, const std::string& key) const;

  std::string folder_;
  std::string address_;
  std::string metrics_;
  pid_t pid_ = -1;
};

// What a run of the program that ends by itself says, and its exit code.
struct Finished {
  int code = -1;
  std::string output;
};
Finished RunScheduler(const std::string& arguments);

}  // namespace dragonfly::tests
