#include "scheduler/service/job_convert.h"

#include <openssl/x509.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/id/task_id.h"
#include "common/status/checked_cast.h"
#include "common/status/reason.h"
#include "common/status/strings.h"

namespace dragonfly::scheduler::service {
namespace {

namespace pb = ::scheduler::v2;
namespace oci = common::oci;
using common::status::Invalid;

constexpr absl::Duration kDefaultJobTimeout = absl::Hours(1);
constexpr absl::Duration kLongestJobTimeout = absl::Hours(24 * 30);

struct X509Free {
  void operator()(X509* it) const { X509_free(it); }
};

bool IsDerCertificate(const std::string& der) {
  const auto* begin = static_cast<const unsigned char*>(static_cast<const void*>(der.data()));
  const unsigned char* end = begin;
  const auto length = common::status::CheckedCast<long>(der.size());
  if (!length.has_value()) return false;
  const std::unique_ptr<X509, X509Free> parsed(d2i_X509(nullptr, &end, *length));
  return parsed != nullptr && end == begin + der.size();
}

template <typename Request>
absl::StatusOr<std::vector<std::string>> CertificatesOf(const Request& request) {
  std::vector<std::string> out;
  for (const std::string& der : request.certificate_chain()) {
    if (!IsDerCertificate(der)) {
      return Invalid(common::status::StdView(
          absl::StrCat("certificate_chain[", out.size(), "] is no certificate in DER")));
    }
    out.push_back(der);
  }
  return out;
}

// What every one of the four says about its tasks.
template <typename Request>
absl::StatusOr<job::Preheat> CommonOf(const Request& request) {
  job::Preheat out;
  if (request.has_piece_length() && request.piece_length() != 0) {
    out.piece_length = request.piece_length();
  }
  out.tag = request.tag();
  out.application = request.application();
  out.filtered_query_params.assign(request.filtered_query_params().begin(),
                                   request.filtered_query_params().end());
  if (out.filtered_query_params.empty()) {
    out.filtered_query_params = common::id::DefaultFilteredQueryParams();
  }
  out.origin.headers.insert(request.header().begin(), request.header().end());
  absl::StatusOr<std::vector<std::string>> certificates = CertificatesOf(request);
  if (!certificates.ok()) return certificates.status();
  out.origin.certificate_chain = *std::move(certificates);
  out.concurrent_hosts = CountOr(request.concurrent_peer_count(), kDefaultConcurrentPeers);
  return out;
}

job::PreheatScope ScopeNamed(const std::string& name) {
  if (name == "all_seed_peers") return job::PreheatScope::kAllSeedPeers;
  if (name == "all_peers") return job::PreheatScope::kAllPeers;
  return job::PreheatScope::kSingleSeedPeer;
}

template <typename Request>
absl::StatusOr<job::Preheat> TargetedOf(const Request& request) {
  absl::StatusOr<job::Preheat> out = CommonOf(request);
  if (!out.ok()) return out.status();
  out->scope = ScopeNamed(request.scope());
  out->ips.assign(request.ips().begin(), request.ips().end());
  if (request.count() != 0) out->count = request.count();
  if (request.percentage() != 0) out->percentage = request.percentage();
  out->concurrent_tasks = CountOr(request.concurrent_task_count(), kDefaultConcurrentTasks);
  out->priority = static_cast<int>(request.priority());
  return out;
}

template <typename Request>
void FillStorage(const Request& request, job::OriginAccess& out) {
  if (request.has_hdfs()) out.hdfs_delegation_token = request.hdfs().delegation_token();
  if (!request.has_object_storage()) return;
  const ::common::v2::ObjectStorage& from = request.object_storage();
  job::ObjectStorage to;
  if (from.has_region()) to.region = from.region();
  if (from.has_endpoint()) to.endpoint = from.endpoint();
  if (from.has_access_key_id()) to.access_key_id = from.access_key_id();
  if (from.has_access_key_secret()) to.access_key_secret = from.access_key_secret();
  if (from.has_session_token()) to.session_token = from.session_token();
  if (from.has_credential_path()) to.credential_path = from.credential_path();
  if (from.has_predefined_acl()) to.predefined_acl = from.predefined_acl();
  if (from.has_security_token()) to.security_token = from.security_token();
  if (from.has_insecure_skip_verify()) to.insecure_skip_verify = from.insecure_skip_verify();
  out.object_storage = std::move(to);
}

template <typename Request>
absl::StatusOr<oci::ImageRequest> ImageOf(const Request& request) {
  oci::ImageRequest out;
  absl::StatusOr<oci::Reference> reference = oci::ParseManifestUrl(request.url());
  if (!reference.ok()) return common::status::Annotate(reference.status(), "url");
  out.reference = *std::move(reference);
  if (!request.platform().empty()) {
    absl::StatusOr<oci::Platform> platform = oci::ParsePlatform(request.platform());
    if (!platform.ok()) return platform.status();
    out.platform = *std::move(platform);
  }
  out.headers.assign(request.header().begin(), request.header().end());
  out.username = request.username();
  out.password = request.password();
  out.tls.extra_ca_der.assign(request.certificate_chain().begin(),
                              request.certificate_chain().end());
  out.tls.insecure_skip_verify = request.insecure_skip_verify();
  return out;
}

}  // namespace

absl::StatusOr<job::Preheat> PreheatOf(const pb::PreheatImageRequest& request) {
  return TargetedOf(request);
}

absl::StatusOr<job::Preheat> PreheatOf(const pb::PreheatFileRequest& request) {
  absl::StatusOr<job::Preheat> out = TargetedOf(request);
  if (!out.ok()) return out.status();
  out->output_path = request.output_path();
  FillStorage(request, out->origin);
  return out;
}

absl::StatusOr<job::Preheat> NamingOf(const pb::StatImageRequest& request) {
  return CommonOf(request);
}

absl::StatusOr<job::Preheat> NamingOf(const pb::StatFileRequest& request) {
  absl::StatusOr<job::Preheat> out = CommonOf(request);
  if (!out.ok()) return out.status();
  FillStorage(request, out->origin);
  return out;
}

absl::StatusOr<oci::ImageRequest> ImageRequestOf(const pb::PreheatImageRequest& request) {
  return ImageOf(request);
}

absl::StatusOr<oci::ImageRequest> ImageRequestOf(const pb::StatImageRequest& request) {
  return ImageOf(request);
}

absl::Duration JobTimeout(bool set, const google::protobuf::Duration& timeout) {
  const absl::Duration given =
      absl::Seconds(timeout.seconds()) + absl::Nanoseconds(timeout.nanos());
  if (!set || given <= absl::ZeroDuration()) return kDefaultJobTimeout;
  return std::min(given, kLongestJobTimeout);
}

uint32_t CountOr(int64_t count, uint32_t otherwise) {
  if (count <= 0) return otherwise;
  return common::status::CheckedCast<uint32_t>(count).value_or(otherwise);
}

}  // namespace dragonfly::scheduler::service
