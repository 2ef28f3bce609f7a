"""Sizes at which something changes: nothing, one byte, around a piece, and more than 32 bits can hold."""
import os

from tests.e2e.lib.cluster import ClusterTest, MIB, by_size
from tests.e2e.lib.origin import NginxOrigin

PIECE = 4 * MIB


class Sizes(ClusterTest):
    def test_sizes_around_a_piece(self):
        origin = self.origin(NginxOrigin)
        cluster = self.cluster(peers=2)
        for size in (0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE - 1, 3 * PIECE, 3 * PIECE + 1):
            with self.subTest(size=size):
                name = f"f{size}"
                digest = origin.put(name, size)
                origin.forget()
                running = [cluster.dfget(peer, origin.url(name), name, wait=None) for peer in cluster.peers]
                for download in running:
                    self.assertDone(download.wait(), digest)
                    self.assertEqual(os.path.getsize(download.output), size)
                    self.assertEqual(download.result["bytes"], size)
                self.assertLessEqual(origin.bytes(), size, origin.requests())

    def test_a_sparse_file_beyond_32_bits(self):
        size = by_size(600 * MIB, 5 * 1024 * MIB) + 1
        origin = self.origin(NginxOrigin)
        digest = origin.put("sparse", size, sparse=True)
        cluster = self.cluster(peers=2)
        running = [cluster.dfget(peer, origin.url("sparse"), wait=None) for peer in cluster.peers]
        for download in running:
            self.assertDone(download.wait(500), digest)
        self.assertLessEqual(origin.bytes(), 1.02 * size, origin.requests())

    def test_a_small_file_that_another_peer_holds_costs_the_origin_nothing(self):
        origin = self.origin(NginxOrigin)
        cluster = self.cluster(peers=2)
        digest = origin.put("small", 10 * 1024)
        self.assertDone(cluster.dfget(cluster.peers[0], origin.url("small")), digest)
        origin.forget()
        download = cluster.dfget(cluster.peers[1], origin.url("small"))
        self.assertDone(download, digest)
        self.assertEqual(origin.requests(), [])
        self.assertEqual(download.result["from_peers"], 10 * 1024)
