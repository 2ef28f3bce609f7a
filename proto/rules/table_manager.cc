#include "proto/rules/table.h"

namespace dragonfly::proto::rules {
namespace {

constexpr Row kManagerRows[] = {
    {"manager.v2.GetSeedPeerRequest", "source_type", KnownEnum()},
    {"manager.v2.GetSeedPeerRequest", "hostname", Hostname()},
    {"manager.v2.GetSeedPeerRequest", "seed_peer_cluster_id", Range(1)},
    {"manager.v2.GetSeedPeerRequest", "ip", Ip().WhenSet()},
    {"manager.v2.ListSeedPeersRequest", "source_type", KnownEnum()},
    {"manager.v2.ListSeedPeersRequest", "hostname", Hostname()},
    {"manager.v2.ListSeedPeersRequest", "ip", Ip()},
    {"manager.v2.ListSeedPeersRequest", "version", Text(1, 1024).WhenSet()},
    {"manager.v2.ListSeedPeersRequest", "commit", Text(1, 1024).WhenSet()},
    {"manager.v2.UpdateSeedPeerRequest", "source_type", KnownEnum()},
    {"manager.v2.UpdateSeedPeerRequest", "hostname", Hostname()},
    {"manager.v2.UpdateSeedPeerRequest", "type", In("super")},
    {"manager.v2.UpdateSeedPeerRequest", "idc", Text(1, 1024).WhenSet()},
    {"manager.v2.UpdateSeedPeerRequest", "location", Text(0, 1024).WhenSet()},
    {"manager.v2.UpdateSeedPeerRequest", "ip", Ip()},
    {"manager.v2.UpdateSeedPeerRequest", "port", Port()},
    {"manager.v2.UpdateSeedPeerRequest", "download_port", Port()},
    {"manager.v2.UpdateSeedPeerRequest", "seed_peer_cluster_id", Range(1)},
    {"manager.v2.DeleteSeedPeerRequest", "source_type", KnownEnum()},
    {"manager.v2.DeleteSeedPeerRequest", "hostname", Hostname()},
    {"manager.v2.DeleteSeedPeerRequest", "seed_peer_cluster_id", Range(1)},
    {"manager.v2.DeleteSeedPeerRequest", "ip", Ip().WhenSet()},
    {"manager.v2.GetSchedulerRequest", "source_type", KnownEnum()},
    {"manager.v2.GetSchedulerRequest", "hostname", Hostname()},
    {"manager.v2.GetSchedulerRequest", "scheduler_cluster_id", Range(1)},
    {"manager.v2.GetSchedulerRequest", "ip", Ip().WhenSet()},
    {"manager.v2.UpdateSchedulerRequest", "source_type", KnownEnum()},
    {"manager.v2.UpdateSchedulerRequest", "hostname", Hostname()},
    {"manager.v2.UpdateSchedulerRequest", "scheduler_cluster_id", Range(1)},
    {"manager.v2.UpdateSchedulerRequest", "idc", Text(1, 1024).WhenSet()},
    {"manager.v2.UpdateSchedulerRequest", "location", Text(1, 1024).WhenSet()},
    {"manager.v2.UpdateSchedulerRequest", "ip", Ip()},
    {"manager.v2.UpdateSchedulerRequest", "port", Port()},
    {"manager.v2.ListSchedulersRequest", "source_type", KnownEnum()},
    {"manager.v2.ListSchedulersRequest", "hostname", Hostname()},
    {"manager.v2.ListSchedulersRequest", "ip", Ip()},
    {"manager.v2.ListSchedulersRequest", "idc", Text(1, 1024).WhenSet()},
    {"manager.v2.ListSchedulersRequest", "location", Text(1, 1024).WhenSet()},
    {"manager.v2.ListSchedulersRequest", "version", Text(1, 1024).WhenSet()},
    {"manager.v2.ListSchedulersRequest", "commit", Text(1, 1024).WhenSet()},
    {"manager.v2.URLPriority", "regex", Text(1)},
    {"manager.v2.Application", "id", Range(1)},
    {"manager.v2.Application", "name", Text(1, 1024)},
    {"manager.v2.Application", "url", Uri()},
    {"manager.v2.Application", "priority", Required()},
    {"manager.v2.ListApplicationsRequest", "source_type", KnownEnum()},
    {"manager.v2.ListApplicationsRequest", "hostname", Hostname()},
    {"manager.v2.ListApplicationsRequest", "ip", Ip()},
    {"manager.v2.KeepAliveRequest", "source_type", KnownEnum()},
    {"manager.v2.KeepAliveRequest", "hostname", Hostname()},
    {"manager.v2.KeepAliveRequest", "cluster_id", Range(1)},
    {"manager.v2.KeepAliveRequest", "ip", Ip().WhenSet()},
};

}  // namespace

std::span<const Row> ManagerRows() { return kManagerRows; }

}  // namespace dragonfly::proto::rules
