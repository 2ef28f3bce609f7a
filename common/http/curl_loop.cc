#include "common/http/curl_loop.h"

#include <curl/curl.h>
#include <pthread.h>

#include <algorithm>
#include <map>
#include <thread>
#include <utility>
#include <vector>

#include "common/http/curl_handle.h"
#include "common/status/reason.h"

namespace dragonfly::common::http {
namespace {

enum class What { kStart, kResume, kAbort };

struct Command {
  What what;
  std::shared_ptr<Transfer> transfer;
};

void InitialiseCurlOnce() {
  static const CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
  (void)code;
}

}  // namespace

struct CurlLoop::Impl {
  explicit Impl(HttpClient::Options the_options) : options(std::move(the_options)) {}

  const HttpClient::Options options;
  CURLM* multi = nullptr;
  std::thread thread;

  std::mutex mutex;  // guards what follows
  std::vector<Command> commands;
  size_t active = 0;
  bool stopping = false;

  // The thread's own.
  std::map<Transfer*, std::unique_ptr<CurlHandle>> handles;

  absl::Status Enqueue(What what, std::shared_ptr<Transfer> transfer) {
    {
      std::lock_guard lock(mutex);
      if (stopping) {
        return status::MakeStatus(absl::StatusCode::kUnavailable, status::ErrorReason::kShutdown,
                                  "the HTTP client is shutting down");
      }
      if (what == What::kStart) {
        if (active >= options.max_transfers) {
          return status::MakeStatus(
              absl::StatusCode::kResourceExhausted, status::ErrorReason::kOverloaded,
              "the HTTP client has " + std::to_string(active) + " transfers, its limit");
        }
        ++active;
      }
      Command command;
      command.what = what;
      command.transfer = std::move(transfer);
      commands.push_back(std::move(command));
    }
    curl_multi_wakeup(multi);
    return absl::OkStatus();
  }

  void Begin(const std::shared_ptr<Transfer>& transfer) {
    auto handle = std::make_unique<CurlHandle>(transfer, options);
    const bool added =
        handle->easy() != nullptr && curl_multi_add_handle(multi, handle->easy()) == CURLM_OK;
    handles[transfer.get()] = std::move(handle);
    if (!added) {
      Finish(transfer.get(),
             status::MakeStatus(absl::StatusCode::kInternal, status::ErrorReason::kInternal,
                                transfer->Where() + ": libcurl refused the transfer"));
    }
  }

  void Finish(Transfer* transfer, absl::Status status) {
    const auto found = handles.find(transfer);
    if (found == handles.end()) return;
    transfer->End(std::move(status));
    if (found->second->easy() != nullptr) {
      curl_multi_remove_handle(multi, found->second->easy());
    }
    handles.erase(found);
    std::lock_guard lock(mutex);
    --active;
  }

  // False: it is time to end.
  bool Obey() {
    std::vector<Command> todo;
    bool go_on = true;
    {
      std::lock_guard lock(mutex);
      todo.swap(commands);
      go_on = !stopping;
    }
    for (const Command& command : todo) {
      Transfer* transfer = command.transfer.get();
      if (command.what == What::kStart) {
        Begin(command.transfer);
      } else if (command.what == What::kAbort) {
        Finish(transfer, absl::CancelledError("the transfer was aborted"));
      } else if (const auto found = handles.find(transfer); found != handles.end()) {
        curl_easy_pause(found->second->easy(), CURLPAUSE_CONT);
      }
    }
    return go_on;
  }

  void Reap() {
    int left = 0;
    while (CURLMsg* message = curl_multi_info_read(multi, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      char* opaque = nullptr;
      curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &opaque);
      auto* handle = reinterpret_cast<CurlHandle*>(opaque);
      const absl::Status status = handle->StatusOf(message->data.result);
      Finish(&handle->transfer(), status);
    }
  }

  // Ends what has had no answer for too long; how long until the next has to be looked at.
  int EndSilent() {
    const auto now = std::chrono::steady_clock::now();
    auto next = now + std::chrono::seconds(1);
    std::vector<Transfer*> silent;
    for (const auto& [transfer, handle] : handles) {
      const auto deadline = transfer->first_byte_deadline();
      if (!deadline.has_value()) continue;
      if (*deadline <= now) {
        silent.push_back(transfer);
      } else {
        next = std::min(next, *deadline);
      }
    }
    for (Transfer* transfer : silent) Finish(transfer, handles.at(transfer)->Silent());
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(next - now).count();
    return static_cast<int>(wait);
  }

  void Run() {
    while (Obey()) {
      int running = 0;
      curl_multi_perform(multi, &running);
      Reap();
      const int wait = EndSilent();
      curl_multi_poll(multi, nullptr, 0, wait, nullptr);
    }
    while (!handles.empty()) {
      Finish(handles.begin()->first,
             status::MakeStatus(absl::StatusCode::kUnavailable, status::ErrorReason::kShutdown,
                                "the HTTP client is shutting down"));
    }
  }
};

CurlLoop::CurlLoop(HttpClient::Options options)
    : impl_(std::make_unique<Impl>(std::move(options))) {
  InitialiseCurlOnce();
  impl_->multi = curl_multi_init();
  curl_multi_setopt(impl_->multi, CURLMOPT_MAXCONNECTS, impl_->options.max_idle_connections);
  impl_->thread = std::thread([impl = impl_.get()] { impl->Run(); });
  pthread_setname_np(impl_->thread.native_handle(), "http-client");
}

CurlLoop::~CurlLoop() {
  {
    std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  curl_multi_wakeup(impl_->multi);
  impl_->thread.join();
  curl_multi_cleanup(impl_->multi);
}

absl::Status CurlLoop::Start(std::shared_ptr<Transfer> transfer) {
  return impl_->Enqueue(What::kStart, std::move(transfer));
}

void CurlLoop::Resume(std::shared_ptr<Transfer> transfer) {
  impl_->Enqueue(What::kResume, std::move(transfer)).IgnoreError();  // stopping: it ends anyway
}

void CurlLoop::Abort(std::shared_ptr<Transfer> transfer) {
  impl_->Enqueue(What::kAbort, std::move(transfer)).IgnoreError();
}

const HttpClient::Options& CurlLoop::options() const { return impl_->options; }

}  // namespace dragonfly::common::http
