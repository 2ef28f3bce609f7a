#!/usr/bin/env python3
"""Reads the result files that the test programs left behind.

Prints each skipped test (a skipped test is a failure), a summary, and with --security the rows of the
security table with the tests that show them: tests are named by row, Sec_B12_RefusesOutputPathOverTcp.
"""
import collections
import json
import pathlib
import re
import sys

ROW = re.compile(r"Sec_?([A-Z]\d+)_(\w+)")


def cases(folder):
    """Yields (program, test name, state) of every result file; state is passed, failed or skipped."""
    for path in sorted(folder.glob("*.json")):
        document = json.loads(path.read_text())
        for suite in document.get("testsuites", []):
            for test in suite.get("testsuite", []):
                name = f"{suite['name']}.{test['name']}"
                if test.get("failures"):
                    state = "failed"
                elif test.get("result") == "SKIPPED" or test.get("status") == "NOTRUN":
                    state = "skipped"
                else:
                    state = "passed"
                yield path.stem, name, state


def main():
    folder = pathlib.Path(sys.argv[1])
    results = list(cases(folder))
    counts = collections.Counter(state for _, _, state in results)
    for program, name, state in results:
        if state != "passed":
            print(f"{state}: {program} {name}")
    if "--security" in sys.argv[2:]:
        rows = collections.defaultdict(list)
        for program, name, state in results:
            found = ROW.search(name)
            if found:
                rows[found.group(1)].append((found.group(2), program, state))
        order = sorted(rows, key=lambda row: (row[0], int(row[1:])))
        for row in order:
            for title, program, state in sorted(rows[row]):
                print(f"{row[0]}-{row[1:]:4} {state:7} {program}: {title}")
    print(f"{counts['passed']} passed, {counts['failed'] + counts['skipped']} failed")
    return 1 if counts["failed"] or counts["skipped"] else 0


if __name__ == "__main__":
    sys.exit(main())
