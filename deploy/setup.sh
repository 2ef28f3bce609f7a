#!/usr/bin/env bash
# Installs what a fresh Debian 12 lacks to build, test and run this project. Says what it installs; run
# again, it finds everything there and does nothing. As root, or with sudo. --fuzz: what tests/fuzz needs too;
# --lint: what deploy/lint/tidy.sh needs too.
set -euo pipefail

build_packages=(
  g++ cmake ninja-build pkg-config ccache mold git ca-certificates
  libgrpc++-dev protobuf-compiler-grpc protobuf-compiler libprotobuf-dev libabsl-dev
  libspdlog-dev libfmt-dev libyaml-cpp-dev libssl-dev libgtest-dev libgmock-dev
  nlohmann-json3-dev libboost-dev libcurl4-openssl-dev libidn2-dev libcli11-dev libre2-dev libisal-dev
  zlib1g-dev prometheus-cpp-dev libsqlite3-dev libcrypt-dev libmysqlcppconn-dev libhiredis-dev
)
test_packages=(nginx-light mariadb-server redis-server redis-sentinel openssl python3 curl procps)
lint_packages=(clang-format-16)
more_packages=()
for option in "$@"; do
  case "$option" in
    --fuzz) more_packages+=(clang-16 libclang-rt-16-dev) ;;
    --lint) more_packages+=(clang-tidy-16) ;;
    *) echo "setup: unknown argument '$option'; there are --fuzz and --lint" >&2; exit 2 ;;
  esac
done

missing=()
for package in "${build_packages[@]}" "${test_packages[@]}" "${lint_packages[@]}" "${more_packages[@]}"; do
  state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$state" = installed ] || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  exit 0
fi

if ! command -v apt-get >/dev/null; then
  echo "setup: these Debian packages are missing and there is no apt-get to install them: ${missing[*]}" >&2
  exit 1
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || {
    echo "setup: run as root (or install sudo); these packages are missing: ${missing[*]}" >&2
    exit 1
  }
  as_root=(sudo)
fi
echo "setup: installing ${missing[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
install() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update >>"$log" 2>&1 &&
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
      -o Dpkg::Options::=--force-confold "${missing[@]}" >>"$log" 2>&1
}
# nginx, mariadb and redis are only used by tests that start their own: their services must not take ports 80, 3306
# and 6379.
policy=/usr/sbin/policy-rc.d
made_policy=
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
  "${as_root[@]}" chmod 755 "$policy"
  made_policy=1
fi
status=0
install || status=$?
[ -z "$made_policy" ] || "${as_root[@]}" rm -f "$policy"
if [ "$status" -ne 0 ]; then
  echo "setup: apt-get failed:" >&2
  tail -n 20 "$log" >&2
  exit 1
fi
echo "setup: done"
