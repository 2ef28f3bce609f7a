#include "dfdaemon/node/host_message.h"

#include <string>

#include "common/version/version.h"
#include "proto/common_v2.pb.h"

namespace dragonfly::dfdaemon::node {
namespace {

constexpr uint32_t kNormalHost = 0;
constexpr uint32_t kSuperSeed = 1;

void FillNetwork(const NetworkFacts& facts, ::common::v2::Network& network) {
  network.set_max_rx_bandwidth(facts.max_rx_bandwidth);
  network.set_rx_bandwidth(facts.rx_bandwidth);
  network.set_max_tx_bandwidth(facts.max_tx_bandwidth);
  network.set_tx_bandwidth(facts.tx_bandwidth);
}

void FillCgroup(const CgroupFacts& facts, ::common::v2::Host& host) {
  auto* cpu = host.mutable_cpu()->mutable_cgroup();
  cpu->set_period(facts.cpu_period_us);
  cpu->set_quota(facts.cpu_quota_us.value_or(-1));
  cpu->set_used_percent(facts.cpu_used_percent);
  auto* memory = host.mutable_memory()->mutable_cgroup();
  memory->set_limit(facts.memory_limit.value_or(-1));
  memory->set_usage(facts.memory_usage);
  memory->set_used_percent(facts.memory_used_percent);
}

}  // namespace

void FillHostLoad(const HostSample& sample, ::common::v2::Host& host) {
  FillNetwork(sample.network, *host.mutable_network());
}

void FillHost(const NodeIdentity& identity, const PlatformFacts& platform, const HostSample& sample,
              ::common::v2::Host& host) {
  host.set_id(identity.host_id);
  host.set_type(identity.seed ? kSuperSeed : kNormalHost);
  host.set_hostname(identity.hostname);
  host.set_ip(identity.ip);
  host.set_port(identity.upload_port);
  host.set_download_port(identity.upload_port);
  host.set_proxy_port(identity.proxy_port);
  host.set_name(identity.name);
  host.set_disable_shared(identity.disable_shared);
  host.set_scheduler_cluster_id(identity.scheduler_cluster_id);

  host.set_os(platform.os);
  host.set_platform(platform.platform);
  host.set_platform_family(platform.platform_family);
  host.set_platform_version(platform.platform_version);
  host.set_kernel_version(platform.kernel_version);

  auto* cpu = host.mutable_cpu();
  cpu->set_logical_count(sample.cpu.logical_count);
  cpu->set_physical_count(sample.cpu.physical_count);
  cpu->set_percent(sample.cpu.percent);
  cpu->set_process_percent(sample.cpu.process_percent);

  auto* memory = host.mutable_memory();
  memory->set_total(sample.memory.total);
  memory->set_available(sample.memory.available);
  memory->set_free(sample.memory.free);
  memory->set_used(sample.memory.used);
  memory->set_used_percent(sample.memory.used_percent);
  memory->set_process_used_percent(sample.memory.process_used_percent);
  if (sample.cgroup) FillCgroup(*sample.cgroup, host);

  FillNetwork(sample.network, *host.mutable_network());
  if (!identity.idc.empty()) host.mutable_network()->set_idc(identity.idc);
  if (!identity.location.empty()) host.mutable_network()->set_location(identity.location);

  auto* disk = host.mutable_disk();
  disk->set_total(sample.disk.total);
  disk->set_free(sample.disk.free);
  disk->set_used(sample.disk.used);
  disk->set_used_percent(sample.disk.used_percent);
  disk->set_inodes_total(sample.disk.inodes_total);
  disk->set_inodes_free(sample.disk.inodes_free);
  disk->set_inodes_used(sample.disk.inodes_total - sample.disk.inodes_free);
  if (sample.disk.inodes_total > 0) {
    disk->set_inodes_used_percent(100.0 * static_cast<double>(disk->inodes_used()) /
                                  static_cast<double>(sample.disk.inodes_total));
  }
  disk->set_read_bandwidth(sample.disk.read_bandwidth);
  disk->set_write_bandwidth(sample.disk.write_bandwidth);

  host.mutable_build()->set_git_version(std::string(common::version::Version()));
  host.mutable_build()->set_git_commit(std::string(common::version::Commit()));
}

}  // namespace dragonfly::dfdaemon::node
