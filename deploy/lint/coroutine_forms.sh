#!/bin/sh
# Finds the coroutine forms that docs/design/coroutines.md forbids: prints file:line: text, exits 1.
# Usage: deploy/lint/coroutine_forms.sh [folder...]   (default: every source folder)
set -u
if [ $# -eq 0 ]; then
  cd "$(dirname "$0")/../.." || exit 2
  set -- common manager scheduler dfdaemon dfget tests
fi
sources=$(find "$@" \( -name '*.cc' -o -name '*.h' \) | sort)
found=0

# check WHAT PATTERN [EXCEPT]: no line matches PATTERN, comments and files matching EXCEPT aside.
check() {
  hits=$(printf '%s\n' "$sources" | grep -Ev "${3:-^$}" | tr '\n' '\0' |
    xargs -0 -r grep -nHE -e "$2" | grep -Ev '^[^:]+:[0-9]+: *//')
  if [ -n "$hits" ]; then
    printf '%s:\n%s\n\n' "$1" "$hits"
    found=1
  fi
}

check 'co_await inside ?:' '(\?[^"]*[ (]co_await |co_await [^;]*\) *\?[^"]*:)'
check 'co_await inside braces' '(\{|\.[a-z_]+ = )co_await |[A-Za-z_>]\{[^;{}"]*co_await '
check 'braced temporary as argument of a coroutine' 'co_await [A-Za-z_0-9:.>()*-]+\(([^;"]*, *)?(\{|[A-Z][A-Za-z_:]*\{)'
check 'lambda coroutine called where it is written' '(co_await|Spawn\() *\[[^]]'
check 'co_await in an if or switch initialiser' '(if|switch|while) *\([^;()]*= *co_await '
check 'co_await in a macro argument' '(EXPECT|ASSERT)_[A-Z_]+\(.*co_await|_OR_RETURN\(.*co_await'
check 'co_spawn outside common/async' 'co_spawn *\(' '(^|/)common/async/'
check 'Asio include outside common/async and common/http' \
  '#include [<"]boost/asio' '(^|/)common/(async|http)/'
exit $found
