"""Mutual TLS on every gRPC hop: who belongs to the cluster downloads as ever, others are told why not, and
certificates may be replaced at any time."""
import socket
import struct
import threading

from tests.e2e.lib.authority import Authority
from tests.e2e.lib.cluster import MIB, ClusterTest, by_size, merged
from tests.e2e.lib.origin import NginxOrigin
from tests.e2e.lib.process import wait_until


class Tls(ClusterTest):
    def secured(self, peers=2, start=True, manager=None):
        """A cluster whose nodes all have certificates of one authority."""
        cluster = self.cluster(peers=peers, start=False, manager=manager)
        cluster.authority = Authority(cluster.dir / "authority")
        for scheduler in cluster.schedulers:
            tls = cluster.authority.issue(scheduler.dir / "tls")
            scheduler.override = merged(scheduler.override, {
                "server": {"tls": tls}, "seedPeer": {"tls": tls}, "manager": {"tls": tls} if manager else {}})
        for daemon in cluster.daemons:
            self.secure(daemon, cluster.authority)
        if manager:
            self.secure_manager(cluster)
        return cluster.start() if start else cluster

    @staticmethod
    def secure(daemon, authority):
        tls = authority.issue(daemon.dir / "tls")
        daemon.override = merged(daemon.override, {"scheduler": tls, "upload": {"server": tls, "client": tls}})

    @staticmethod
    def secure_manager(cluster):
        manager = cluster.manager
        tls = cluster.authority.issue(manager.dir / "tls")
        manager.override = {"server": {"grpc": {"tls": tls},
                                       "rest": {"tls": {"cert": tls["cert"], "key": tls["key"]}}}}
        manager.scheme = "https"
        for daemon in cluster.daemons:
            address = f"https://{manager.at('grpc')}"
            daemon.override = merged(daemon.override, {"manager": {"addr": address, **daemon.override["scheduler"]}})

    def test_the_main_job(self):
        origin = self.origin(NginxOrigin)
        size = by_size(32, 1024) * MIB
        digest = origin.put("f", size)
        cluster = self.secured(peers=3)
        downloads = [cluster.dfget(peer, origin.url("f"), wait=None) for peer in cluster.peers]
        for download in downloads:
            self.assertDone(download.wait(), digest)
        self.assertLessEqual(origin.bytes(), size * 1.02)
        self.assertGreater(sum(peer.traffic("REMOTE_PEER") for peer in cluster.peers), 2 * size)

    def test_pieces_in_plaintext_are_refused_when_tls_is_required(self):
        origin = self.origin(NginxOrigin)
        digest = origin.put("f", 9 * MIB)
        cluster = self.secured(peers=1, start=False)
        for daemon in cluster.daemons:
            daemon.override["storage"] = {"server": {"requireTLS": True}}
        cluster.start()
        peer, seed = cluster.peers[0], cluster.seed
        self.assertDone(cluster.dfget(peer, origin.url("f")), digest)
        self.assertEqual(peer.traffic("REMOTE_PEER"), 9 * MIB)
        # A request as a node of upstream makes it: tag 0, 68 bytes, task id and piece number.
        with socket.create_connection(("127.0.0.1", seed.ports["pieces"]), timeout=10) as child:
            child.sendall(bytes([42, 0]) + struct.pack(">I", 68) + b"a" * 64 + struct.pack(">I", 0))
            try:
                self.assertEqual(child.recv(100), b"")
            except ConnectionResetError:
                pass
        seed.wait_log("asked for pieces in plaintext")

    def test_pieces_over_grpc(self):
        origin = self.origin(NginxOrigin)
        size = by_size(32, 1024) * MIB
        digest = origin.put("f", size)
        cluster = self.secured(peers=2, start=False)
        for daemon in cluster.daemons:
            daemon.override["download"] = {"protocol": "grpc"}
        cluster.start()
        for download in [cluster.dfget(peer, origin.url("f"), wait=None) for peer in cluster.peers]:
            self.assertDone(download.wait(), digest)
        self.assertLessEqual(origin.bytes(), size * 1.02)
        sent = {name: sum(node.metric(f'^dragonfly_client_piece_sent_bytes.*"{name}"') for node in cluster.daemons)
                for name in ("tcp", "grpc")}
        self.assertEqual(sent, {"tcp": 0, "grpc": 2 * size})

    def test_downloads_go_on_while_certificates_rotate(self):
        origin = self.origin(NginxOrigin)
        digests = {f"f{k}": origin.put(f"f{k}", 5 * MIB + k) for k in range(20)}
        cluster = self.secured(peers=2)
        done = threading.Event()
        rotations = []

        def rotate():
            while not done.is_set():
                for node in cluster.nodes:
                    cluster.authority.issue(node.dir / "tls")
                rotations.append(1)

        rotating = threading.Thread(target=rotate)
        rotating.start()
        try:
            for name, digest in digests.items():
                for peer in cluster.peers:
                    self.assertDone(cluster.dfget(peer, origin.url(name), name), digest)
        finally:
            done.set()
            rotating.join()
        self.assertGreater(len(rotations), 1)
        self.assertLessEqual(origin.bytes(), 1.02 * sum(5 * MIB + k for k in range(20)))
        cluster.peers[0].wait_log("new TLS files are in force")

    def test_with_a_manager(self):
        cluster = self.secured(manager=True)
        origin = self.origin(NginxOrigin)
        size = 9 * MIB
        digest = origin.put("f", size)
        for download in [cluster.dfget(peer, origin.url("f"), wait=None) for peer in cluster.peers]:
            self.assertDone(download.wait(), digest)
        self.assertLessEqual(origin.bytes(), size * 1.02)
        [row] = cluster.manager.api("GET", "/schedulers")
        self.assertEqual(row["state"], "active")
        self.assertNotIn("plaintext", cluster.manager.log())

    def test_a_stranger_reads_the_origin_and_says_what_is_wrong(self):
        origin = self.origin(NginxOrigin)
        digest = origin.put("f", 5 * MIB)
        cluster = self.secured(peers=3, start=False)
        foreign, plain, member = cluster.peers
        self.secure(foreign, Authority(cluster.dir / "foreign", "somebody else"))
        plain.override = {}
        for node in (cluster.scheduler, cluster.seed, *cluster.peers):
            node.start()
        wait_until(lambda: cluster.scheduler.hosts() == 2, 30, "the scheduler knows the seed and the member")
        for peer in (member, foreign, plain):
            self.assertDone(cluster.dfget(peer, origin.url("f")), digest)
        for peer in (foreign, plain):
            self.assertEqual(peer.traffic("REMOTE_PEER"), 0)
        self.assertEqual(member.traffic("BACK_TO_SOURCE"), 0)
        foreign.wait_log("certificate verify failed")
        self.assertEqual(cluster.scheduler.hosts(), 2)

    def test_files_that_are_missing_or_wrong_are_named(self):
        cluster = self.secured(peers=1, start=False)
        scheduler, peer = cluster.scheduler, cluster.peers[0]
        for node, key in ((peer, "upload.server.key"), (scheduler, "server.tls.key")):
            path = node.dir / "tls" / "key.pem"
            path.unlink()
            node.start(wait=False)
            self.assertEqual(node.process.wait(20), 1)
            self.assertIn(key, node.log())
            self.assertIn(str(path), node.log())
        peer.override = {"upload": {"client": {"caCert": "/tmp/ca.pem"}}}
        peer.start(wait=False)
        self.assertEqual(peer.process.wait(20), 1)
        self.assertIn("upload.client: caCert, cert and key belong together", peer.log())
