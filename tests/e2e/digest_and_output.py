"""What --digest asks for and where -O points is checked; nothing wrong appears under the final name."""
import hashlib
import os
import pathlib
import stat
import zlib

from tests.e2e.lib.cluster import ClusterTest, MIB
from tests.e2e.lib.origin import NginxOrigin


class Digest(ClusterTest):
    def test_every_algorithm_right_and_wrong(self):
        origin = self.origin(NginxOrigin)
        size = 5 * MIB + 1
        sha256 = origin.put("f", size)
        content = (origin.dir / "files" / "f").read_bytes()
        cluster = self.cluster(peers=1)
        peer = cluster.peers[0]
        right = {
            "sha256": sha256,
            "sha512": hashlib.sha512(content).hexdigest(),
            "sha1": hashlib.sha1(content).hexdigest(),
            "md5": hashlib.md5(content).hexdigest(),
            "crc32": str(zlib.crc32(content)),
        }
        for algorithm, value in right.items():
            with self.subTest(algorithm=algorithm):
                done = cluster.dfget(peer, origin.url("f"), f"right-{algorithm}", "--digest", f"{algorithm}:{value}")
                self.assertDone(done, sha256)
                wrong = value[:-1] + ("1" if value[-1] != "1" else "2")
                failed = cluster.dfget(peer, origin.url("f"), f"wrong-{algorithm}", "--digest", f"{algorithm}:{wrong}")
                self.assertEqual(failed.code, 7, failed.err)
                self.assertFalse(failed.output.exists())
                self.assertIn(value, failed.err)
                self.assertIn(wrong, failed.err)
        self.assertEqual([path.name for path in peer.dir.glob(".*")], [])

    def test_a_wrong_digest_harms_nobody_else(self):
        origin = self.origin(NginxOrigin)
        digest = origin.put("f", 9 * MIB)
        cluster = self.cluster(peers=1)
        peer = cluster.peers[0]
        wrong = cluster.dfget(peer, origin.url("f"), "wrong", "--digest", "sha256:" + "0" * 64, wait=None)
        right = cluster.dfget(peer, origin.url("f"), "right", wait=None)
        self.assertEqual(wrong.wait().code, 7)
        self.assertDone(right.wait(), digest)


class Output(ClusterTest):
    def setUp(self):
        self.server = self.origin(NginxOrigin)
        self.digest = self.server.put("f", 100_000)
        self.swarm = self.cluster(peers=1)
        self.peer = self.swarm.peers[0]

    def refused(self, output, says, *arguments):
        """Refused with exit code 6 before anybody asked the origin."""
        self.server.forget()
        download = self.swarm.dfget(self.peer, self.server.url("f"), str(output), *arguments)
        self.assertEqual(download.code, 6, download.err)
        self.assertIn(says, download.err)
        self.assertIn(str(output.parent), download.err)
        self.assertEqual(self.server.requests(), [], "it was seen before the download")

    def test_a_missing_folder(self):
        self.refused(self.peer.dir / "missing" / "out", "is not a directory; create it")

    def test_a_folder(self):
        (self.peer.dir / "folder").mkdir()
        self.refused(self.peer.dir / "folder", "directory")
        self.refused(self.peer.dir / "folder", "directory", "--overwrite")

    def test_a_file_where_the_folder_should_be(self):
        (self.peer.dir / "file").write_text("x")
        self.refused(self.peer.dir / "file" / "out", "is not a directory")

    def test_a_place_that_cannot_be_written(self):
        self.refused(pathlib.Path("/proc/out"), "/proc")

    def test_an_existing_file_is_replaced_only_on_request_and_at_once(self):
        out = self.peer.dir / "out"
        out.write_text("old")
        os.link(out, self.peer.dir / "other-name")
        self.refused(out, "--overwrite")
        self.assertEqual(out.read_text(), "old")
        self.assertDone(self.swarm.dfget(self.peer, self.server.url("f"), "out", "--overwrite"), self.digest)
        self.assertEqual((self.peer.dir / "other-name").read_text(), "old", "a new file in its place")

    def test_a_failed_overwrite_leaves_the_old_file(self):
        out = self.peer.dir / "out"
        out.write_text("old")
        failed = self.swarm.dfget(self.peer, self.server.url("f"), "out", "--overwrite", "--digest", "md5:" + "0" * 32)
        self.assertEqual(failed.code, 7)
        self.assertEqual(out.read_text(), "old")

    def test_a_folder_behind_a_symbolic_link(self):
        (self.peer.dir / "real").mkdir()
        (self.peer.dir / "link").symlink_to("real")
        self.assertDone(self.swarm.dfget(self.peer, self.server.url("f"), "link/out"), self.digest)
        self.assertTrue((self.peer.dir / "real" / "out").is_file())

    def test_special_files_are_never_replaced(self):
        os.mkfifo(self.peer.dir / "fifo")
        (self.peer.dir / "dangling").symlink_to("nowhere")
        for name in ("fifo", "dangling"):
            self.refused(self.peer.dir / name, "never replaced", "--overwrite")
        self.assertTrue(stat.S_ISFIFO(os.stat(self.peer.dir / "fifo").st_mode))
        self.assertFalse((self.peer.dir / "nowhere").exists())

    def test_stdout(self):
        download = self.swarm.dfget(self.peer, self.server.url("f"), "-")
        self.assertEqual(download.code, 2, "--json and the content cannot share stdout")
        self.assertIn("--json", download.err)
