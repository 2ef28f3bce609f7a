"""Parents, seeds, schedulers and the daemon itself die or hang in the middle: the download finishes, and it is right.

The bounds are those of docs/design/life-of-a-download.md ("What a failure costs").
"""
import time

from tests.e2e.lib.cluster import ClusterTest, MIB, by_size
from tests.e2e.lib.origin import PyOrigin
from tests.e2e.lib.process import wait_until

SIZE = 48 * MIB + 3
HUNG = by_size(15, 60)  # seconds
BOUND = 45  # seconds that one failure may add


class Failures(ClusterTest):
    def world(self, peers=2, rate=16 * MIB, limit="12MiB"):
        """An origin that gives `rate` bytes/s, and peers that take no more than `limit` bytes/s."""
        self.server = self.origin(PyOrigin, rate=rate)
        self.digest = self.server.put("f", SIZE)
        cluster = self.cluster(peers=peers, start=False)
        for peer in cluster.peers:
            peer.override = {"download": {"bandwidthLimit": limit}}
        return cluster.start()

    def begin(self, cluster, peer, name="out", arrived=8 * MIB):
        """A download of which a part has arrived, and a part has not."""
        download = cluster.dfget(peer, self.server.url("f"), name, wait=None)
        wait_until(lambda: peer.traffic("REMOTE_PEER") + peer.traffic("BACK_TO_SOURCE") >= arrived, 60, "pieces arrive")
        self.assertTrue(download.running(), "it is not over yet")
        return download

    def check_used_again(self, cluster, peer, node):
        """A new task that only `node` has reaches `peer` from there."""
        # What was read for the first task has come to its end.
        quiet = [-1]

        def settled():
            before, quiet[0] = quiet[0], self.server.sent
            time.sleep(0.5)
            return before == self.server.sent
        wait_until(settled, 30, "the origin is quiet")
        digest = self.server.put("again", 9 * MIB)
        wait_until(node.healthy, 30, f"{node.name} is well")
        self.assertDone(cluster.dfget(node, self.server.url("again"), "again"), digest)
        sent = self.server.sent

        def from_node():
            # Schedulers need a moment to see that somebody is back.
            download = cluster.dfget(peer, self.server.url("again"), f"again-{time.monotonic()}")
            self.assertDone(download, digest)
            return True
        wait_until(from_node, 60, f"{node.name} is used again")
        self.assertEqual(self.server.sent, sent, "the swarm had it")

    # ---- killed ----

    def test_a_parent_is_killed(self):
        cluster = self.world()
        parent, child = cluster.peers
        self.assertDone(cluster.dfget(parent, self.server.url("f")), self.digest)
        download = self.begin(cluster, child)
        parent.kill()
        began = time.monotonic()
        self.assertDone(download.wait(), self.digest)
        self.assertLess(time.monotonic() - began, BOUND)
        self.assertLessEqual(self.server.sent, 1.02 * SIZE)

    def test_the_seed_is_killed(self):
        cluster = self.world()
        running = [self.begin(cluster, peer) for peer in cluster.peers]
        cluster.seed.kill()
        began = time.monotonic()
        for download in running:
            self.assertDone(download.wait(), self.digest)
        self.assertLess(time.monotonic() - began, BOUND)
        # What the peers had between them is not read again by both.
        self.assertLessEqual(self.server.sent, 2.2 * SIZE)
        cluster.seed.start()
        cluster.wait_announced()
        self.check_used_again(cluster, cluster.peers[0], cluster.peers[1])

    def test_the_scheduler_is_killed(self):
        cluster = self.world()
        download = self.begin(cluster, cluster.peers[0])
        cluster.scheduler.kill()
        began = time.monotonic()
        self.assertDone(download.wait(), self.digest)
        self.assertLess(time.monotonic() - began, BOUND)
        self.assertLessEqual(self.server.sent, 1.02 * SIZE, "a download that runs needs no scheduler")
        cluster.scheduler.start()
        cluster.wait_announced()
        sent = self.server.sent
        # The new scheduler knows nothing of the task; the seed still has it.
        self.assertDone(cluster.dfget(cluster.peers[1], self.server.url("f")), self.digest)
        self.assertEqual(self.server.sent, sent)

    def test_the_downloading_daemon_is_killed_and_reuses_what_it_has(self):
        cluster = self.world()
        peer = cluster.peers[0]
        download = self.begin(cluster, peer, arrived=20 * MIB)
        peer.kill()
        self.assertEqual(download.wait().code, 3, download.err)
        self.assertFalse(download.output.exists())
        peer.start()
        cluster.wait_announced()
        again = cluster.dfget(peer, self.server.url("f"))
        self.assertDone(again, self.digest)
        self.assertGreaterEqual(again.result["from_disk"], 16 * MIB, again.result)
        self.assertLessEqual(peer.traffic("REMOTE_PEER") + peer.traffic("BACK_TO_SOURCE"), SIZE - 16 * MIB)

    # ---- hung: stopped, not dead ----

    def hang(self, cluster, node, download, bound=BOUND):
        node.suspend()
        began = time.monotonic()
        self.addCleanup(node.resume)
        try:
            self.assertDone(download.wait(HUNG + bound), self.digest)
        finally:
            took = time.monotonic() - began
        self.assertLess(took, bound, "it does not wait for the hung one")
        time.sleep(max(0.0, HUNG - took))
        node.resume()

    def test_a_parent_hangs(self):
        cluster = self.world(peers=2)
        parent, child = cluster.peers
        self.assertDone(cluster.dfget(parent, self.server.url("f")), self.digest)
        self.hang(cluster, parent, self.begin(cluster, child))
        self.check_used_again(cluster, child, parent)

    def test_the_seed_hangs(self):
        cluster = self.world(peers=2)
        self.hang(cluster, cluster.seed, self.begin(cluster, cluster.peers[0]))
        self.check_used_again(cluster, cluster.peers[1], cluster.peers[0])

    def test_the_scheduler_hangs(self):
        cluster = self.world(peers=2)
        self.hang(cluster, cluster.scheduler, self.begin(cluster, cluster.peers[0]))
        self.check_used_again(cluster, cluster.peers[1], cluster.peers[0])

    def test_a_download_that_begins_while_the_scheduler_hangs(self):
        cluster = self.world(peers=1)
        cluster.scheduler.suspend()
        self.addCleanup(cluster.scheduler.resume)
        began = time.monotonic()
        self.assertDone(cluster.dfget(cluster.peers[0], self.server.url("f")), self.digest)
        self.assertLess(time.monotonic() - began, BOUND + 15)
