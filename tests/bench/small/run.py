#!/usr/bin/env python3
"""How long a small file takes that another peer holds: see README.md.

usage: run.py [--size ci|full] [--seed N] [--json FILE] [--binaries DIR] [--enforce]
"""
import argparse
import http.client
import json
import os
import pathlib
import platform
import random
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3]))

from tests.e2e.lib.process import usage  # noqa: E402 (found by the line above)

FILE_BYTES = 10 * 1024
BAR_MS = 10.0


def quantiles(values):
    ordered = sorted(values)
    at = lambda share: ordered[min(len(ordered) - 1, int(share * len(ordered)))]
    return {"p50": at(0.5), "p90": at(0.9), "p99": at(0.99), "max": ordered[-1], "min": ordered[0]}


def probe(binaries, daemon, urls):
    done = subprocess.run([binaries / "small_task_probe", daemon.socket], input="\n".join(urls) + "\n", text=True,
                          capture_output=True, timeout=600, check=False)
    if done.returncode != 0:
        raise SystemExit(f"run.py: {done.stderr}")
    return [float(line) for line in done.stdout.split()]


def plain_http(origin, names):
    """The same files straight from the origin: a connection each, written to a file."""
    took = []
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            began = time.monotonic()
            connection = http.client.HTTPConnection("127.0.0.1", origin.port, timeout=10)
            connection.request("GET", f"/files/{name}")
            body = connection.getresponse().read()
            pathlib.Path(folder, name).write_bytes(body)
            connection.close()
            took.append((time.monotonic() - began) * 1000)
    return took


def measure(arguments):
    from tests.e2e.lib.cluster import Cluster
    from tests.e2e.lib.origin import NginxOrigin
    count = 200 if arguments.size == "full" else 50
    order = random.Random(arguments.seed)
    origin = NginxOrigin()
    cluster = Cluster(peers=2)
    try:
        names = [f"small-{k}" for k in range(count)]
        for name in names:
            origin.put(name, FILE_BYTES, seed=arguments.seed)
        order.shuffle(names)
        urls = [origin.url(name) for name in names]
        cluster.start()
        parent, child = cluster.peers
        probe(arguments.binaries, parent, urls)
        warm = origin.url(names[0]) + "?warm"  # connections and code; not counted
        probe(arguments.binaries, parent, [warm])
        probe(arguments.binaries, child, [warm])
        baseline = plain_http(origin, names)
        origin.forget()
        cpu, _ = usage(child.process.pid)
        ours = probe(arguments.binaries, child, urls)
        cpu_after, memory = usage(child.process.pid)
        requests = len(origin.requests())
    finally:
        cluster.close()
        origin.close()
    return {"tasks": count, "file_bytes": FILE_BYTES, "ours_ms": quantiles(ours), "http_ms": quantiles(baseline),
            "ratio_p50": quantiles(ours)["p50"] / quantiles(baseline)["p50"], "origin_requests": requests,
            "child_cpu_seconds": cpu_after - cpu, "child_rss_anon_bytes": memory}


def main():
    parser = argparse.ArgumentParser(description="Time of small files that another peer holds.")
    parser.add_argument("--size", choices=["ci", "full"], default="ci")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--binaries", type=pathlib.Path,
                        default=os.environ.get("DRAGONFLY_BIN_DIR", "build/release/bin"))
    parser.add_argument("--enforce", action="store_true", help="end with 1 when the bar is missed")
    arguments = parser.parse_args()
    arguments.binaries = pathlib.Path(arguments.binaries).resolve()
    os.environ["DRAGONFLY_BIN_DIR"] = str(arguments.binaries)
    result = measure(arguments)
    met = result["ours_ms"]["p50"] <= BAR_MS and result["origin_requests"] == 0
    result.update({"size": arguments.size, "seed": arguments.seed, "bar_met": met,
                   "machine": {"cpus": os.cpu_count(), "kernel": platform.release(), "load": os.getloadavg()[0]}})
    line = lambda values: "  ".join(f"{name} {value:.2f}" for name, value in values.items())
    print(f"{result['tasks']} tasks of {FILE_BYTES} bytes, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}")
    print(f"DownloadTask, ms  {line(result['ours_ms'])}")
    print(f"plain HTTP, ms    {line(result['http_ms'])}")
    print(f"ratio of the medians {result['ratio_p50']:.2f}; origin requests {result['origin_requests']}; "
          f"child: {1000 * result['child_cpu_seconds'] / result['tasks']:.2f} ms CPU a task, "
          f"{result['child_rss_anon_bytes'] / 1e6:.1f} MB anonymous")
    print(f"bar (p50 at most {BAR_MS:.0f} ms, no origin request): {'met' if met else 'MISSED'}")
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")
    return 1 if arguments.enforce and not met else 0


if __name__ == "__main__":
    sys.exit(main())
