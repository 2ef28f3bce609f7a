#include "scheduler/job/dfdaemon_client.h"

#include <grpcpp/channel.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/rpc/reactor.h"
#include "common/status/reason.h"
#include "common/status/strings.h"
#include "proto/dfdaemon_v2.grpc.pb.h"

namespace dragonfly::scheduler::job {
namespace {

namespace pb = ::dfdaemon::v2;
namespace pbc = ::common::v2;
using common::async::CancelScope;
using common::async::Co;
using common::rpc::CallOptions;
using common::status::ErrorReason;
using common::status::MakeStatus;
using OnDone = std::function<void(::grpc::Status)>;

constexpr absl::Duration kLongestTimeout = absl::Hours(24 * 30);

void SetTimeout(absl::Duration timeout, google::protobuf::Duration* out) {
  const absl::Duration bounded = std::clamp(timeout, absl::Seconds(1), kLongestTimeout);
  out->set_seconds(absl::ToInt64Seconds(bounded));
}

absl::Time TimeOf(const google::protobuf::Timestamp& time) {
  return absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
}

void Fill(const ObjectStorage& from, pbc::ObjectStorage* out) {
  if (from.region.has_value()) out->set_region(*from.region);
  if (from.endpoint.has_value()) out->set_endpoint(*from.endpoint);
  if (from.access_key_id.has_value()) out->set_access_key_id(*from.access_key_id);
  if (from.access_key_secret.has_value()) out->set_access_key_secret(*from.access_key_secret);
  if (from.session_token.has_value()) out->set_session_token(*from.session_token);
  if (from.credential_path.has_value()) out->set_credential_path(*from.credential_path);
  if (from.predefined_acl.has_value()) out->set_predefined_acl(*from.predefined_acl);
  if (from.security_token.has_value()) out->set_security_token(*from.security_token);
  if (from.insecure_skip_verify.has_value())
    out->set_insecure_skip_verify(*from.insecure_skip_verify);
}

// Download and ListTaskEntriesRequest have the same fields for this.
template <typename Message>
void FillOrigin(const OriginAccess& origin, Message* out) {
  out->mutable_request_header()->insert(origin.headers.begin(), origin.headers.end());
  for (const std::string& der : origin.certificate_chain) out->add_certificate_chain(der);
  if (origin.object_storage.has_value()) {
    Fill(*origin.object_storage, out->mutable_object_storage());
  }
  if (origin.hdfs_delegation_token.has_value()) {
    pbc::HDFS* hdfs = out->mutable_hdfs();
    if (!origin.hdfs_delegation_token->empty()) {
      hdfs->set_delegation_token(*origin.hdfs_delegation_token);
    }
  }
}

pb::DownloadTaskRequest RequestOf(const DownloadOrder& order, const std::string& remote_ip) {
  const Preheat& preheat = *order.preheat;
  pb::DownloadTaskRequest request;
  pbc::Download* download = request.mutable_download();
  download->set_url(order.url);
  download->set_type(pbc::STANDARD);
  download->set_priority(static_cast<pbc::Priority>(preheat.priority));
  if (!preheat.tag.empty()) download->set_tag(preheat.tag);
  if (!preheat.application.empty()) download->set_application(preheat.application);
  for (const std::string& name : preheat.filtered_query_params) {
    download->add_filtered_query_params(name);
  }
  if (preheat.piece_length.has_value()) download->set_piece_length(*preheat.piece_length);
  if (!preheat.output_path.empty()) download->set_output_path(preheat.output_path);
  download->set_enable_task_id_based_blob_digest(preheat.blob_digest_ids);
  FillOrigin(preheat.origin, download);
  SetTimeout(order.timeout, download->mutable_timeout());
  download->set_remote_ip(remote_ip);
  return request;
}

}  // namespace

DfdaemonClient::DfdaemonClient(common::rpc::ChannelPool& seed_channels,
                               common::rpc::ChannelPool& peer_channels, Options options)
    : seed_channels_(seed_channels), peer_channels_(peer_channels), options_(std::move(options)) {}

Co<absl::Status> DfdaemonClient::Download(CancelScope& scope, DaemonAddress address,
                                          DownloadOrder order) {
  const pb::DownloadTaskRequest request = RequestOf(order, options_.remote_ip);
  using Reader = common::rpc::ClientReader<pb::DownloadTaskResponse>;
  const std::unique_ptr<pb::DfdaemonUpload::Stub> stub =
      pb::DfdaemonUpload::NewStub(ChannelsOf(address).Get(address.target));
  auto starter = [&stub, &request](::grpc::ClientContext* context,
                                   ::grpc::ClientReadReactor<pb::DownloadTaskResponse>* reactor) {
    stub->async()->DownloadTask(context, &request, reactor);
  };
  CallOptions call_options;
  call_options.trace = order.trace;
  const std::unique_ptr<Reader> reader = Reader::Start(scope.executor(), call_options, starter);
  while (true) {
    CancelScope silence(scope, options_.silence);
    absl::StatusOr<pb::DownloadTaskResponse> message = co_await reader->Read(silence);
    if (message.ok()) continue;
    if (absl::IsOutOfRange(message.status())) co_return absl::OkStatus();
    if (silence.cancelled() && !scope.cancelled()) {
      co_return MakeStatus(absl::StatusCode::kUnavailable, ErrorReason::kTimeout,
                           common::status::StdView(absl::StrCat(
                               "the daemon at ", address.target, " has said nothing for ",
                               absl::FormatDuration(options_.silence))));
    }
    co_return message.status();
  }
}

Co<absl::StatusOr<LocalTask>> DfdaemonClient::StatLocal(CancelScope& scope, DaemonAddress address,
                                                        std::string task_id) {
  const std::unique_ptr<pb::DfdaemonUpload::Stub> stub =
      pb::DfdaemonUpload::NewStub(ChannelsOf(address).Get(address.target));
  auto starter = [&stub](::grpc::ClientContext* context, const pb::StatLocalTaskRequest* request,
                         pb::StatLocalTaskResponse* response, OnDone on_done) {
    stub->async()->StatLocalTask(context, request, response, std::move(on_done));
  };
  pb::StatLocalTaskRequest request;
  request.set_task_id(task_id);
  request.set_remote_ip(options_.remote_ip);
  CallOptions call_options;
  call_options.timeout = options_.call_timeout;
  absl::StatusOr<pb::StatLocalTaskResponse> answer =
      co_await common::rpc::UnaryCall<pb::StatLocalTaskResponse>(scope, call_options,
                                                                 std::move(request), starter);
  if (!answer.ok()) co_return answer.status();
  LocalTask task;
  task.finished = answer->has_finished_at();
  if (answer->has_created_at()) task.created = TimeOf(answer->created_at());
  if (answer->has_updated_at()) task.updated = TimeOf(answer->updated_at());
  co_return task;
}

Co<absl::Status> DfdaemonClient::Delete(CancelScope& scope, DaemonAddress address,
                                        std::string task_id) {
  const std::unique_ptr<pb::DfdaemonUpload::Stub> stub =
      pb::DfdaemonUpload::NewStub(ChannelsOf(address).Get(address.target));
  auto starter = [&stub](::grpc::ClientContext* context, const pb::DeleteTaskRequest* request,
                         google::protobuf::Empty* response, OnDone on_done) {
    stub->async()->DeleteTask(context, request, response, std::move(on_done));
  };
  pb::DeleteTaskRequest request;
  request.set_task_id(task_id);
  request.set_remote_ip(options_.remote_ip);
  CallOptions call_options;
  call_options.timeout = options_.call_timeout;
  absl::StatusOr<google::protobuf::Empty> answer =
      co_await common::rpc::UnaryCall<google::protobuf::Empty>(scope, call_options,
                                                               std::move(request), starter);
  co_return answer.status();
}

Co<absl::StatusOr<std::vector<Entry>>> DfdaemonClient::List(CancelScope& scope,
                                                            DaemonAddress address,
                                                            ListOrder order) {
  const std::unique_ptr<pb::DfdaemonUpload::Stub> stub =
      pb::DfdaemonUpload::NewStub(ChannelsOf(address).Get(address.target));
  auto starter = [&stub](::grpc::ClientContext* context, const pb::ListTaskEntriesRequest* request,
                         pb::ListTaskEntriesResponse* response, OnDone on_done) {
    stub->async()->ListTaskEntries(context, request, response, std::move(on_done));
  };
  pb::ListTaskEntriesRequest request;
  request.set_task_id("preheat");  // for the daemon's log; it may not be empty
  request.set_url(order.url);
  FillOrigin(order.origin, &request);
  SetTimeout(order.timeout, request.mutable_timeout());
  request.set_remote_ip(options_.remote_ip);
  CallOptions call_options;
  call_options.timeout = order.timeout;
  call_options.trace = order.trace;
  absl::StatusOr<pb::ListTaskEntriesResponse> answer =
      co_await common::rpc::UnaryCall<pb::ListTaskEntriesResponse>(scope, call_options,
                                                                   std::move(request), starter);
  if (!answer.ok()) co_return answer.status();
  std::vector<Entry> entries;
  for (const pb::Entry& listed : answer->entries()) {
    Entry entry;
    entry.url = listed.url();
    entry.is_directory = listed.is_dir();
    entries.push_back(std::move(entry));
  }
  co_return entries;
}

}  // namespace dragonfly::scheduler::job
