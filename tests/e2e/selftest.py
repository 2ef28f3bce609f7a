"""The library of the end-to-end tests does what the tests rely on."""
import urllib.error
import urllib.request

from tests.e2e.lib.cluster import ClusterTest, MIB, merged
from tests.e2e.lib.origin import NginxOrigin, PyOrigin
from tests.e2e.lib.process import Ports, wait_until


def get(url, **headers):
    return urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10)


class SelfTest(ClusterTest):
    def test_nginx_serves_in_every_way_and_counts(self):
        origin = self.origin(NginxOrigin)
        origin.put("a", 3 * MIB + 1)
        self.assertEqual(len(get(origin.url("a")).read()), 3 * MIB + 1)
        self.assertEqual(get(origin.url("a"), Range="bytes=1-10").status, 206)
        self.assertEqual(get(origin.url("a", "norange"), Range="bytes=1-10").status, 200)
        chunked = get(origin.url("a", "chunked"))
        self.assertIsNone(chunked.headers["Content-Length"])
        self.assertEqual(len(chunked.read()), 3 * MIB + 1)
        self.assertEqual(len(get(origin.url("a", "302")).read()), 3 * MIB + 1)
        for code in (401, 403, 404, 416, 500, 502, 503):
            with self.assertRaises(urllib.error.HTTPError) as raised:
                get(origin.url("a", f"status/{code}"))
            self.assertEqual(raised.exception.code, code)
        wait_until(lambda: len(origin.requests()) == 13, 5, "every request is counted")
        origin.forget()
        self.assertEqual(origin.bytes(), 0)

    def test_the_python_origin_misbehaves_as_told(self):
        origin = self.origin(PyOrigin, cut_at=1000)
        origin.put("a", 5000)
        self.assertEqual(get(origin.url("a")).read(), origin.content["a"])
        self.assertEqual(get(origin.url("a"), Range="bytes=4000-").read(), origin.content["a"][4000:])
        self.assertIsNone(get(origin.url("a", "unknown")).headers["Content-Length"])
        with self.assertRaises(Exception):
            get(origin.url("a", "cut")).read()
        self.assertGreaterEqual(origin.sent, 6000)

    def test_ports_are_distinct_and_held(self):
        ports = Ports()
        self.addCleanup(ports.close)
        taken = [ports.take() for _ in range(50)]
        self.assertEqual(len(set(taken)), 50)

    def test_overrides_go_into_sections(self):
        self.assertEqual(merged({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}, "d": 4}), {"a": {"b": 3, "c": 2}, "d": 4})
