"""What an administrator blocks is refused before anybody is asked, and taken back when he takes it back."""
import json

from tests.e2e.lib.cluster import ClusterTest
from tests.e2e.lib.origin import NginxOrigin
from tests.e2e.lib.process import wait_until


class BlockList(ClusterTest):
    def setUp(self):
        self.server = self.origin(NginxOrigin)
        self.digest = self.server.put("f", 100_000)
        self.swarm = self.cluster(peers=1, seeds=1)
        self.peer = self.swarm.peers[0]
        self.downloads = 0

    def block(self, **rules):
        lists = {"blockList": {"task": {"download": rules}}}
        fresh = self.peer.dynconfig.with_suffix(".new")
        fresh.write_text(json.dumps({"scheduler": {"addrs": list(self.swarm.scheduler_addresses())},
                                     "clientConfig": lists}))
        fresh.rename(self.peer.dynconfig)

    def get(self, *arguments):
        self.downloads += 1
        return self.swarm.dfget(self.peer, self.server.url("f"), f"out-{self.downloads}", *arguments)

    def test_a_tag_that_is_blocked_and_free_again(self):
        self.block(tags=["nightly"])
        wait_until(lambda: self.get("--tag", "nightly").code != 0, 30, "the block list is in force")
        self.server.forget()
        refused = self.get("--tag", "nightly")
        self.assertNotEqual(refused.code, 0)
        self.assertIn('task.download.tags: "nightly"', refused.err)
        self.assertIn("administrator", refused.err)
        self.assertFalse(refused.output.exists())
        self.assertEqual(self.server.requests(), [])
        self.assertGreaterEqual(self.peer.metric("^dragonfly_client_download_task_blocked_total"), 2)
        self.assertDone(self.get(), self.digest)
        self.block()
        wait_until(lambda: self.get("--tag", "nightly").code == 0, 30, "the block list is gone")

    def test_a_url(self):
        self.block(urls=["/files/f$"])
        wait_until(lambda: self.get().code != 0, 30, "the block list is in force")
        self.server.forget()
        self.assertIn("task.download.urls", self.get().err)
        self.assertEqual(self.server.requests(), [])

    def test_a_list_that_is_wrong_changes_nothing(self):
        self.block(tags=["nightly"])
        wait_until(lambda: self.get("--tag", "nightly").code != 0, 30, "the block list is in force")
        self.block(urls=["("])
        self.peer.wait_log(r"no list of schedulers.*urls")
        self.assertNotEqual(self.get("--tag", "nightly").code, 0)
        self.assertDone(self.get(), self.digest)
