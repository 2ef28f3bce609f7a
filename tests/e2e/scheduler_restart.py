"""The scheduler restarts while many download, and what it knew of a parent's address is not true any more."""
import time

from tests.e2e.lib.cluster import ClusterTest, Daemon, MIB, by_size
from tests.e2e.lib.origin import PyOrigin
from tests.e2e.lib.process import wait_until

PEERS = by_size(4, 10)
FILES = by_size(5, 10)  # each is downloaded by every peer
SIZE = by_size(6, 24) * MIB + 3


class SchedulerRestart(ClusterTest):
    def test_all_downloads_that_run_finish_and_new_ones_get_parents(self):
        server = self.origin(PyOrigin, rate=by_size(12, 24) * MIB)
        digests = [server.put(f"f{i}", SIZE) for i in range(FILES)]
        digest_held = server.put("held", 2 * MIB)
        cluster = self.cluster(peers=PEERS, start=False)
        for peer in cluster.peers:
            peer.override = {"download": {"bandwidthLimit": "12MiB"}}
        cluster.start()
        holder, newcomer = cluster.peers[0], cluster.peers[1]
        self.assertDone(cluster.dfget(holder, server.url("held"), "held"), digest_held)
        running = [(cluster.dfget(peer, server.url(f"f{i}"), f"{peer.name}-f{i}", wait=None), digests[i])
                   for i in range(FILES) for peer in cluster.peers]
        wait_until(lambda: server.sent >= FILES * SIZE / 4, 60, "a quarter of it is read")
        self.assertTrue(any(download.running() for download, _ in running), "it is in the middle")
        cluster.scheduler.kill()
        cluster.scheduler.start()
        cluster.wait_announced()
        sent, began = server.sent, time.monotonic()
        self.assertDone(cluster.dfget(newcomer, server.url("held"), "held-too"), digest_held)
        print(f"new register served after {time.monotonic() - began:.2f} s")
        for download, digest in running:
            self.assertDone(download.wait(by_size(120, 300)), digest)
        distinct = FILES * SIZE + 2 * MIB
        print(f"origin bytes {server.sent / distinct:.3f} x the content, {sent} before the restart")
        self.assertLessEqual(server.sent, 1.1 * distinct)

    def test_a_parents_address_belongs_to_another_daemon_now(self):
        server = self.origin(PyOrigin)
        digest = server.put("f", 12 * MIB)
        cluster = self.cluster(peers=2)
        gone, child = cluster.peers
        self.assertDone(cluster.dfget(gone, server.url("f")), digest)
        gone.kill()
        # Another node at the same address, which the scheduler has not heard of yet.
        other = Daemon(cluster, "other", False)
        other.ports.update({port: gone.ports[port] for port in ("upload", "pieces")})
        other.use_schedulers()
        other.start()
        self.addCleanup(other.stop)
        began = time.monotonic()
        self.assertDone(cluster.dfget(child, server.url("f")), digest)
        print(f"done after {time.monotonic() - began:.2f} s")
        self.assertLess(time.monotonic() - began, 10, "it does not wait for one that is not there")
        self.assertLessEqual(server.sent, 1.02 * 12 * MIB, "the seed has it")
