"""The benchmarks run by their one command, print their verdict and write what they say they write."""
import json
import pathlib
import subprocess
import tempfile

from tests.e2e.lib.cluster import BIN_DIR, SOURCE_DIR, ClusterTest


class Benches(ClusterTest):
    def run_bench(self, *command):
        with tempfile.TemporaryDirectory(prefix="dragonfly-e2e-") as folder:
            out = pathlib.Path(folder, "out.json")
            done = subprocess.run([*command, "--size", "ci", "--seed", "7", "--json", out], stdin=subprocess.DEVNULL,
                                  capture_output=True, text=True, timeout=250)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertRegex(done.stdout.lower(), r"bar.*(met|passed|missed|failed)")
            print(done.stdout)
            return json.loads(out.read_text())

    def test_small(self):
        result = self.run_bench(SOURCE_DIR / "tests/bench/small/run.py", "--binaries", BIN_DIR)
        self.assertEqual(result["origin_requests"], 0)
        self.assertEqual(result["tasks"], 50)

    def test_manager(self):
        result = self.run_bench(SOURCE_DIR / "tests/bench/manager/run.py", "--binaries", BIN_DIR)
        self.assertEqual((result["lists_failed"], result["streams_open"]), (0, result["members"]))

    def test_transfer(self):
        self.assertTrue(self.run_bench(BIN_DIR / "transfer_bench", "--rounds", "1"))
