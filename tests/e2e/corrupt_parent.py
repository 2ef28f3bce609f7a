"""A parent whose bytes are wrong: found out, avoided, told of; the download is right."""
from tests.e2e.lib.cluster import ClusterTest, MIB
from tests.e2e.lib.origin import NginxOrigin


class CorruptParent(ClusterTest):
    def test_Sec_B15_corrupted_content_of_a_parent_is_not_taken(self):
        size = 40 * MIB + 1
        origin = self.origin(NginxOrigin)
        digest = origin.put("f", size)
        cluster = self.cluster(peers=2)
        parent, child = cluster.peers
        self.assertDone(cluster.dfget(parent, origin.url("f")), digest)
        origin.forget()
        parent.output = parent.dir / "out"
        parent.output.unlink()
        damaged = 0
        for path in parent.content_files():
            if path.stat().st_size >= size:
                with open(path, "r+b") as file:
                    for offset in range(0, size, 2 * MIB):
                        file.seek(offset)
                        byte = file.read(1)
                        file.seek(offset)
                        file.write(bytes([byte[0] ^ 0xFF]))
                damaged += 1
        self.assertEqual(damaged, 1, parent.content_files())
        download = cluster.dfget(child, origin.url("f"))
        self.assertDone(download, digest)
        self.assertEqual(download.from_parents(parent), 0, download.result)
        self.assertEqual(download.from_parents(cluster.seed), size)
        self.assertEqual(origin.requests(), [])

    def test_Sec_B15_when_every_parent_is_corrupt_the_origin_decides(self):
        size = 12 * MIB
        origin = self.origin(NginxOrigin)
        digest = origin.put("f", size)
        cluster = self.cluster(peers=2)
        parent, child = cluster.peers
        self.assertDone(cluster.dfget(parent, origin.url("f")), digest)
        (parent.dir / "out").unlink()
        for daemon in (parent, cluster.seed):
            for path in daemon.content_files():
                if path.stat().st_size >= size:
                    with open(path, "r+b") as file:
                        for offset in range(0, size, MIB):
                            file.seek(offset)
                            file.write(b"damaged")
        download = cluster.dfget(child, origin.url("f"), "out", "--digest", f"sha256:{digest}")
        self.assertDone(download, digest)
