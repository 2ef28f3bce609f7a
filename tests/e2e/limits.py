"""Limits of the programs' listeners: who goes beyond one is told so and counted, and others are served."""
import socket

from tests.e2e.lib.cluster import ClusterTest
from tests.e2e.lib.origin import NginxOrigin
from tests.e2e.lib.process import wait_until


class Limits(ClusterTest):
    def exceeded(self, node, limit):
        return node.metric(f'^dragonfly_[a-z]+_limit_exceeded_total.*limit="{limit}"')

    def test_requests_of_a_user_beyond_the_rate(self):
        swarm = self.cluster(peers=1, daemon_override={"download": {"server": {"requestRateLimit": 1}}})
        peer = swarm.peers[0]
        server = self.origin(NginxOrigin)
        digest = server.put("f", 10_000)

        downloads = [swarm.dfget(peer, server.url("f"), f"out-{i}", wait=None) for i in range(12)]
        refused = [each for each in downloads if each.wait().code != 0]
        self.assertTrue(refused)
        self.assertLess(len(refused), len(downloads))
        for each in refused:
            self.assertIn("download.server.requestRateLimit", each.err)
            self.assertFalse(each.output.exists())
        self.assertGreaterEqual(self.exceeded(peer, "rate"), len(refused))
        self.assertEqual(len(peer.log().split("limit exceeded")), 2, "one line of a minute")

        wait_until(lambda: swarm.dfget(peer, server.url("f"), "later").code == 0, 30, "calls are served again")
        self.assertDone(swarm.dfget(swarm.seed, server.url("f"), "seed"), digest)

    def test_connections_of_an_address(self):
        swarm = self.cluster(peers=1, daemon_override={"upload": {"server": {"maxConnectionsPerSource": 3}}})
        peer = swarm.peers[0]
        address = (peer.ip, peer.ports["upload"])

        def greeted(connection):
            """Whether the server speaks HTTP/2; a connection that was refused is closed without a word."""
            connection.settimeout(10)
            try:
                connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0")
                return connection.recv(9) != b""
            except ConnectionError:
                return False

        held = [socket.create_connection(address, timeout=5, source_address=("127.0.0.7", 0)) for _ in range(4)]
        self.assertEqual([greeted(each) for each in held], [True, True, True, False])
        self.assertEqual(self.exceeded(peer, "connections_per_source"), 1)
        with socket.create_connection(address, timeout=5, source_address=("127.0.0.8", 0)) as other:
            self.assertTrue(greeted(other))
        held[0].close()

        def one_more():
            with socket.create_connection(address, timeout=5, source_address=("127.0.0.7", 0)) as again:
                return greeted(again)

        wait_until(one_more, 20, "the place of a connection that went is free")
        for each in held:
            each.close()
