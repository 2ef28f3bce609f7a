"""A receiver of traces: OTLP over HTTP, with as much of protobuf as that needs."""
import collections
import http.server
import struct
import threading

from tests.e2e.lib.process import wait_until


def _varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def fields(data):
    """Number -> values of a message, in their order: int for varints and fixed, bytes for what has a length."""
    out = collections.defaultdict(list)
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, kind = key >> 3, key & 7
        if kind == 0:
            value, at = _varint(data, at)
        elif kind == 1:
            value, at = struct.unpack_from("<Q", data, at)[0], at + 8
        elif kind == 2:
            length, at = _varint(data, at)
            if at + length > len(data):
                raise ValueError("a field is cut")
            value, at = data[at:at + length], at + length
        elif kind == 5:
            value, at = struct.unpack_from("<I", data, at)[0], at + 4
        else:
            raise ValueError(f"wire type {kind}")
        out[number].append(value)
    return out


def _attributes(values):
    out = {}
    for value in values:
        pair = fields(value)
        of = fields(pair[2][0])
        if 1 in of:
            content = of[1][0].decode()
        elif 2 in of:
            content = bool(of[2][0])
        else:
            content = of[3][0] if 3 in of else struct.unpack("<d", struct.pack("<Q", of[4][0]))[0]
        out[pair[1][0].decode()] = content
    return out


class Span:
    def __init__(self, data, resource):
        of = fields(data)
        self.resource = resource
        self.trace_id = of[1][0].hex()
        self.span_id = of[2][0].hex()
        self.parent_id = of[4][0].hex() if 4 in of else ""
        self.name = of[5][0].decode()
        self.kind = of[6][0]
        self.started, self.ended = of[7][0], of[8][0]
        self.attributes = _attributes(of[9])
        self.failed = bool(of[15]) and fields(of[15][0])[3] == [2]

    def __repr__(self):
        return (f"{self.resource.get('host.name')}/{self.resource['service.name']} {self.name} {self.span_id} "
                f"below {self.parent_id or 'nothing'} {self.attributes}")


class TraceReceiver:
    """`spans` has what came; `bodies` the bytes, for those who look for secrets in them."""

    def __init__(self):
        self.spans = []
        self.bodies = []
        self._lock = threading.Lock()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                good = self.path == "/v1/traces" and self.headers["Content-Type"] == "application/x-protobuf"
                if good:
                    receiver._take(body)
                self.send_response(200 if good else 400)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", "0")
                self.end_headers()

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

        self._server = Server(("127.0.0.1", 0), Handler)
        self.endpoint = f"127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _take(self, body):
        spans = []
        for resource_spans in fields(body)[1]:
            of = fields(resource_spans)
            resource = _attributes(fields(of[1][0])[1])
            for scope in of[2]:
                spans += [Span(data, resource) for data in fields(scope)[2]]
        with self._lock:
            self.bodies.append(body)
            self.spans += spans

    def config(self, **more):
        """The section `tracing` of a configuration."""
        return {"tracing": {"protocol": "http", "endpoint": self.endpoint, **more}}

    def of(self, trace_id):
        with self._lock:
            return [span for span in self.spans if span.trace_id == trace_id]

    def find(self, trace_id, name, host=None):
        """The spans of a trace by their name, and by the name of the host that made them."""
        return [span for span in self.of(trace_id)
                if span.name == name and host in (None, span.resource.get("host.name"))]

    def wait(self, trace_id, count, seconds=30):
        """The spans of a trace once there are so many."""
        wait_until(lambda: len(self.of(trace_id)) >= count, seconds, f"{count} spans of {trace_id}; there are "
                   f"{self.of(trace_id)}")
        return self.of(trace_id)

    def close(self):
        self._server.shutdown()
        self._server.server_close()
