"""Origins: a real nginx, and a server in Python for what nginx cannot be made to do."""
import collections
import hashlib
import http.server
import os
import pathlib
import random
import shutil
import tempfile
import threading
import time
import urllib.request

from tests.e2e.lib.process import Ports, Process, wait_until

_CONF = """
daemon off; master_process off; pid {dir}/nginx.pid; error_log {dir}/error.log;
events {{ worker_connections 512; }}
http {{
  log_format bytes '$request_method $status $body_bytes_sent $uri $http_range';
  access_log {dir}/access.log bytes;
  client_body_temp_path {dir}/tmp; proxy_temp_path {dir}/tmp; fastcgi_temp_path {dir}/tmp;
  uwsgi_temp_path {dir}/tmp; scgi_temp_path {dir}/tmp;
  sendfile on; default_type application/octet-stream;
  server {{
    listen {at};
    location /files/ {{ alias {dir}/files/; }}
    location /slow/ {{ alias {dir}/files/; limit_rate {rate}; }}
    location /norange/ {{ alias {dir}/files/; max_ranges 0; }}
    # No length: chunked, because the filter may change it.
    location /chunked/ {{ alias {dir}/files/; max_ranges 0; sub_filter_types *; sub_filter "no-such-text-anywhere-{port}" ""; }}
    location ~ ^/status/(?<code>401|403|404|416|500|502|503)(/.*)?$ {{ return $code; }}
    location ~ ^/(?<code>301|302|307|308)/(?<rest>.*)$ {{ return $code /files/$rest; }}
    location /loop/ {{ return 302 $request_uri; }}
  }}
}}
"""


class NginxOrigin:
    """URLs: /files/NAME, /slow/ (with `rate` bytes/s a connection), /norange/, /chunked/, /status/CODE, /302/NAME, /loop/."""

    def __init__(self, rate="8m", ip="127.0.0.1"):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="dragonfly-origin-"))
        self.dir.chmod(0o755)
        (self.dir / "files").mkdir()
        ports = Ports(ip)
        self.port = ports.take()
        self.at = f"[{ip}]:{self.port}" if ":" in ip else f"{ip}:{self.port}"
        self._seen = 0
        # "return $code" is refused by nginx: one location each.
        conf = _CONF.format(dir=self.dir, at=self.at, port=self.port, rate=rate)
        lines = []
        for line in conf.splitlines():
            if "return $code;" in line:
                lines += [f"    location /status/{code} {{ return {code}; }}" for code in (401, 403, 404, 416, 500, 502, 503)]
            elif "return $code " in line:
                lines += [f"    location ~ ^/{code}/(?<rest{code}>.*)$ {{ return {code} /files/$rest{code}; }}"
                          for code in (301, 302, 307, 308)]
            else:
                lines.append(line)
        (self.dir / "nginx.conf").write_text("\n".join(lines))
        ports.close()
        self.process = Process("nginx", ["nginx", "-e", self.dir / "error.log", "-c", self.dir / "nginx.conf"],
                               self.dir / "console.log")
        wait_until(self._answers, 10, f"nginx answers\n{self.process.log()}")
        wait_until(self.requests, 10, "the first request is in the log")
        self.forget()

    def _answers(self):
        try:
            urllib.request.urlopen(self.url("x", "status/404"), timeout=1)
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False
        return True

    def url(self, name, how="files"):
        return f"http://{self.at}/{how}/{name}"

    def put(self, name, size, seed=1, sparse=False):
        """A file of `size` bytes; its sha256."""
        path = self.dir / "files" / name
        digest = hashlib.sha256()
        with open(path, "wb") as file:
            if sparse:
                # A few bytes at places that matter; zeros between them.
                for offset in sorted({0, size // 3, size // 2, size - 1}):
                    file.seek(offset)
                    file.write(bytes([1 + offset % 255]))
            else:
                generator = random.Random(f"{seed} {name}")
                for begin in range(0, size, 1 << 20):
                    file.write(generator.randbytes(min(1 << 20, size - begin)))
        with open(path, "rb") as file:
            while block := file.read(4 << 20):
                digest.update(block)
        return digest.hexdigest()

    def requests(self, method=None):
        """(method, status, body bytes, uri, range) of every request that has ended since forget()."""
        out = []
        for line in self._log_lines()[self._seen:]:
            parts = line.split(" ", 4)
            if method is None or parts[0] == method:
                out.append((parts[0], int(parts[1]), int(parts[2]), parts[3], parts[4]))
        return out

    def bytes(self):
        return sum(request[2] for request in self.requests())

    def forget(self):
        self._seen = len(self._log_lines())

    def _log_lines(self):
        # The last line may be half written.
        return (self.dir / "access.log").read_text().split("\n")[:-1]

    def close(self):
        self.process.kill()
        shutil.rmtree(self.dir, ignore_errors=True)


class PyOrigin:
    """An origin whose misbehaviour is a function.

    `content`: what /NAME has. A way to answer is chosen by the first part of the path:
      /files/NAME    ranges, ETag, at `rate` bytes/s in all (None: as fast as it goes)
      /unknown/NAME  no length: the end of the connection is the end
      /cut/NAME      closes after `cut_at` bytes of each answer
      /hang/NAME     sends `cut_at` bytes and then nothing
    Bytes and requests are counted while they happen.
    """

    def __init__(self, rate=None, cut_at=1 << 20):
        self.rate = rate
        self.cut_at = cut_at
        self.content = {}
        self.sent = 0
        self.requests = collections.Counter()
        self.headers = []  # of every request, names in lower case
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._budget_at = time.monotonic()
        origin = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_HEAD(self):
                origin._serve(self, False)

            def do_GET(self):
                origin._serve(self, True)

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 256

            def handle_error(self, *_):
                pass  # clients that go away are part of the tests

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def url(self, name, how="files"):
        return f"http://127.0.0.1:{self.port}/{how}/{name}"

    def put(self, name, size, seed=1):
        self.content[name] = random.Random(f"{seed} {name}").randbytes(size)
        return hashlib.sha256(self.content[name]).hexdigest()

    def _pace(self, count):
        if self.rate is None:
            return
        with self._lock:
            now = time.monotonic()
            self._budget_at = max(now - 0.1, self._budget_at) + count / self.rate
            wait = self._budget_at - now
        if wait > 0:
            self._ended.wait(wait)

    def _serve(self, request, with_body):
        _, how, name = request.path.partition("?")[0].split("/", 2)
        with self._lock:
            self.requests[request.command] += 1
            self.headers.append({name.lower(): value for name, value in request.headers.items()})
        body = self.content.get(name)
        if body is None:
            request.send_error(404)
            return
        begin, end = 0, len(body)
        wanted = request.headers.get("Range")
        partial = how != "unknown" and wanted and wanted.startswith("bytes=")
        if partial:
            first, _, last = wanted[6:].partition("-")
            begin, end = int(first), min(len(body), int(last) + 1 if last else len(body))
        request.send_response(206 if partial else 200)
        if partial:
            request.send_header("Content-Range", f"bytes {begin}-{end - 1}/{len(body)}")
        if how == "unknown":
            request.send_header("Connection", "close")
            request.close_connection = True
        else:
            request.send_header("Content-Length", str(end - begin))
            request.send_header("Accept-Ranges", "bytes")
            request.send_header("ETag", '"' + hashlib.md5(body).hexdigest() + '"')
        request.end_headers()
        if with_body:
            self._send(request, how, body[begin:end])

    def _send(self, request, how, body):
        stop = min(len(body), self.cut_at) if how in ("cut", "hang") else len(body)
        for at in range(0, stop, 65536):
            block = body[at:min(at + 65536, stop)]
            self._pace(len(block))
            request.wfile.write(block)
            with self._lock:
                self.sent += len(block)
        request.wfile.flush()
        if how == "hang":
            self._ended.wait(600)
        if how in ("cut", "hang"):
            request.close_connection = True

    def close(self):
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()
