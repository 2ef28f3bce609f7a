#!/usr/bin/env bash
# Sets up, builds and tests. See CONTRIBUTING.md for how to build and run one thing only.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  cat <<'TXT'
usage: tests/run.sh [--quick] [--asan | --tsan] [--only PATTERN] [--security] [--no-setup]

  --quick         unit tests only
  --asan          build and test with AddressSanitizer and UndefinedBehaviorSanitizer
  --tsan          build and test with ThreadSanitizer what uses no gRPC; with --only, build nothing else
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
    --tsan) preset=tsan ;;
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
arguments=(--test-dir "$build" --output-on-failure --no-tests=error)
[ -z "$quick" ] || arguments+=(-L unit)
[ "$preset" != tsan ] || arguments+=(-L tsan)
[ -z "$only" ] || arguments+=(-R "$only")

targets=()
if [ "$preset" = tsan ]; then
  # Tests have the names of their targets.
  mapfile -t targets < <(ctest "${arguments[@]}" -N | sed -nE 's/^ *Test +#[0-9]+: ([^ ]+).*/\1/p')
  [ ${#targets[@]} -gt 0 ] || { echo "run.sh: no test for ThreadSanitizer is called '$only'" >&2; exit 2; }
fi
cmake --build "$build" ${targets[0]:+--target "${targets[@]}"}

rm -rf "$build/test-results"
status=0
ctest "${arguments[@]}" || status=$?
python3 tests/results.py "$build/test-results" ${security:+--security} || status=1
exit "$status"
