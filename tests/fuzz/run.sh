#!/usr/bin/env bash
# Builds the fuzz targets and lets each search for a while, from its seeds and from what earlier runs found.
set -euo pipefail
cd "$(dirname "$0")/../.."

usage() {
  cat <<'TXT'
usage: tests/fuzz/run.sh [--seconds N] [--only TARGET]... [--jobs N] [--seed N] [--no-setup]

  --seconds N    how long each target searches (20)
  --only TARGET  one folder of tests/fuzz, for example vortex; may be given several times
  --jobs N       targets that search at the same time (the number of processors)
  --seed N       of what is tried; 0: another each time (0)
  --no-setup     do not look for missing packages

What was found worth keeping is in build/fuzz/corpus/TARGET, inputs that fail in build/fuzz/crashes/TARGET.
TXT
}

seconds=20 only=() jobs=$(nproc) seed=0 setup=1
while [ $# -gt 0 ]; do
  case "$1" in
    --seconds)
      [[ "${2:-}" =~ ^[1-9][0-9]*$ ]] || { echo "run.sh: --seconds needs a number above 0" >&2; exit 2; }
      seconds=$2; shift ;;
    --only) [ $# -ge 2 ] || { echo "run.sh: --only needs a target" >&2; exit 2; }; only+=("$2"); shift ;;
    --jobs)
      [[ "${2:-}" =~ ^[1-9][0-9]*$ ]] || { echo "run.sh: --jobs needs a number above 0" >&2; exit 2; }
      jobs=$2; shift ;;
    --seed)
      [[ "${2:-}" =~ ^[0-9]+$ ]] || { echo "run.sh: --seed needs a number" >&2; exit 2; }
      seed=$2; shift ;;
    --no-setup) setup= ;;
    -h | --help) usage; exit 0 ;;
    *) echo "run.sh: unknown argument '$1'" >&2; usage >&2; exit 2 ;;
  esac
  shift
done

targets=()
for folder in tests/fuzz/*/; do targets+=("$(basename "$folder")"); done
for target in "${only[@]}"; do
  [ -d "tests/fuzz/$target" ] || {
    echo "run.sh: there is no target '$target'; there are: ${targets[*]}" >&2; exit 2; }
done
[ ${#only[@]} -eq 0 ] || targets=("${only[@]}")

[ -z "$setup" ] || deploy/setup.sh --fuzz
build=build/fuzz
[ -f "$build/build.ninja" ] || cmake --preset fuzz >"/tmp/dragonfly-configure.$$" || {
  cat "/tmp/dragonfly-configure.$$" >&2; rm -f "/tmp/dragonfly-configure.$$"; exit 1; }
rm -f "/tmp/dragonfly-configure.$$"
cmake --build "$build" --target "${targets[@]/#/fuzz_}"

# Last number behind WORD in the log of a run.
last() { grep -oE "$1[: ]+[0-9]+" "$2" | tail -n 1 | grep -oE '[0-9]+$' || echo 0; }

# search TARGET: lets it search, prints one line, and of a failure what is needed to repeat it.
search() {
  local target=$1 result=ok
  local corpus=$build/corpus/$target crashes=$build/crashes/$target log=$build/fuzz_$target.log
  mkdir -p "$corpus" "$crashes"
  local options=(-max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=4096
    -print_final_stats=1 -seed="$seed" -artifact_prefix="$crashes/")
  local dictionary=tests/fuzz/$target/words.dict
  [ ! -f "$dictionary" ] || options+=(-dict="$dictionary")
  # The search ends itself; the outer limit is for one that hangs where it cannot be asked.
  timeout --kill-after=10 $((seconds + 120)) \
    "$build/bin/fuzz_$target" "${options[@]}" "$corpus" "tests/fuzz/$target/seeds" >"$log" 2>&1 || result=FAILED
  # The last line with coverage; a run that fails on a seed has none.
  printf '%-14s %9s executions  %6s branches  %s\n' \
    "$target" "$(last 'stat::number_of_executed_units' "$log")" "$(last 'cov' "$log")" "$result"
  [ "$result" = FAILED ] || return 0
  local input
  input=$(grep -oE "Test unit written to .*" "$log" | tail -n 1 | sed 's/^Test unit written to //' || true)
  { grep -vE '^(#[0-9]+|INFO:|stat::|\s*$)' "$log" || true; } | head -n 30 | sed 's/^/  /'
  echo "  again: $build/bin/fuzz_$target ${input:-tests/fuzz/$target/seeds/*}"
  echo "  smaller: $build/bin/fuzz_$target -minimize_crash=1 -runs=100000 ${input:-INPUT}"
  echo "  the whole log: $log"
  return 1
}

began=$(date +%s) status=0
export -f search last
export build seconds seed
printf '%s\0' "${targets[@]}" | xargs -0 -n 1 -P "$jobs" bash -c 'set -euo pipefail; search "$1"' search || status=1
echo "fuzz: ${#targets[@]} targets in $(($(date +%s) - began)) s after the build: $([ "$status" -eq 0 ] && echo ok || echo FAILED)"
exit "$status"
