"""A cluster of real processes on loopback: a scheduler, seed peers and peers, each with its own folder, ports,
host name and log."""
import json
import os
import pathlib
import re
import shutil
import ssl
import subprocess
import tempfile
import unittest
import urllib.request

from tests.e2e.lib.process import Ports, Process, die_with_parent, tail, wait_until

FULL = os.environ.get("DRAGONFLY_E2E_SIZE", "ci") == "full"
SOURCE_DIR = pathlib.Path(__file__).resolve().parents[3]
BIN_DIR = pathlib.Path(os.environ.get("DRAGONFLY_BIN_DIR", SOURCE_DIR / "build/release/bin")).resolve()
MIB = 1 << 20


def by_size(ci, full):
    return full if FULL else ci


def merged(base, override):
    """`base` with the keys of `override`, section by section."""
    out = dict(base)
    for key, value in override.items():
        out[key] = merged(out[key], value) if isinstance(value, dict) and isinstance(out.get(key), dict) else value
    return out


class Node:
    """A program with a folder, a configuration and a metrics port. Restarted, it keeps all three."""

    def __init__(self, cluster, name, ports):
        self.cluster = cluster
        self.name = name
        self.dir = cluster.dir / name
        self.dir.mkdir()
        self.ports = {port: cluster.ports.take() for port in ports}
        self.process = None
        self.override = {}
        self.environment = {}
        self.scheme = "http"  # of its health and metrics
        self.ip = cluster.ip

    def at(self, port):
        """Where one of its ports is, as people write it."""
        return f"[{self.ip}]:{self.ports[port]}" if ":" in self.ip else f"{self.ip}:{self.ports[port]}"

    def config(self):
        raise NotImplementedError

    def command(self):
        raise NotImplementedError

    def start(self, wait=True):
        # YAML is a superset of JSON.
        (self.dir / "config.yaml").write_text(json.dumps(merged(self.config(), self.override), indent=1))
        self.cluster.ports.release(self.ports.values())
        self.process = Process(self.name, self.command(), self.dir / "console.log",
                               env={**os.environ, **self.environment})
        if wait:
            self.wait_healthy()
        return self

    def wait_healthy(self, seconds=30):
        wait_until(lambda: self.healthy() or not self.process.running(), seconds, f"{self.name} is healthy")
        if not self.process.running():
            raise AssertionError(f"{self.name} ended with {self.process.exit_code}\n{tail(self.log())}")

    def healthy(self):
        try:
            return self.get("health", "/healthy", 1).status == 200
        except OSError:
            return False

    def get(self, port, path, seconds, request=None):
        """What HTTP answers there; `request`, if any, instead of a plain GET. Whose certificate it is does not
        matter: certificates have tests of their own."""
        anybody = ssl._create_unverified_context() if self.scheme == "https" else None
        url = f"{self.scheme}://{self.at(port)}{path}"
        return urllib.request.urlopen(request(url) if request else url, timeout=seconds, context=anybody)

    def log(self):
        return self.process.log() if self.process else ""

    def wait_log(self, pattern, seconds=20):
        return wait_until(lambda: re.search(pattern, self.log()), seconds, f"{self.name} logs '{pattern}'")

    def metrics(self):
        """Sample -> value, with its labels as they are printed."""
        text = self.get("metrics", "/metrics", 5).read().decode()
        samples = {}
        for line in text.splitlines():
            if line and not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                samples[name] = float(value)
        return samples

    def metric(self, pattern):
        """Sum of the samples whose name and labels match."""
        return sum(value for name, value in self.metrics().items() if re.search(pattern, name))

    def suspend(self):
        self.process.suspend()

    def resume(self):
        self.process.resume()

    def kill(self):
        self.process.kill()

    def stop(self):
        return self.process.stop()


class Manager(Node):
    """A manager with an embedded database. `api` speaks as its root."""
    PASSWORD = "of-the-tests-only"

    def __init__(self, cluster, name="manager"):
        super().__init__(cluster, name, ["grpc", "rest"])
        self.ports["health"] = self.ports["metrics"] = self.ports["rest"]
        self.environment = {"DRAGONFLY_INITIAL_ROOT_PASSWORD": self.PASSWORD}
        self._token = None

    def config(self):
        port = self.ports["grpc"]
        return {
            "server": {"logDir": str(self.dir / "log"), "rest": {"addr": self.at("rest")},
                       "grpc": {"listenIP": self.ip, "port": {"start": port, "end": port}}},
            "database": {"sqlite": {"path": str(self.dir / "data" / "manager.db")}},
        }

    def command(self):
        return [BIN_DIR / "manager", "--console", "--config", self.dir / "config.yaml"]

    def api(self, method, path, body=None):
        """What a route answers, as JSON; errors are urllib's."""
        if self._token is None and not path.endswith("/signin"):
            self._token = self.api("POST", "/users/signin", {"name": "root", "password": self.PASSWORD})["token"]
        headers = {} if self._token is None else {"Authorization": f"Bearer {self._token}"}
        data = None if body is None else json.dumps(body).encode()
        text = self.get("rest", f"/api/v1{path}", 20,
                        lambda url: urllib.request.Request(url, data, headers, method=method)).read()
        return json.loads(text) if text else None

    def make_cluster(self, name, **scopes):
        """The number of a new cluster."""
        made = self.api("POST", "/clusters", {"name": name, "scopes": scopes, "scheduler_cluster_config": {},
                                              "seed_peer_cluster_config": {}, "peer_cluster_config": {}})
        return made["scheduler_cluster_id"]

    def active_schedulers(self, cluster_id=None):
        rows = self.api("GET", "/schedulers?per_page=1000")
        return sum(row["state"] == "active" and cluster_id in (None, row["scheduler_cluster_id"]) for row in rows)


class Scheduler(Node):
    def __init__(self, cluster, name="scheduler"):
        super().__init__(cluster, name, ["grpc", "metrics"])
        self.ports["health"] = self.ports["metrics"]

    def config(self):
        return {
            "server": {"advertiseIP": self.ip, "listenIP": self.ip, "port": self.ports["grpc"],
                       "advertisePort": self.ports["grpc"], "logDir": str(self.dir / "log")},
            "metrics": {"enable": True, "addr": self.at("metrics")},
        }

    def command(self):
        return [BIN_DIR / "scheduler", "--console", "--config", self.dir / "config.yaml",
                "--dynconfig", self.dir / "dynconfig.yaml"]

    def hosts(self):
        return self.metric("^dragonfly_scheduler_hosts")


class Daemon(Node):
    def __init__(self, cluster, name, seed):
        super().__init__(cluster, name, ["upload", "pieces", "metrics", "health"])
        self.seed = seed
        self.socket = self.dir / "dfdaemon.sock"
        self.data = self.dir / "data"
        self.dynconfig = self.dir / "dynconfig.yaml"
        self.log_level = "info"

    def config(self):
        return {
            "host": {"hostname": self.name, "ip": self.ip},
            "download": {"server": {"socketPath": str(self.socket)}},
            "upload": {"server": {"ip": self.ip, "port": self.ports["upload"]}},
            "storage": {"dir": str(self.data), "keep": True,
                        "server": {"ip": self.ip, "tcpPort": self.ports["pieces"]}},
            "metrics": {"server": {"ip": self.ip, "port": self.ports["metrics"]}},
            "health": {"server": {"ip": self.ip, "port": self.ports["health"]}},
            "seedPeer": {"enable": self.seed},
            "dynconfig": {"refreshInterval": "1s"},
        }

    def command(self):
        return [BIN_DIR / "dfdaemon", "--console", "--log-level", self.log_level, "--config",
                self.dir / "config.yaml", "--dynconfig", self.dynconfig]

    def use_schedulers(self, *addresses):
        self.dynconfig.write_text(json.dumps({"scheduler": {"addrs": list(addresses)}}))

    def traffic(self, kind):
        """Bytes that came in: BACK_TO_SOURCE, REMOTE_PEER or LOCAL_PEER."""
        return self.metric(f'^dragonfly_client_download_traffic.*type="{kind}"')

    def uploaded(self):
        return self.metric("^dragonfly_client_upload_traffic")

    def content_files(self):
        return [path for path in (self.data / "content").rglob("*") if path.is_file()]


class Download:
    """A dfget that runs or has run."""

    def __init__(self, daemon, url, output, arguments, env=None):
        self.output = pathlib.Path(output)
        self._out = tempfile.TemporaryFile()
        self._err = tempfile.TemporaryFile()
        command = [BIN_DIR / "dfget", url, "-O", output, "-e", daemon.socket, "--no-progress", "--json", *arguments]
        self.popen = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self._out, stderr=self._err,
                                      env={**os.environ, **(env or {})},
                                      preexec_fn=die_with_parent)

    def running(self):
        return self.popen.poll() is None

    def signal(self, number):
        self.popen.send_signal(number)

    def wait(self, seconds=120):
        try:
            self.code = self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
            raise AssertionError(f"dfget to {self.output} did not end within {seconds} s") from None
        for stream in (self._out, self._err):
            stream.seek(0)
        self.out = self._out.read().decode(errors="replace")
        self.err = self._err.read().decode(errors="replace")
        self._out.close()
        self._err.close()
        self.result = json.loads(self.out) if self.out.startswith("{") else {}
        return self

    def from_parents(self, *daemons):
        """Bytes that came from these nodes."""
        marks = [f"-{daemon.name}-" for daemon in daemons]
        return sum(count for parent, count in self.result["parents"].items() if any(m in parent for m in marks))


class Cluster:
    """`daemon_override` goes over the configuration of every seed peer and peer. `manager`: True for one of its own,
    or that of another cluster; nodes then find each other through it. `cluster_id`: which of the manager's clusters
    this one is; without it, schedulers say 1 and nodes nothing. `prefix`: of the names of seed peers and peers, which
    with their address are their ids."""

    def __init__(self, peers=2, seeds=1, schedulers=1, ip="127.0.0.1", daemon_override=None, manager=None,
                 cluster_id=None, prefix=""):
        self.ip = ip
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="dragonfly-e2e-"))
        self.ports = Ports(ip)
        self.manager = Manager(self) if manager is True else manager
        self.own_manager = manager is True
        self.schedulers = [Scheduler(self, f"scheduler{k}" if k else "scheduler") for k in range(schedulers)]
        self.seeds = [Daemon(self, f"{prefix}seed{k}", True) for k in range(1, seeds + 1)]
        self.peers = [Daemon(self, f"{prefix}peer{k}", False) for k in range(1, peers + 1)]
        for daemon in self.daemons:
            daemon.use_schedulers(*self.scheduler_addresses())
            daemon.override = merged(daemon.override, daemon_override or {})
        if self.manager is not None:
            self.use_manager(cluster_id)

    def use_manager(self, cluster_id):
        for scheduler in self.schedulers:
            scheduler.override = merged(scheduler.override, {
                "server": {"cacheDir": str(scheduler.dir / "cache")},
                "manager": {"addr": self.manager.at("grpc"), "schedulerClusterID": cluster_id or 1,
                            "keepAlive": {"interval": "1s"}}})
        for daemon in self.daemons:
            daemon.dynconfig.write_text(json.dumps({}))
            daemon.override = merged(daemon.override, {"manager": {"addr": f"http://{self.manager.at('grpc')}"}})
            if cluster_id is not None:
                daemon.override = merged(daemon.override, {"host": {"schedulerClusterID": cluster_id}})

    @property
    def scheduler(self):
        return self.schedulers[0]

    @property
    def seed(self):
        return self.seeds[0]

    @property
    def daemons(self):
        return self.seeds + self.peers

    @property
    def nodes(self):
        return ([self.manager] if self.own_manager else []) + self.schedulers + self.daemons

    def scheduler_addresses(self):
        return [scheduler.at("grpc") for scheduler in self.schedulers]

    def start(self):
        """All of it; returns when every scheduler knows every host."""
        for node in self.nodes:
            node.start(wait=False)
        for node in self.nodes:
            node.wait_healthy()
        self.wait_announced()
        return self

    def wait_announced(self, seconds=30):
        want = sum(daemon.process is not None and daemon.process.running() for daemon in self.daemons)
        for scheduler in self.schedulers:
            wait_until(lambda: scheduler.hosts() >= want, seconds, f"{scheduler.name} knows {want} hosts")
        for daemon in self.daemons:
            if daemon.process is not None and daemon.process.running():
                daemon.wait_log("schedulers healthy=[0-9[]", seconds)

    def dfget(self, daemon, url, name="out", *arguments, wait=120, env=None):
        """Downloads to DAEMON's folder / NAME. With wait=None it runs in the background."""
        output = name if str(name).startswith(("/", "-")) else daemon.dir / name
        download = Download(daemon, url, output, arguments, env)
        return download if wait is None else download.wait(wait)

    def close(self):
        """Ends everything; what the nodes logged last, for people."""
        said = []
        for node in self.nodes:
            if node.process is not None:
                node.process.kill()
                said.append(f"--- {node.name}\n{tail(node.log(), 30)}")
        self.ports.close()
        shutil.rmtree(self.dir, ignore_errors=True)
        return "\n".join(said) + "\n"


class ClusterTest(unittest.TestCase):
    """A test with clusters and origins that end with it, and that shows their logs when it fails."""
    maxDiff = 2000

    def run(self, result=None):
        self._said = []
        bad = len(result.failures) + len(result.errors)
        super().run(result)
        if len(result.failures) + len(result.errors) > bad:
            print("".join(self._said), flush=True)
        return result

    def cluster(self, *arguments, start=True, **options):
        cluster = Cluster(*arguments, **options)
        self.addCleanup(lambda: self._said.append(cluster.close()))
        return cluster.start() if start else cluster

    def origin(self, kind, *arguments, **options):
        origin = kind(*arguments, **options)
        self.addCleanup(origin.close)
        return origin

    def assertDone(self, download, digest=None):
        self.assertEqual(download.code, 0, f"dfget failed:\n{download.out}{download.err}")
        if digest is not None:
            self.assertEqual(sha256_of(download.output), digest, f"{download.output} has other bytes than the origin")


def sha256_of(path):
    import hashlib
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(4 * MIB):
            digest.update(block)
    return digest.hexdigest()
