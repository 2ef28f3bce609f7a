#!/usr/bin/env bash
# clang-tidy over sources, with the checks of .clang-tidy. Needs a build tree, built (for generated headers).
set -euo pipefail
cd "$(dirname "$0")/../.."

usage() {
  cat <<'TXT'
usage: deploy/lint/tidy.sh [--all | FILE...] [--build FOLDER] [--jobs N] [--seconds N] [--no-setup]

  (no files)      sources changed since the merge base with origin/main or main, and not committed ones; where neither
                  branch is there or nothing has changed, the ten sources that were changed last
  --all           every source: ten seconds each, for an evening
  FILE            these; of a header, the source of the same name
  --build FOLDER  the build tree (build/debug)
  --jobs N        at a time (the number of processors)
  --seconds N     begin no further source after so many seconds, and say which were left (no limit)
  --no-setup      do not look for missing packages
TXT
}

all= build= jobs=$(nproc) seconds= setup=1 files=()
number() { [[ "$2" =~ ^[1-9][0-9]*$ ]] || { echo "tidy.sh: $1 needs a number above 0" >&2; exit 2; }; }
while [ $# -gt 0 ]; do
  case "$1" in
    --all) all=1 ;;
    --build) [ $# -ge 2 ] || { echo "tidy.sh: --build needs a folder" >&2; exit 2; }; build=$2; shift ;;
    --jobs) number --jobs "${2:-}"; jobs=$2; shift ;;
    --seconds) number --seconds "${2:-}"; seconds=$2; shift ;;
    --no-setup) setup= ;;
    -h | --help) usage; exit 0 ;;
    -*) echo "tidy.sh: unknown argument '$1'" >&2; usage >&2; exit 2 ;;
    *) [ -f "$1" ] || { echo "tidy.sh: there is no file '$1'" >&2; exit 2; }; files+=("$1") ;;
  esac
  shift
done

[ -z "$setup" ] || deploy/setup.sh --lint
# Not build/release: it compiles sources together, and has no commands for one of them.
build=${build:-build/debug}
[ -f "$build/compile_commands.json" ] || {
  echo "tidy.sh: no build tree; build first: cmake --preset debug && cmake --build build/debug" >&2; exit 2; }

# Files that were changed since the branch left main, one in a line.
changed() {
  local base
  for branch in origin/main main; do
    if base=$(git merge-base HEAD "$branch" 2>/dev/null); then
      git diff --name-only --diff-filter=d "$base"
      return
    fi
  done
}
sources_only() { grep -E '\.(cc|h)$' | grep -v '^tests/fuzz/' || true; }
if [ -n "$all" ]; then
  mapfile -t files < <(git ls-files '*.cc' | sources_only)
elif [ ${#files[@]} -eq 0 ]; then
  mapfile -t files < <(changed | sources_only)
  if [ ${#files[@]} -eq 0 ]; then
    mapfile -t files < <(git log -n 50 --format= --name-only --diff-filter=d -- '*.cc' | sources_only |
      awk '!seen[$0]++' | while read -r file; do [ ! -f "$file" ] || echo "$file"; done | head -n 10)
  fi
fi

database=build/tidy
python3 deploy/lint/tidy_database.py "$build" "$database"
# A header is seen through the source of its name; what the database does not know is not built on this machine.
mapfile -t files < <(printf '%s\n' "${files[@]}" | sed 's/\.h$/.cc/' | sort -u | while read -r file; do
  grep -qF "\"file\": \"$PWD/$file\"" "$database/compile_commands.json" && echo "$file"
done)
[ -n "${files[*]:-}" ] || { echo "tidy: no sources"; exit 0; }

# tidy_one FILE: prints what is wrong with it.
tidy_one() {
  if [ -n "$TIDY_END" ] && [ "$(date +%s)" -ge "$TIDY_END" ]; then
    echo "$1" >>"$TIDY_LEFT"
    return 0
  fi
  local out status=0
  out=$(timeout --kill-after=10 300 clang-tidy-16 -p "$TIDY_DATABASE" --quiet "$1" 2>&1) || status=$?
  [ "$status" -ne 0 ] || return 0
  printf '%s\n' "$out" | grep -vE '^[0-9]+ warnings? (and [0-9]+ errors? )?generated|^Suppressed |^Use -header-filter' || true
  [ "$status" -ne 124 ] || echo "$1: clang-tidy did not end within 300 s"
  return 1
}
export -f tidy_one
export TIDY_DATABASE=$database TIDY_LEFT=$database/left TIDY_END=${seconds:+$(($(date +%s) + seconds))}
rm -f "$TIDY_LEFT"
began=$(date +%s) status=0
printf '%s\0' "${files[@]}" | xargs -0 -n 1 -P "$jobs" bash -c 'tidy_one "$1"' tidy_one || status=1
left=0
if [ -f "$TIDY_LEFT" ]; then
  left=$(wc -l <"$TIDY_LEFT")
  echo "tidy: not looked at for want of time: $(sort "$TIDY_LEFT" | tr '\n' ' ')"
fi
echo "tidy: $((${#files[@]} - left)) sources in $(($(date +%s) - began)) s: $([ "$status" -eq 0 ] && echo clean || echo FAILED)"
exit "$status"
