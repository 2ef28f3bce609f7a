#!/usr/bin/env python3
"""What a build costs, and where: the dearest sources, the dearest headers, the whole, and whether it is too much.

Reads what ninja wrote while it built (.ninja_log, and .ninja_deps through `ninja -t deps`). Times are those of the last
build of each file; a file that came out of ccache, or was built while the machine did other things as well, says little, so
measure after

    CCACHE_DISABLE=1 cmake --build --preset release --clean-first

The verdict is about the wall time of the longest run of ninja that the log knows. What a header costs is an estimate: the
sum over the sources that include it, of the seconds of a source times the share of this header's bytes in all that the
source includes. Our own and generated headers are told one by one, those of a library together: a library is not included by
halves.
"""
import argparse
import collections
import json
import os
import subprocess
import sys

BAR_MINUTES = 10.0
SOURCES = (".cc.o", ".c.o", ".cxx.o")


def read_log(tree):
    """{output: (begin ms, end ms)} of the last time that each output was built."""
    steps = {}
    with open(os.path.join(tree, ".ninja_log"), encoding="utf-8") as file:
        for line in file:
            fields = line.rstrip("\n").split("\t")
            if line.startswith("#") or len(fields) < 5:
                continue
            steps[fields[3]] = (int(fields[0]), int(fields[1]))
    return steps


def read_dependencies(tree):
    """{object: [every file that it was made from]}, paths as the compiler wrote them."""
    out = subprocess.run(["ninja", "-C", tree, "-t", "deps"], capture_output=True, text=True, check=True).stdout
    dependencies, current = {}, None
    for line in out.splitlines():
        if line.startswith("    "):
            current.append(line.strip())
        elif ": #deps" in line:
            current = dependencies.setdefault(line.split(": #deps")[0], [])
    return dependencies


def wall_seconds(steps):
    """The longest run of ninja: its log counts milliseconds from the begin of each run."""
    return max((end for _, end in steps.values()), default=0) / 1000


def header_name(path):
    """A header of ours, or the library that it belongs to."""
    for root in ("/usr/include/x86_64-linux-gnu/", "/usr/include/", "/usr/lib/"):
        if path.startswith(root):
            parts = path[len(root):].split("/")
            inside = 2 if parts[0] in ("boost", "google") and len(parts) > 2 else 1
            return root + "/".join(parts[:inside]) + ("/..." if len(parts) > inside else "")
    return path


def header_costs(tree, seconds, dependencies):
    """[(seconds, sources, header)], dearest first. A precompiled header stands for what is in it."""
    sizes = {}

    def size(path):
        if path not in sizes:
            try:
                sizes[path] = os.path.getsize(os.path.join(tree, path))
            except OSError:
                sizes[path] = 0
        return sizes[path]

    cost, users = collections.Counter(), collections.defaultdict(set)
    for name, taken in seconds.items():
        files = [f for f in dependencies.get(name, []) if not f.endswith(".gch")]
        total = sum(size(f) for f in files)
        for path in files:
            if total == 0 or path.endswith((".cc", ".c", ".cxx")):
                continue
            cost_name = header_name(os.path.normpath(os.path.join(tree, path)))
            cost[cost_name] += taken * size(path) / total
            users[cost_name].add(name)
    return [(spent, len(users[path]), path) for path, spent in cost.most_common()]


def short(path):
    root = os.getcwd() + "/"
    return path[len(root):] if path.startswith(root) else path


def report(tree, top, bar):
    steps = read_log(tree)
    if not steps:
        sys.exit(f"build_cost.py: {tree}/.ninja_log has no steps; build first")
    seconds = {name: (end - begin) / 1000 for name, (begin, end) in steps.items() if name.endswith(SOURCES)}
    # Steps with several outputs are in the log once for each.
    distinct = {}
    for name, span in steps.items():
        distinct.setdefault((span, os.path.dirname(name)), name)
    all_seconds = sum((end - begin) / 1000 for (begin, end), _ in distinct)
    wall = wall_seconds(steps)
    sources = sorted(((s, n) for n, s in seconds.items()), reverse=True)
    headers = header_costs(tree, seconds, read_dependencies(tree))
    return {
        "tree": tree,
        "steps": len(distinct),
        "wall_seconds": round(wall, 1),
        "job_seconds": round(all_seconds, 1),
        "compile_seconds": round(sum(seconds.values()), 1),
        "sources": [{"seconds": round(s, 1), "object": n} for s, n in sources[:top]],
        "headers": [{"seconds": round(s, 1), "sources": n, "header": short(p)} for s, n, p in headers[:top]],
        "bar_seconds": bar * 60,
        "verdict": "ok" if wall <= bar * 60 else "TOO DEAR",
    }


def print_report(result):
    print(f"{result['tree']}: {result['steps']} steps, {result['wall_seconds'] / 60:.1f} min wall, "
          f"{result['job_seconds'] / 60:.1f} min over all jobs, of which compilers {result['compile_seconds'] / 60:.1f} min")
    print("\nseconds  source")
    for row in result["sources"]:
        print(f"{row['seconds']:7.1f}  {row['object']}")
    print("\nseconds  sources  header (estimate)")
    for row in result["headers"]:
        print(f"{row['seconds']:7.1f}  {row['sources']:7}  {row['header']}")
    print(f"\nverdict: {result['verdict']} ({result['wall_seconds'] / 60:.1f} min, bar {result['bar_seconds'] / 60:.0f} min)")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tree", nargs="?", default="build/release", help="a build tree (build/release)")
    parser.add_argument("--top", type=int, default=10, help="rows of each table (10)")
    parser.add_argument("--bar", type=float, default=BAR_MINUTES, help=f"minutes of wall time that are ok ({BAR_MINUTES:g})")
    parser.add_argument("--json", metavar="FILE", help="write it here, too; - prints nothing else")
    arguments = parser.parse_args()
    if not os.path.exists(os.path.join(arguments.tree, ".ninja_log")):
        sys.exit(f"build_cost.py: {arguments.tree} is no tree that ninja has built")
    result = report(arguments.tree, arguments.top, arguments.bar)
    if arguments.json == "-":
        print(json.dumps(result, indent=2))
    else:
        if arguments.json:
            with open(arguments.json, "w", encoding="utf-8") as file:
                json.dump(result, file, indent=2)
        print_report(result)
    return 0 if result["verdict"] == "ok" else 1


if __name__ == "__main__":
    sys.exit(main())
