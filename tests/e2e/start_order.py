"""Programs that start before what they need: nobody exits, a log line says what is awaited, and then it works."""
import json
import socket
import time

from tests.e2e.lib.cluster import ClusterTest, MIB
from tests.e2e.lib.origin import NginxOrigin
from tests.e2e.lib.process import wait_until


class StartOrder(ClusterTest):
    def test_any_order_with_gaps(self):
        origin = self.origin(NginxOrigin)
        digest = origin.put("f", 9 * MIB)
        cluster = self.cluster(peers=2, start=False)
        for node in (cluster.peers[0], cluster.seed, cluster.scheduler, cluster.peers[1]):
            node.start()
            time.sleep(1)
        cluster.peers[0].wait_log("waiting for a scheduler")
        self.assertIn(cluster.scheduler_addresses()[0], cluster.peers[0].log())
        cluster.wait_announced()
        origin.forget()
        for peer in cluster.peers:
            self.assertDone(cluster.dfget(peer, origin.url("f")), digest)
        self.assertLessEqual(origin.bytes(), 9 * MIB)

    def test_a_schedulers_name_that_does_not_resolve_yet(self):
        cluster = self.cluster(peers=1, start=False)
        peer = cluster.peers[0]
        peer.use_schedulers("scheduler.invalid:8002")
        peer.start()
        peer.wait_log("scheduler.invalid")
        cluster.scheduler.start()
        cluster.seed.start()
        self.assertTrue(peer.process.running())
        # The name comes true: dynconfig says another one, and is read anew.
        peer.use_schedulers(*cluster.scheduler_addresses())
        cluster.wait_announced()

    def test_without_any_scheduler_the_origin_is_read(self):
        origin = self.origin(NginxOrigin)
        digest = origin.put("f", 9 * MIB)
        cluster = self.cluster(peers=1, seeds=0, start=False)
        cluster.peers[0].start()
        began = time.monotonic()
        self.assertDone(cluster.dfget(cluster.peers[0], origin.url("f")), digest)
        self.assertLess(time.monotonic() - began, 30)

    def test_a_stale_socket_is_removed_and_a_live_one_refused(self):
        cluster = self.cluster(peers=2, seeds=0, start=False)
        first, second = cluster.peers
        stale = socket.socket(socket.AF_UNIX)
        stale.bind(str(first.socket))
        stale.close()
        first.start()
        second.override = {"download": {"server": {"socketPath": str(first.socket)}}}
        second.start(wait=False)
        self.assertEqual(second.process.wait(20), 1)
        self.assertIn(str(first.socket), second.log())
        self.assertIn(str(first.process.pid), second.log())
        self.assertTrue(first.healthy())

    def test_one_data_folder_has_one_daemon(self):
        cluster = self.cluster(peers=2, seeds=0, start=False)
        first, second = cluster.peers
        first.start()
        second.override = {"storage": {"dir": str(first.data)}}
        second.start(wait=False)
        self.assertEqual(second.process.wait(20), 1)
        self.assertIn(str(first.data), second.log())

    def test_dfget_without_a_daemon_says_how_to_start_one(self):
        cluster = self.cluster(peers=1, seeds=0, start=False)
        download = cluster.dfget(cluster.peers[0], "http://127.0.0.1:9/f")
        self.assertEqual(download.code, 3)
        self.assertIn(str(cluster.peers[0].socket), download.err)
        self.assertIn("dfdaemon", download.err)

    def test_a_daemon_that_ends_while_it_waits(self):
        cluster = self.cluster(peers=1, seeds=0, start=False)
        peer = cluster.peers[0].start()
        peer.wait_log("waiting for a scheduler")
        self.assertEqual(peer.stop(), 0)
        wait_until(lambda: not peer.socket.exists(), 5, "the socket is gone")

    def test_dynconfig_that_is_no_yaml_keeps_what_was(self):
        origin = self.origin(NginxOrigin)
        digest = origin.put("f", 100_000)
        cluster = self.cluster(peers=1)
        peer = cluster.peers[0]
        peer.dynconfig.write_text("scheduler: [")
        peer.wait_log("dynconfig")
        self.assertDone(cluster.dfget(peer, origin.url("f")), digest)
        self.assertEqual(json.loads(cluster.seed.dynconfig.read_text())["scheduler"]["addrs"],
                         cluster.scheduler_addresses())
