"""Origins that refuse, fail, lie and hang: exit code, status and URL in the message, nothing under the final name."""
import time

from tests.e2e.lib.cluster import ClusterTest, MIB
from tests.e2e.lib.origin import NginxOrigin, PyOrigin


class OriginErrors(ClusterTest):
    def failed(self, cluster, url, code, *says, arguments=()):
        for peer in cluster.peers[:1]:
            download = cluster.dfget(peer, url, "out", *arguments, wait=90)
            self.assertEqual(download.code, code, download.err)
            for text in says:
                self.assertIn(text, download.err)
            self.assertFalse(download.output.exists())
            return download

    def check_statuses(self, cluster):
        origin = self.origin(NginxOrigin)
        origin.put("f", 100_000)
        for status, code in ((401, 4), (403, 4), (404, 4), (416, 4), (500, 5), (503, 5)):
            with self.subTest(status=status):
                url = origin.url(f"f{status}", f"status/{status}")
                download = self.failed(cluster, url, code, str(status), url)
                self.assertEqual(download.result["error"]["http_status"], status)

    def test_statuses_with_a_swarm(self):
        self.check_statuses(self.cluster(peers=1))

    def test_statuses_without_a_scheduler(self):
        cluster = self.cluster(peers=1, seeds=0, schedulers=0, start=False)
        cluster.peers[0].start()
        self.check_statuses(cluster)

    def test_redirects(self):
        origin = self.origin(NginxOrigin)
        digest = origin.put("f", 5 * MIB)
        cluster = self.cluster(peers=1)
        for how in ("301", "302", "307", "308"):
            with self.subTest(how=how):
                self.assertDone(cluster.dfget(cluster.peers[0], origin.url("f", how), f"out{how}"), digest)
        self.failed(cluster, origin.url("x", "loop"), 5, "redirect")

    def test_passwords_in_urls_are_not_repeated(self):
        origin = self.origin(NginxOrigin)
        cluster = self.cluster(peers=1)
        url = origin.url("x", "status/404").replace("http://", "http://someone:secret-word@")
        download = self.failed(cluster, url, 4, "404")
        self.assertNotIn("secret-word", download.err + download.out)
        for node in cluster.nodes:
            self.assertNotIn("secret-word", node.log())

    def test_nobody_listens(self):
        cluster = self.cluster(peers=1)
        port = cluster.ports.take()
        self.failed(cluster, f"http://127.0.0.1:{port}/f", 5, f"127.0.0.1:{port}")

    def test_an_origin_that_is_always_cut_short_makes_progress_by_ranges(self):
        origin = self.origin(PyOrigin, cut_at=6 * MIB)
        digest = origin.put("f", 20 * MIB)
        cluster = self.cluster(peers=1)
        self.assertDone(cluster.dfget(cluster.peers[0], origin.url("f", "cut")), digest)

    def test_an_origin_that_never_gets_far_is_given_up(self):
        origin = self.origin(PyOrigin, cut_at=1000)
        origin.put("f", 20 * MIB)
        cluster = self.cluster(peers=1)
        self.failed(cluster, origin.url("f", "cut"), 5)

    def test_a_timeout_ends_the_wait_for_an_origin_that_hangs(self):
        origin = self.origin(PyOrigin, cut_at=1 * MIB)
        origin.put("f", 20 * MIB)
        cluster = self.cluster(peers=1)
        began = time.monotonic()
        self.failed(cluster, origin.url("f", "hang"), 124, arguments=("--timeout", "5s"))
        self.assertLess(time.monotonic() - began, 30)
