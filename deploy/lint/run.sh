#!/usr/bin/env bash
# Every check that needs no build. Prints what is wrong and how to mend it.
set -uo pipefail
cd "$(dirname "$0")/../.."
status=0

mapfile -t sources < <(git ls-files '*.cc' '*.h')
if [ ${#sources[@]} -gt 0 ] && ! clang-format-16 --dry-run -Werror "${sources[@]}" 2>/tmp/format.$$; then
  echo "lint: not formatted (mend with: clang-format-16 -i FILE):"
  grep -o '^[^:]*' /tmp/format.$$ | sort -u | grep -E '\.(cc|h)$' | sed 's/^/  /'
  status=1
fi
rm -f /tmp/format.$$

long=$(git ls-files '*.cc' '*.h' '*.py' '*.sh' | xargs -r wc -l | awk '$2 != "total" && $1 > 600 {print "  " $2 " (" $1 " lines)"}')
if [ -n "$long" ]; then
  echo "lint: over 600 lines; each wants to be two files:"
  echo "$long"
  status=1
fi

skips=$(git grep -nE 'GTEST_SKIP|DISABLED_|skipTest|unittest\.skip' -- tests ':!tests/results.py' || true)
if [ -n "$skips" ]; then
  echo "lint: tests that do not run:"
  echo "$skips"
  status=1
fi

for check in deploy/lint/*.sh; do
  case "$check" in
    */run.sh | */tidy.sh) ;;  # tidy.sh needs a build
    *) bash "$check" || status=1 ;;
  esac
done
[ "$status" -ne 0 ] || echo "lint: clean"
exit "$status"
