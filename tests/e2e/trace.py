"""One download is one trace: from the caller of dfget over its peer and the scheduler to the seed peer."""
import secrets

from tests.e2e.lib.cluster import ClusterTest, MIB
from tests.e2e.lib.origin import PyOrigin
from tests.e2e.lib.process import wait_until
from tests.e2e.lib.traces import TraceReceiver

ROOT = "b7ad6b7169203331"


class Trace(ClusterTest):
    def traced(self, receiver, **options):
        cluster = self.cluster(peers=1, start=False, **options)
        for node in cluster.nodes:
            node.override = {**node.override, **receiver.config()}
        return cluster

    def download(self, cluster, origin, name="f", sampled=True, **options):
        """(trace id, the download)."""
        trace_id = secrets.token_hex(16)
        parent = f"00-{trace_id}-{ROOT}-{'01' if sampled else '00'}"
        done = cluster.dfget(cluster.peers[0], origin.url(name) + "?token=hush-hush", name,
                             env={"TRACEPARENT": parent}, **options)
        return trace_id, done

    def only(self, receiver, trace_id, name, host=None):
        found = receiver.find(trace_id, name, host)
        self.assertEqual(len(found), 1, f"{name} at {host}: {receiver.of(trace_id)}")
        return found[0]

    def test_one_download_is_one_tree(self):
        receiver = self.origin(TraceReceiver)
        origin = self.origin(PyOrigin)
        digest = origin.put("f", 6 * MIB)
        cluster = self.traced(receiver).start()
        trace_id, done = self.download(cluster, origin)
        self.assertDone(done, digest)
        task = done.result["task_id"]
        # Of the seed: its call, its registration, the scheduler's answer, the origin. Of the peer: its call, its
        # registration, the answer, two pieces. And the trigger between them.
        names = ["download_task", "announce_peer", "schedule"]
        wait_until(lambda: all(len(receiver.find(trace_id, name)) == 2 for name in names)
                   and receiver.find(trace_id, "trigger_seed")
                   and receiver.find(trace_id, "download_partial_from_source")
                   and len(receiver.find(trace_id, "download_piece")) == 2, 30, "the spans of the download")
        spans = receiver.of(trace_id)

        call = self.only(receiver, trace_id, "download_task", "peer1")
        self.assertEqual(call.parent_id, ROOT, "below the caller's span")
        registration = self.only(receiver, trace_id, "announce_peer", "peer1")
        self.assertEqual(registration.parent_id, call.span_id)
        answers = {span.parent_id: span for span in receiver.find(trace_id, "schedule")}
        answer = answers[registration.span_id]
        self.assertEqual(answer.resource["service.name"], "scheduler")
        self.assertEqual(answer.attributes["decision"], "parents")
        trigger = self.only(receiver, trace_id, "trigger_seed")
        self.assertEqual(trigger.parent_id, answer.span_id)
        seeding = self.only(receiver, trace_id, "download_task", "seed1")
        self.assertEqual(seeding.parent_id, trigger.span_id)
        seed_registration = self.only(receiver, trace_id, "announce_peer", "seed1")
        self.assertEqual(seed_registration.parent_id, seeding.span_id)
        self.assertIn(seed_registration.span_id, answers)
        source = self.only(receiver, trace_id, "download_partial_from_source")
        self.assertEqual((source.parent_id, source.resource["host.name"]), (seeding.span_id, "seed1"))
        pieces = receiver.find(trace_id, "download_piece", "peer1")
        for piece in pieces:
            self.assertEqual(piece.parent_id, call.span_id)
            self.assertIn("-seed1-", piece.attributes["parent_id"])
        self.assertEqual({piece.attributes["piece_id"] for piece in pieces}, {f"{task}-0", f"{task}-1"})
        self.assertEqual(sum(piece.attributes["piece_length"] for piece in pieces), 6 * MIB)

        for span in spans:
            self.assertEqual(span.attributes["task_id"], task, f"is found by its task: {span}")
            self.assertFalse(span.failed, span)
            self.assertLessEqual(span.started, span.ended)
            self.assertEqual(span.resource["service.namespace"], "dragonfly")
        self.assertEqual({s.resource["service.name"] for s in spans}, {"scheduler", "dfdaemon-127.0.0.1"})
        self.assertEqual(call.attributes["url"], origin.url("f"))
        self.assertEqual(call.attributes["content_length"], 6 * MIB)
        self.assertTrue(seeding.resource["host.seed_peer"])
        self.assertFalse(any(b"hush" in body for body in receiver.bodies), "no query leaves this cluster")
        self.assertFalse(any("traceparent" in headers for headers in origin.headers), "nor a trace to an origin")
        self.assertGreaterEqual(cluster.peers[0].metric("^dragonfly_client_trace_spans_exported_total"), 4)

    def test_what_the_caller_does_not_record_nobody_does(self):
        receiver = self.origin(TraceReceiver)
        origin = self.origin(PyOrigin)
        digest = origin.put("f", 5 * MIB)
        cluster = self.traced(receiver).start()
        _, done = self.download(cluster, origin, sampled=False)
        self.assertDone(done, digest)
        for node in cluster.nodes:
            self.assertEqual(node.stop(), 0)
        self.assertEqual(receiver.spans, [])

    def test_a_process_that_ends_sends_what_it_has(self):
        receiver = self.origin(TraceReceiver)
        origin = self.origin(PyOrigin)
        origin.put("f", 5 * MIB)
        cluster = self.traced(receiver).start()
        trace_id, done = self.download(cluster, origin)
        self.assertDone(done)
        self.assertEqual(cluster.peers[0].stop(), 0)
        self.only(receiver, trace_id, "download_task", "peer1")
        self.only(receiver, trace_id, "announce_peer", "peer1")

    def test_who_is_not_traced_hands_the_trace_on(self):
        receiver = self.origin(TraceReceiver)
        origin = self.origin(PyOrigin)
        digest = origin.put("f", 5 * MIB)
        cluster = self.cluster(peers=1, start=False)
        cluster.scheduler.override = receiver.config()
        cluster.seed.override = {**cluster.seed.override, "tracing": {"propagateToOrigin": True}}
        cluster.start()
        trace_id, done = self.download(cluster, origin)
        self.assertDone(done, digest)
        wait_until(lambda: len(receiver.find(trace_id, "schedule")) == 2, 30, "both answers of the scheduler")
        trigger = self.only(receiver, trace_id, "trigger_seed")
        parents = {span.parent_id for span in receiver.find(trace_id, "schedule")}
        self.assertEqual(parents, {ROOT, trigger.span_id})
        told = [headers["traceparent"] for headers in origin.headers if "traceparent" in headers]
        self.assertEqual(set(told), {f"00-{trace_id}-{trigger.span_id}-01"}, "to an origin where it is allowed")

    def test_a_receiver_that_is_away_takes_nothing_from_anybody(self):
        receiver = self.origin(TraceReceiver)
        origin = self.origin(PyOrigin)
        digest = origin.put("f", 5 * MIB)
        cluster = self.traced(receiver)
        receiver.close()
        cluster.start()
        _, done = self.download(cluster, origin)
        self.assertDone(done, digest)
        for node in cluster.nodes:
            self.assertEqual(node.stop(), 0)
