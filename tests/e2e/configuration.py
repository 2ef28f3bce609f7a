"""Wrong configurations and command lines: an exit code, and a message that names file, line, key, value and remedy."""
import pathlib
import signal
import socket
import subprocess
import tempfile
import time

from tests.e2e.lib.cluster import BIN_DIR, ClusterTest
from tests.e2e.lib.process import die_with_parent


def run(program, *arguments):
    return subprocess.run([BIN_DIR / program, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=20, preexec_fn=die_with_parent)


class Configuration(ClusterTest):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="dragonfly-e2e-")
        self.addCleanup(folder.cleanup)
        self.dir = pathlib.Path(folder.name)

    def load(self, program, text, *arguments):
        (self.dir / "c.yaml").write_text(text)
        return run(program, "--console", "--config", self.dir / "c.yaml", *arguments)

    def check_refused(self, program, text, *says, arguments=()):
        done = self.load(program, text, *arguments)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        for part in says:
            self.assertIn(part, done.stderr)
        self.assertIn(str(self.dir / "c.yaml"), done.stderr)

    def test_dfdaemon_yaml(self):
        check = lambda text, *says, **options: self.check_refused("dfdaemon", text, *says, **options)
        check("upload:\n  server:\n    port: 70000\n", ":3:", "upload.server.port", "70000", "65535")
        check("download:\n  pieceTimeout: soon\n", ":2:", "download.pieceTimeout", "soon")
        check("storage: 7\n", "storage", "section")
        check("storage: {dir: relative}\n", "storage.dir", "relative", "absolute")
        check("download:\n  protocol: quick\n", "download.protocol", "quick", "tcp")
        check("download:\n  protocol: quic\n", "download.protocol", "quic", "tcp or grpc")
        check("a: [1\n", "c.yaml")
        check("manager:\n  addr: ftp://manager\n", "manager.addr", "http://manager.example.com:65003")
        check("manager:\n  addr: https://manager:65003\n", "manager.addr", "manager.caCert")
        check("manager: {addr: 'http://m:1', caCert: /ca.pem}\n", "manager", "belong together")
        check("upload:\n  server:\n    caCert: /ca.pem\n", "upload.server", "belong together")
        check("download:\n  pieceTimeuot: 3s\n", "download.pieceTimeuot", "did you mean download.pieceTimeout",
              arguments=("--strict",))

    def test_scheduler_yaml(self):
        check = lambda text, *says, **options: self.check_refused("scheduler", text, *says, **options)
        check("server:\n  port: -1\n", ":2:", "server.port", "-1")
        check("scheduler:\n  retryInterval: 5 parsecs\n", "scheduler.retryInterval", "5 parsecs")
        check("manager: {addr: 'x:y'}\n", "manager.addr", "http://manager.example.com:65003")
        check("manager: {addr: 'https://x:1'}\n", "manager.addr", "manager.tls.caCert")
        check("manager: {tls: {cert: /c.pem}}\n", "manager.tls", "belong together")
        check("manager: {schedulerClusterID: 0}\n", "manager.schedulerClusterID", "0")
        check("server:\n  tls: {cert: /c.pem}\n", "server.tls")

    def test_files_that_are_not_there(self):
        for program in ("dfdaemon", "scheduler"):
            done = run(program, "--console", "--config", self.dir / "none.yaml")
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn("none.yaml", done.stderr)

    def test_a_port_that_is_taken(self):
        taken = socket.socket()
        self.addCleanup(taken.close)
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        cluster = self.cluster(peers=1, seeds=0, start=False)
        for key, override in (("upload.server.port", {"upload": {"server": {"port": port}}}),
                              ("storage.server.tcpPort", {"storage": {"server": {"tcpPort": port}}}),
                              ("metrics", {"metrics": {"server": {"port": port}}}),
                              ("health", {"health": {"server": {"port": port}}})):
            with self.subTest(key=key):
                peer = cluster.peers[0]
                peer.override = override
                peer.start(wait=False)
                self.assertEqual(peer.process.wait(20), 1, peer.log())
                self.assertIn(str(port), peer.log())
                self.assertIn(key, peer.log())
        scheduler = cluster.scheduler
        scheduler.override = {"server": {"port": port}}
        scheduler.start(wait=False)
        self.assertEqual(scheduler.process.wait(20), 1, scheduler.log())
        self.assertIn(str(port), scheduler.log())

    def test_command_lines(self):
        for program in ("dfdaemon", "scheduler", "dfget"):
            with self.subTest(program=program):
                done = run(program, "--no-such-flag")
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertIn("--no-such-flag", done.stderr)
                version = run(program, "--version")
                self.assertEqual(version.returncode, 0)
                self.assertRegex(version.stdout, program + r" \d+\.\d+\.\d+ \(commit .+g\+\+ \d+")
                usage = run(program, "--help")
                self.assertEqual(usage.returncode, 0)
                self.assertIn("--help", usage.stdout)

    def test_absurd_command_lines_of_dfget(self):
        for arguments, says in (
                ((), "URL"),
                (("http://h/f",), "-O"),
                (("gopher://h/f", "-O", "/tmp/x"), "gopher"),
                (("http://", "-O", "/tmp/x"), "URL"),
                (("http://h/f", "-O", "/tmp/x", "--digest", "sha256:abc"), "sha256"),
                (("http://h/f", "-O", "/tmp/x", "--timeout", "-3s"), "timeout"),
                (("http://h/f", "-O", "/tmp/x", "--piece-length", "5"), "piece-length"),
                (("http://h/f", "-O", "/tmp/x", "-p", "99"), "priority"),
                (("http://h/f", "-O", "/tmp/x", "-H", "no colon"), "header"),
                (("http://h/f", "-O", "/tmp/x", "http://h/g"), "http://h/g")):
            with self.subTest(arguments=arguments):
                done = run("dfget", *arguments)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertIn(says, done.stderr)
                self.assertLess(len(done.stderr), 2000)

    def test_manager_yaml(self):
        check = lambda text, *says: self.check_refused("manager", text, *says)
        key = "auth: {jwt: {key: ZHJhZ29uZmx5Cg==}}\n"
        check("database: {type: oracle}\n", "database.type", "oracle", "mysql")
        check("database: {type: mysql}\n", "database.mysql.host", "missing")
        check("database: {postgres: {host: db}}\n", "database.postgres", "not supported")
        check("server: {grpc: {tls: {cert: /c.pem}}}\n", "server.grpc.tls", "belong together")
        check("server: {rest: {tls: {cert: /c.pem}}}\n", "server.rest.tls", "belong together")
        check("server: {grpc: {port: {start: 70, end: 60}}}\n", "server.grpc.port.end", "60", "70")
        check("auth: {jwt: {timeout: 1s}}\n", "auth.jwt.timeout", "1s")
        place = f"database: {{sqlite: {{path: {self.dir}/m.db}}}}\nserver: {{logDir: {self.dir}/log}}\n"
        done = self.load("manager", place + key)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("auth.jwt.key", done.stderr)

    def test_print_config_reads_back_as_the_same(self):
        for program in ("dfdaemon", "scheduler", "manager"):
            with self.subTest(program=program):
                first = self.load(program, "{}\n", "--print-config")
                self.assertEqual(first.returncode, 0, first.stderr)
                again = self.load(program, first.stdout, "--print-config", "--strict")
                self.assertEqual(again.returncode, 0, again.stderr)
                self.assertEqual(again.stdout, first.stdout)

    def test_signals_during_the_start_and_twice(self):
        cluster = self.cluster(peers=1, seeds=0, manager=True, start=False)
        for node in (cluster.manager, cluster.scheduler, cluster.peers[0]):
            for delay in (0.0, 0.005, 0.02, 0.1):
                node.start(wait=False)
                time.sleep(delay)
                node.process.signal(signal.SIGTERM)
                # Before main() has begun the signal ends the process as it ends any.
                self.assertIn(node.process.wait(20), (0, -signal.SIGTERM), node.log())
            node.start()
            node.process.signal(signal.SIGTERM)
            node.process.signal(signal.SIGTERM)
            self.assertIn(node.process.wait(20), (0, 128 + signal.SIGTERM), node.log())
