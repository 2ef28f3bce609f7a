#!/usr/bin/env python3
"""Runs one file of end-to-end tests: run.py FILE [--json OUT] [-k PATTERN].

Prints a line per test, and of a test that failed what its nodes logged. Writes the results in the form of
GoogleTest, which tests/results.py reads. Ends with 1 when a test failed or was skipped.
"""
import argparse
import importlib.util
import json
import pathlib
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3]))


class Result(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.cases = []
        self._began = 0.0

    def startTest(self, test):
        super().startTest(test)
        self._began = time.monotonic()
        print(f"[ RUN  ] {test.id().split('.', 1)[-1]}", flush=True)

    def _end(self, test, state, text=""):
        seconds = time.monotonic() - self._began
        parts = test.id().split(".")
        suite, name = (parts[-2], parts[-1]) if len(parts) > 1 else ("e2e", parts[-1])
        case = {"name": name, "result": "SKIPPED" if state == "skipped" else "COMPLETED", "time": f"{seconds:.3f}s"}
        if state == "failed":
            case["failures"] = [{"failure": text}]
        self.cases.append((suite, case))
        print(f"{text}[ {state:6} ] {suite}.{name} ({seconds:.1f} s)", flush=True)

    def addSuccess(self, test):
        self._end(test, "passed")

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._end(test, "failed", self._exc_info_to_string(err, test))

    def addError(self, test, err):
        super().addError(test, err)
        self._end(test, "failed", self._exc_info_to_string(err, test))

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._end(test, "skipped", reason + "\n")

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._end(subtest, "failed", self._exc_info_to_string(err, subtest))

    def document(self):
        suites = {}
        for suite, case in self.cases:
            suites.setdefault(suite, []).append(case)
        return {"testsuites": [{"name": name, "testsuite": cases} for name, cases in suites.items()]}


def load(path, pattern):
    spec = importlib.util.spec_from_file_location("e2e_" + path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    loader = unittest.TestLoader()
    if pattern:
        loader.testNamePatterns = [f"*{pattern}*"]
    return loader.loadTestsFromModule(module)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=pathlib.Path)
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("-k", dest="pattern", help="only tests whose name contains this")
    arguments = parser.parse_args()
    suite = load(arguments.file.resolve(), arguments.pattern)
    result = Result()
    suite.run(result)
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(result.document(), indent=1))
    failed = [case for _, case in result.cases if case.get("failures") or case["result"] == "SKIPPED"]
    print(f"{len(result.cases) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed or not result.cases else 0


if __name__ == "__main__":
    sys.exit(main())
