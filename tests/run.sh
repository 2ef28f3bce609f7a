#!/usr/bin/env bash
# Sets up, builds and tests. See CONTRIBUTING.md for how to build and run one thing only.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  cat <<'TXT'
usage: tests/run.sh [--quick] [--asan] [--only PATTERN] [--security] [--no-setup]

  --quick         unit tests only
  --asan          build and test with AddressSanitizer and UndefinedBehaviorSanitizer
  --only PATTERN  tests whose name matches this regular expression
  --security      print, for each row of the security table, the tests that show it and their results
  --no-setup      do not look for missing packages
TXT
}

preset=release quick= only= security= setup=1
while [ $# -gt 0 ]; do
  case "$1" in
    --quick) quick=1 ;;
    --asan) preset=asan ;;
    --only) [ $# -ge 2 ] || { echo "run.sh: --only needs a pattern" >&2; exit 2; }; only=$2; shift ;;
    --security) security=1 ;;
    --no-setup) setup= ;;
    -h | --help) usage; exit 0 ;;
    *) echo "run.sh: unknown argument '$1'" >&2; usage >&2; exit 2 ;;
  esac
  shift
done

[ -z "$setup" ] || deploy/setup.sh
build=build/$preset
[ -f "$build/build.ninja" ] || cmake --preset "$preset" >"/tmp/dragonfly-configure.$$" || {
  cat "/tmp/dragonfly-configure.$$" >&2; rm -f "/tmp/dragonfly-configure.$$"; exit 1; }
rm -f "/tmp/dragonfly-configure.$$"
cmake --build "$build"

rm -rf "$build/test-results"
arguments=(--test-dir "$build" --output-on-failure --no-tests=error)
[ -z "$quick" ] || arguments+=(-L unit)
[ -z "$only" ] || arguments+=(-R "$only")
status=0
ctest "${arguments[@]}" || status=$?
python3 tests/results.py "$build/test-results" ${security:+--security} || status=1
exit "$status"
