"""Clusters whose nodes find each other through a manager, and what happens when it is not there."""
import urllib.error

from tests.e2e.lib.cluster import MIB, ClusterTest, by_size
from tests.e2e.lib.mariadb import MariaDb
from tests.e2e.lib.origin import NginxOrigin
from tests.e2e.lib.process import wait_until


class Managed(ClusterTest):
    def download_on_all(self, cluster, origin, name, size, seed_only=True):
        """Every peer has it; what the origin gave for that."""
        digest = origin.put(name, size)
        before = origin.bytes()
        for download in [cluster.dfget(peer, origin.url(name), name, wait=None) for peer in cluster.peers]:
            self.assertDone(download.wait(), digest)
        read = origin.bytes() - before
        if seed_only:
            self.assertLessEqual(read, size * 1.02, "the seed peer alone reads the origin")
        return read

    def assertHeard(self, manager, schedulers):
        wait_until(lambda: manager.active_schedulers() == schedulers, 30, f"{schedulers} schedulers are active")


class OneCluster(Managed):
    def test_the_main_job(self):
        cluster = self.cluster(peers=2, manager=True)
        origin = self.origin(NginxOrigin)
        self.download_on_all(cluster, origin, "f", by_size(33 * MIB, 512 * MIB))
        [row] = cluster.manager.api("GET", "/schedulers")
        self.assertEqual((row["state"], row["ip"], row["port"], row["scheduler_cluster_id"]),
                         ("active", cluster.ip, cluster.scheduler.ports["grpc"], 1))
        self.assertEqual(cluster.scheduler.stop(), 0)
        self.assertHeard(cluster.manager, 0)

    def test_everything_goes_on_while_the_manager_is_dead_or_hangs(self):
        cluster = self.cluster(peers=3, manager=True, start=False)
        late = cluster.peers.pop()
        cluster.start()
        origin = self.origin(NginxOrigin)
        self.download_on_all(cluster, origin, "a", 9 * MIB)

        cluster.manager.suspend()
        self.download_on_all(cluster, origin, "b", 9 * MIB)
        # A node that has never been here has nobody who tells it where schedulers are; one that has been knows.
        known = cluster.peers[0]
        self.assertEqual(known.stop(), 0)
        known.start()
        known.wait_log("schedulers healthy=[0-9[]")
        self.download_on_all(cluster, origin, "c", 9 * MIB)
        self.assertEqual(cluster.scheduler.stop(), 0)
        cluster.scheduler.start()
        cluster.wait_announced()
        self.download_on_all(cluster, origin, "d", 9 * MIB)

        cluster.manager.kill()
        self.download_on_all(cluster, origin, "e", 9 * MIB)
        late.start()
        digest = origin.put("g", 3 * MIB)
        self.assertDone(cluster.dfget(late, origin.url("g")), digest)
        cluster.manager.start()
        self.assertHeard(cluster.manager, 1)
        late.wait_log("schedulers healthy=[0-9[]", 60)

    def test_the_manager_ends_and_starts_while_it_is_asked(self):
        cluster = self.cluster(peers=1, manager=True)
        origin = self.origin(NginxOrigin)
        for k in range(3):
            self.assertEqual(cluster.manager.stop(), 0, cluster.manager.log())
            self.download_on_all(cluster, origin, f"f{k}", 2 * MIB)
            cluster.manager.start()
            self.assertHeard(cluster.manager, 1)


class WithMariaDb(Managed):
    def test_everything_goes_on_while_the_database_is_away_and_when_it_is_back(self):
        database = MariaDb()
        self.addCleanup(database.close)
        cluster = self.cluster(peers=2, manager=True, start=False)
        cluster.manager.override = database.config()
        cluster.start()
        manager = cluster.manager
        origin = self.origin(NginxOrigin)
        self.download_on_all(cluster, origin, "a", 9 * MIB)
        self.assertHeard(manager, 1)

        database.kill()
        with self.assertRaises(urllib.error.HTTPError) as refused:
            manager.api("GET", "/schedulers")
        self.assertEqual(refused.exception.code, 503)
        self.assertTrue(manager.healthy())
        # A node that starts now is told of the schedulers as of before.
        peer = cluster.peers[0]
        self.assertEqual(peer.stop(), 0)
        (peer.data / "schedulers.saved").unlink()
        before = peer.log().count("schedulers healthy=")
        peer.start()
        wait_until(lambda: peer.log().count("schedulers healthy=") > before, 20, "it has a scheduler")
        self.download_on_all(cluster, origin, "b", 9 * MIB)

        database.start()
        self.assertHeard(manager, 1)
        self.assertEqual(manager.make_cluster("second"), 2)
        self.download_on_all(cluster, origin, "c", 9 * MIB)


class TwoClusters(Managed):
    def test_nothing_crosses(self):
        first = self.cluster(peers=2, manager=True, cluster_id=1)
        number = first.manager.make_cluster("second")
        second = self.cluster(peers=2, manager=first.manager, cluster_id=number, prefix="second-")
        origin = self.origin(NginxOrigin)
        size = 5 * MIB
        digest = origin.put("f", size)
        for cluster in (first, second):
            for peer in cluster.peers:
                done = cluster.dfget(peer, origin.url("f"))
                self.assertDone(done, digest)
                self.assertEqual(done.from_parents(*cluster.daemons), sum(done.result["parents"].values()))
            self.assertEqual(cluster.seed.traffic("BACK_TO_SOURCE"), size)
            self.assertEqual(cluster.scheduler.hosts(), 3)
        self.assertLessEqual(origin.bytes(), 2 * size * 1.02)

        # One cluster's schedulers are down: its peers use the origin, not the other cluster.
        second.scheduler.kill()
        wait_until(lambda: first.manager.active_schedulers(number) == 0, 60, "the lease has run out")
        digest = origin.put("g", size)
        before = first.seed.uploaded()
        for peer in second.peers:
            done = second.dfget(peer, origin.url("g"), "g")
            self.assertDone(done, digest)
            self.assertEqual(sum(done.result["parents"].values()), 0)
        self.assertEqual(first.seed.uploaded(), before)
        self.assertEqual(first.scheduler.hosts(), 3)

    def test_by_affinity(self):
        east = self.cluster(peers=1, manager=True, daemon_override={"host": {"idc": "east"}})
        number = east.manager.make_cluster("west", idc="west")
        west = self.cluster(peers=1, manager=east.manager, cluster_id=number, start=False, prefix="west-",
                            daemon_override={"host": {"idc": "west"}})
        for daemon in west.daemons:
            del daemon.override["host"]["schedulerClusterID"]
        west.start()
        # Those who came before the scheduler of their cluster have been with the other one, and move.
        for cluster in (east, west):
            wait_until(lambda: cluster.scheduler.hosts() == 2, 30, "everybody is at home")

    def test_an_unknown_number_is_named_and_asked_for_until_it_is_there(self):
        cluster = self.cluster(peers=1, manager=True)
        other = self.cluster(peers=1, seeds=0, manager=cluster.manager, cluster_id=2, start=False, prefix="other-")
        [peer] = other.peers
        peer.start()
        peer.wait_log("host.schedulerClusterID")
        origin = self.origin(NginxOrigin)
        digest = origin.put("f", 3 * MIB)
        self.assertDone(other.dfget(peer, origin.url("f")), digest)
        other.scheduler.start()
        self.assertEqual(cluster.manager.make_cluster("second"), 2)
        peer.wait_log("schedulers healthy=[0-9[]", 60)
        self.assertEqual(cluster.scheduler.hosts(), 2, "it has not been here")


class Rest(Managed):
    def test_only_who_is_signed_in(self):
        cluster = self.cluster(peers=0, seeds=0, schedulers=0, manager=True, start=False)
        manager = cluster.manager.start()
        manager._token = "none"
        with self.assertRaises(urllib.error.HTTPError) as refused:
            manager.api("GET", "/clusters")
        self.assertEqual(refused.exception.code, 401)
        manager._token = None
        self.assertEqual([row["name"] for row in manager.api("GET", "/clusters")], ["cluster-1"])
        self.assertNotIn(manager.PASSWORD, manager.log())
