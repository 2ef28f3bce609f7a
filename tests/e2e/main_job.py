"""The job that the project exists for: one file, several peers at once, the origin read once."""
from tests.e2e.lib.cluster import ClusterTest, MIB, by_size
from tests.e2e.lib.origin import NginxOrigin, PyOrigin


class ThreePeers(ClusterTest):
    """What the main job is, whatever the transport of pieces; not a test by itself."""

    def run_main_job(self, size, **options):
        origin = self.origin(NginxOrigin)
        digest = origin.put("big", size)
        cluster = self.cluster(peers=3, **options)
        # Uplinks that one node alone cannot fill the others from: what a swarm is for.
        running = [cluster.dfget(peer, origin.url("big"), "out", wait=None) for peer in cluster.peers]
        done = [download.wait(300) for download in running]
        for download in done:
            self.assertDone(download, digest)
        self.assertLessEqual(origin.bytes(), 1.02 * size, origin.requests())
        for peer, download in zip(cluster.peers, done):
            others = [other for other in cluster.peers if other is not peer]
            share = download.from_parents(*others) / size
            print(f"{peer.name}: {share:.0%} from peers that are no seed, {download.result['seconds']:.1f} s")
            self.assertGreaterEqual(share, 0.1, download.result)
            self.assertEqual(peer.traffic("BACK_TO_SOURCE"), 0)
        return cluster


class MainJobOverGrpc(ThreePeers):
    def test_three_peers_at_once_read_the_origin_once_and_each_other(self):
        size = 256 * MIB
        cluster = self.run_main_job(size, daemon_override={"download": {"protocol": "grpc"}})
        # By RPC and not by the transport that is left when a parent does not know the RPCs.
        sent = lambda transport: sum(daemon.metric(f'^dragonfly_client_piece_sent_bytes.*"{transport}"')
                                     for daemon in cluster.daemons)
        self.assertEqual(sent("tcp"), 0)
        self.assertGreaterEqual(sent("grpc"), 3 * size)


class MainJob(ThreePeers):
    def test_three_peers_at_once_read_the_origin_once_and_each_other(self):
        self.run_main_job(by_size(256 * MIB, 1024 * MIB))

    def test_a_second_download_on_the_same_node_asks_nobody(self):
        size = 20 * MIB + 3
        origin = self.origin(NginxOrigin)
        digest = origin.put("f", size)
        cluster = self.cluster(peers=1)
        self.assertDone(cluster.dfget(cluster.peers[0], origin.url("f"), "one"), digest)
        origin.forget()
        again = cluster.dfget(cluster.peers[0], origin.url("f"), "two")
        self.assertDone(again, digest)
        self.assertEqual(origin.requests(), [])
        self.assertEqual(again.result["from_disk"], size)

    def check(self, origin, how, size):
        digest = origin.put("f", size)
        cluster = self.cluster(peers=2)
        running = [cluster.dfget(peer, origin.url("f", how), "out", wait=None) for peer in cluster.peers]
        for download in running:
            self.assertDone(download.wait(120), digest)
        return cluster

    def test_an_origin_without_ranges(self):
        origin = self.origin(NginxOrigin)
        size = 50 * MIB + 17
        self.check(origin, "norange", size)
        self.assertLessEqual(origin.bytes(), 1.02 * size, origin.requests())

    def test_chunked_content_of_unknown_length(self):
        origin = self.origin(NginxOrigin)
        size = 50 * MIB + 17
        self.check(origin, "chunked", size)
        self.assertLessEqual(origin.bytes(), 1.02 * size, origin.requests())

    def test_content_that_ends_with_the_connection(self):
        origin = self.origin(PyOrigin)
        size = 20 * MIB + 17
        self.check(origin, "unknown", size)
        self.assertLessEqual(origin.sent, 1.02 * size)
