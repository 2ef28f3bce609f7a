"""deploy/quickstart.sh, the first command of the README."""
import pathlib
import re
import socket
import subprocess
import tempfile

from tests.e2e.lib.cluster import BIN_DIR, MIB, SOURCE_DIR, ClusterTest, sha256_of
from tests.e2e.lib.origin import NginxOrigin

NODE = re.compile(r"^node (\S+) metrics (http://\S+/metrics) origin (\d+) peers (\d+) local (\d+) seconds (\d+\.\d+)$",
                  re.M)


def free_base(count=160):
    """The first of a row of ports that are free now."""
    for base in range(20000, 60000, 400):
        held = []
        try:
            for port in (base, base + 1, base + 2, *range(base + 100, base + count)):
                one = socket.socket()
                held.append(one)
                one.bind(("127.0.0.1", port))
            return base
        except OSError:
            continue
        finally:
            for one in held:
                one.close()
    raise AssertionError("no ports")


def alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes() != b""  # a process nobody waited for has none
    except FileNotFoundError:
        return False


class Quickstart(ClusterTest):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="dragonfly-e2e-")
        self.addCleanup(folder.cleanup)
        self.dir = pathlib.Path(folder.name)
        self.base = free_base()
        self.addCleanup(lambda: self.quickstart("--down"))

    def quickstart(self, *arguments):
        return subprocess.run([SOURCE_DIR / "deploy/quickstart.sh", "--binaries", BIN_DIR, "--dir", self.dir,
                               "--port-base", str(self.base), *arguments],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=120)

    def pids(self):
        return {path.parent.name: int(path.read_text()) for path in self.dir.glob("*/pid")}

    def test_from_nothing_then_again_then_down(self):
        first = self.quickstart()
        self.assertEqual(first.returncode, 0, first.stdout + first.stderr)
        nodes = NODE.findall(first.stdout)
        self.assertEqual([node[0] for node in nodes], ["seed", "peer-1", "peer-2"])
        size = 64 * MIB
        self.assertEqual(int(nodes[0][2]), size, "the seed has read the origin once")
        for node in nodes[1:]:
            self.assertEqual((int(node[2]), int(node[3])), (0, size))
        last = first.stdout.splitlines()[-1]
        found = re.fullmatch(r"sha256 ([0-9a-f]{64}) (/\S+)", last)
        self.assertTrue(found, last)
        self.assertEqual(sha256_of(found.group(2)), found.group(1))
        before = self.pids()
        self.assertEqual(len(before), 6)

        again = self.quickstart()
        self.assertEqual(again.returncode, 0, again.stdout + again.stderr)
        self.assertEqual(self.pids(), before, "what runs is used again")
        for node in NODE.findall(again.stdout):
            self.assertEqual((int(node[2]), int(node[3])), (0, 0), again.stdout)
        self.assertEqual(again.stdout.splitlines()[-1], last)

        down = self.quickstart("--down")
        self.assertEqual(down.returncode, 0, down.stderr)
        for name, pid in before.items():
            self.assertFalse(alive(pid), name)
        self.assertEqual(self.quickstart("--down").returncode, 0, "nothing to end is fine")

    def test_everything_on_ipv6(self):
        done = self.quickstart("--ipv6", "--peers", "1")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual([node[1][:12] for node in NODE.findall(done.stdout)], ["http://[::1]"] * 2)
        other = self.quickstart("--peers", "1")
        self.assertEqual(other.returncode, 1)
        self.assertIn("listens on ::1", other.stderr)

    def test_a_url_and_a_file(self):
        origin = self.origin(NginxOrigin)
        digest = origin.put("some.bin", 9 * MIB)
        out = self.dir / "mine" / "file"
        out.parent.mkdir()
        done = self.quickstart(origin.url("some.bin"), "-O", out, "--peers", "1")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(done.stdout.splitlines()[-1], f"sha256 {digest} {out}")
        self.assertLessEqual(origin.bytes(), 9 * MIB)

    def test_a_taken_port_is_named(self):
        taken = socket.socket()
        self.addCleanup(taken.close)
        taken.bind(("127.0.0.1", self.base))
        taken.listen()
        done = self.quickstart()
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(str(self.base), done.stderr)
        self.assertIn("use", done.stderr)

    def test_bad_arguments(self):
        for arguments, says in ((("--peers", "0"), "--peers"), (("--peers",), "--peers"), (("--what",), "--what"),
                                (("no-scheme",), "no-scheme"), (("http://a/b", "http://a/c"), "http://a/c")):
            done = self.quickstart(*arguments)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(says, done.stderr)
