#!/usr/bin/env python3
"""What a manager of a large cluster costs: see README.md.

usage: run.py [--size ci|full] [--seed N] [--json FILE] [--binaries DIR] [--enforce]
"""
import argparse
import json
import os
import pathlib
import platform
import resource
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3]))

from tests.e2e.lib.process import usage  # noqa: E402 (found by the line above)

SIZES = {"full": {"members": 5000, "clusters": 10, "lists": 10_000, "seconds": 60, "core": 0.25},
         "ci": {"members": 500, "clusters": 10, "lists": 1000, "seconds": 10, "core": 0.10}}
BAR_BYTES = 256 << 20


def cores(pid, wait):
    """What part of a core the process took while `wait` ran, and what wait gave."""
    began, cpu = time.monotonic(), usage(pid)[0]
    value = wait()
    return (usage(pid)[0] - cpu) / (time.monotonic() - began), value


def measure(arguments):
    from tests.e2e.lib.cluster import Cluster
    size = SIZES[arguments.size]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    cluster = Cluster(peers=0, seeds=0, schedulers=0, manager=True)
    # All members have one address here, whose share of the rate of new connections would not do for 5,000.
    cluster.manager.override = {"server": {"grpc": {"newConnectionsPerSecond": 0}}}
    try:
        manager = cluster.manager.start()
        for k in range(2, size["clusters"] + 1):
            manager.make_cluster(f"cluster-{k}", idc=f"idc-{k}", hostnames=[f"peer-.*{k}$"], cidrs=[f"10.{k}.0.0/16"])
        pid = manager.process.pid
        idle_cores, _ = cores(pid, lambda: time.sleep(5))
        _, idle_bytes = usage(pid)
        probe = subprocess.Popen(
            [arguments.binaries / "manager_load_probe", manager.at("grpc"), str(size["members"]), str(size["clusters"]),
             str(size["lists"]), str(size["seconds"])], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if probe.stdout.readline().strip() != "ready":
            raise SystemExit("run.py: manager_load_probe did not get ready")
        busy_cores, line = cores(pid, probe.stdout.readline)
        _, busy_bytes = usage(pid)
        active = manager.metric("^dragonfly_manager_active_members")
        probe.stdin.close()
        probe.wait(60)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        cluster.close()
    return {**size, **json.loads(line), "active_members": active, "cores": busy_cores, "idle_cores": idle_cores,
            "rss_anon_bytes": busy_bytes, "idle_rss_anon_bytes": idle_bytes,
            "bytes_per_member": (busy_bytes - idle_bytes) / size["members"]}


def main():
    parser = argparse.ArgumentParser(description="What a manager of a large cluster costs.")
    parser.add_argument("--size", choices=SIZES, default="ci")
    parser.add_argument("--seed", type=int, default=1, help="for the record: nothing is random here")
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--binaries", type=pathlib.Path,
                        default=os.environ.get("DRAGONFLY_BIN_DIR", "build/release/bin"))
    parser.add_argument("--enforce", action="store_true", help="end with 1 when the bar is missed")
    arguments = parser.parse_args()
    arguments.binaries = pathlib.Path(arguments.binaries).resolve()
    os.environ["DRAGONFLY_BIN_DIR"] = str(arguments.binaries)
    result = measure(arguments)
    whole = result["lists_failed"] == 0 and result["streams_open"] == result["active_members"] == result["members"]
    met = whole and result["cores"] <= result["core"] and result["rss_anon_bytes"] <= BAR_BYTES
    result.update({"size": arguments.size, "seed": arguments.seed, "bar_met": met,
                   "machine": {"cpus": os.cpu_count(), "kernel": platform.release(), "load": os.getloadavg()[0]}})
    print(f"{result['members']} members, {result['lists']} questions in {result['seconds']} s, "
          f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}")
    print(f"manager: {result['cores']:.3f} of a core, idle {result['idle_cores']:.3f}; "
          f"{result['rss_anon_bytes'] / 1e6:.1f} MB anonymous, idle {result['idle_rss_anon_bytes'] / 1e6:.1f}; "
          f"{result['bytes_per_member'] / 1024:.1f} KiB a member")
    print(f"questions: {result['lists_failed']} failed, p50 {result['list_ms']['p50']:.2f} ms, "
          f"p99 {result['list_ms']['p99']:.2f} ms; "
          f"{result['schedulers_named'] / max(1, result['lists']):.0f} schedulers an answer")
    print(f"members: {result['streams_open']} streams open, {result['active_members']:.0f} active")
    print(f"bar (at most {result['core']:.2f} of a core, {BAR_BYTES >> 20} MiB, nothing lost): "
          f"{'met' if met else 'MISSED'}")
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")
    return 1 if arguments.enforce and not met else 0


if __name__ == "__main__":
    sys.exit(main())
