"""The main job on IPv6 alone, in plaintext and over TLS, and a cluster in which some nodes have one kind of address
and some the other."""
from tests.e2e.lib.authority import Authority
from tests.e2e.lib.cluster import MIB, ClusterTest, by_size
from tests.e2e.lib.origin import NginxOrigin


class IpV6(ClusterTest):
    def check(self, cluster, origin):
        size = by_size(32, 1024) * MIB
        digest = origin.put("f", size)
        downloads = [cluster.dfget(peer, origin.url("f"), wait=None) for peer in cluster.peers]
        for download in downloads:
            self.assertDone(download.wait(), digest)
        self.assertLessEqual(origin.bytes(), size * 1.02)
        for peer in cluster.peers:
            self.assertEqual(peer.traffic("REMOTE_PEER"), size)

    def test_everything_on_ipv6(self):
        self.check(self.cluster(peers=3, ip="::1"), self.origin(NginxOrigin, ip="::1"))

    def test_everything_on_ipv6_over_tls(self):
        cluster = self.cluster(peers=2, ip="::1", start=False)
        authority = Authority(cluster.dir / "authority")
        tls = authority.issue(cluster.dir / "tls")
        cluster.scheduler.override = {"server": {"tls": tls}, "seedPeer": {"tls": tls}}
        for daemon in cluster.daemons:
            daemon.override = {"scheduler": tls, "upload": {"server": tls, "client": tls},
                               "storage": {"server": {"requireTLS": True}}}
        self.check(cluster.start(), self.origin(NginxOrigin, ip="::1"))

    def test_nodes_of_both_kinds_in_one_cluster(self):
        origin = self.origin(NginxOrigin)
        cluster = self.cluster(peers=4, start=False)
        # The scheduler listens on every address; it is known by one of each kind.
        scheduler = cluster.scheduler
        scheduler.override = {"server": {"listenIP": "::"}}
        for peer in cluster.peers[::2]:
            peer.ip = "::1"
            peer.use_schedulers(f"[::1]:{scheduler.ports['grpc']}")
        self.check(cluster.start(), origin)
