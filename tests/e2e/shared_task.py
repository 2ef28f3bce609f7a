"""Many callers of one task on one node share one transfer; who goes away takes nothing from the others."""
import signal

from tests.e2e.lib.cluster import ClusterTest, MIB
from tests.e2e.lib.origin import PyOrigin
from tests.e2e.lib.process import wait_until


class SharedTask(ClusterTest):
    def test_ten_callers_one_transfer_and_one_is_interrupted(self):
        size = 24 * MIB + 5
        origin = self.origin(PyOrigin, rate=8 * MIB)
        digest = origin.put("f", size)
        cluster = self.cluster(peers=1)
        peer = cluster.peers[0]
        running = [cluster.dfget(peer, origin.url("f"), f"out{k}", wait=None) for k in range(10)]
        wait_until(lambda: origin.sent > 8 * MIB, 30, "the transfer is under way")
        self.assertTrue(all(download.running() for download in running), "nobody is done yet")
        running[3].signal(signal.SIGINT)
        interrupted = running[3].wait()
        self.assertEqual(interrupted.code, 130)
        self.assertFalse(interrupted.output.exists())
        self.assertLess(origin.sent, size, "the others still wait")
        for k, download in enumerate(running):
            if k != 3:
                self.assertDone(download.wait(), digest)
        self.assertLessEqual(origin.sent, 1.02 * size)
        self.assertEqual(origin.requests["GET"], 1)
        self.assertEqual(peer.traffic("REMOTE_PEER"), size, "one transfer")
        self.assertEqual([path.name for path in peer.dir.glob(".*")], [], "nothing is left beside the outputs")

    def test_the_only_caller_goes_away_and_the_next_one_uses_what_came(self):
        size = 24 * MIB
        origin = self.origin(PyOrigin, rate=8 * MIB)
        digest = origin.put("f", size)
        cluster = self.cluster(peers=1)
        peer = cluster.peers[0]
        first = cluster.dfget(peer, origin.url("f"), "one", wait=None)
        wait_until(lambda: peer.traffic("REMOTE_PEER") >= 8 * MIB, 30, "pieces are here")
        first.signal(signal.SIGTERM)
        self.assertEqual(first.wait().code, 143)
        second = cluster.dfget(peer, origin.url("f"), "two")
        self.assertDone(second, digest)
        self.assertGreaterEqual(second.result["from_disk"], 8 * MIB)
