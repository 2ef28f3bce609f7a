#!/usr/bin/env bash
# A whole cluster on this machine, from nothing: set-up, build, a manager, a scheduler, a seed peer and peers as
# processes on loopback, and one download on every peer. docs/guide/quickstart.md explains what it prints.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)

usage() {
  cat <<'TXT'
usage: deploy/quickstart.sh [URL] [-O FILE] [--peers N] [--dir DIR] [--binaries DIR] [--port-base P] [--ipv6]
                            [--down]

  URL             what to download; without it, a file made here and served by an nginx of our own
  -O FILE         where peer 1 puts it (peer k: DIR/peer-k/NAME); default DIR/peer-1/NAME
  --peers N       peers beside the seed peer, 1 to 20; default 2
  --dir DIR       everything the cluster keeps; default .quickstart in the current folder
  --binaries DIR  use the programs in DIR and build nothing
  --port-base P   first of the ports that are used on loopback; default 14000
  --ipv6          everything on ::1 instead of 127.0.0.1
  --down          end exactly what was started with this DIR

The cluster keeps running. Run again, it is reused.
TXT
}

die() { echo "quickstart: $*" >&2; exit 1; }
refuse() { echo "quickstart: $*" >&2; usage >&2; exit 2; }

url= file= peers=2 dir=$PWD/.quickstart binaries= base=14000 ip=127.0.0.1 down=
while [ $# -gt 0 ]; do
  case "$1" in
    -O | --peers | --dir | --binaries | --port-base) [ $# -ge 2 ] || refuse "$1 needs a value" ;;
  esac
  case "$1" in
    -O) file=$2; shift ;;
    --peers) peers=$2; shift ;;
    --dir) dir=$2; shift ;;
    --binaries) binaries=$2; shift ;;
    --port-base) base=$2; shift ;;
    --ipv6) ip=::1 ;;
    --down) down=1 ;;
    -h | --help) usage; exit 0 ;;
    -*) refuse "unknown option '$1'" ;;
    *) [ -z "$url" ] || refuse "more than one URL: '$url' and '$1'"; url=$1 ;;
  esac
  shift
done
[[ $peers =~ ^[0-9]+$ ]] && [ "$peers" -ge 1 ] && [ "$peers" -le 20 ] || refuse "--peers: '$peers' is not a number from 1 to 20"
[[ $base =~ ^[0-9]+$ ]] && [ "$base" -ge 1024 ] && [ "$base" -le 65000 ] || refuse "--port-base: '$base' is not a port from 1024 to 65000"
case "$url" in '' | *://?*) ;; *) refuse "URL: '$url' has no scheme (http://...)" ;; esac
mkdir -p "$dir" || die "--dir: cannot make the folder '$dir'"
dir=$(cd "$dir" && pwd)
case "$ip" in *:*) host="[$ip]" ;; *) host=$ip ;; esac

# A process of ours: its pid file exists, and its command line names our folder.
pid_of() {
  local pid
  pid=$(cat "$dir/$1/pid" 2>/dev/null) || return 1
  tr '\0' '\n' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF "$dir/$1/" || return 1
  echo "$pid"
}

stop() {  # NAME
  local pid
  pid=$(pid_of "$1") || { rm -f "$dir/$1/pid"; return 0; }
  kill -TERM "$pid" 2>/dev/null || true
  for _ in $(seq 100); do
    pid_of "$1" >/dev/null || break
    sleep 0.1
  done
  if pid_of "$1" >/dev/null; then
    echo "quickstart: $1 (pid $pid) did not end within 10 s; killed" >&2
    kill -KILL "$pid" 2>/dev/null || true
  fi
  rm -f "$dir/$1/pid"
  echo "stopped $1"
}

if [ -n "$down" ]; then
  for pid_file in "$dir"/*/pid; do
    [ -e "$pid_file" ] || continue
    name=$(basename "$(dirname "$pid_file")")
    case "$name" in manager | scheduler) ;; *) stop "$name" ;; esac
  done
  stop scheduler
  stop manager
  exit 0
fi

# What runs there listens where it was told to.
if pid_of scheduler >/dev/null && [ -f "$dir/ip" ] && [ "$(cat "$dir/ip")" != "$ip" ]; then
  die "the cluster in $dir listens on $(cat "$dir/ip"), not on $ip; end it first: deploy/quickstart.sh --dir $dir --down"
fi
echo "$ip" >"$dir/ip"

if [ -n "$binaries" ]; then
  binaries=$(cd "$binaries" 2>/dev/null && pwd) || die "--binaries: no such folder"
else
  "$root/deploy/setup.sh"
  build=$root/build/release
  if [ ! -f "$build/build.ninja" ]; then
    (cd "$root" && cmake --preset release >"$dir/configure.log" 2>&1) || { tail -n 20 "$dir/configure.log" >&2; die "cmake failed; $dir/configure.log"; }
  fi
  echo "building (log: $dir/build.log)"
  cmake --build "$build" --target manager scheduler dfdaemon dfget >"$dir/build.log" 2>&1 || { tail -n 20 "$dir/build.log" >&2; die "the build failed; $dir/build.log"; }
  binaries=$build/bin
fi
for program in manager scheduler dfdaemon dfget; do
  [ -x "$binaries/$program" ] || die "no program '$program' in $binaries"
done
command -v curl >/dev/null || die "curl is missing; install it or run deploy/setup.sh"

start() {  # NAME HEALTH_URL COMMAND...
  local name=$1 health=$2
  shift 2
  if pid_of "$name" >/dev/null; then return 0; fi
  setsid "$@" >"$dir/$name/console.log" 2>&1 </dev/null &
  echo $! >"$dir/$name/pid"
  for _ in $(seq 300); do
    if curl -fsS -o /dev/null --max-time 1 "$health" 2>/dev/null && pid_of "$name" >/dev/null; then
      echo "started $name (pid $(cat "$dir/$name/pid"))"
      return 0
    fi
    if ! pid_of "$name" >/dev/null; then
      tail -n 5 "$dir/$name/console.log" >&2
      rm -f "$dir/$name/pid"
      die "$name did not start; log: $dir/$name/console.log"
    fi
    sleep 0.1
  done
  tail -n 5 "$dir/$name/console.log" >&2
  die "$name is not healthy after 30 s; log: $dir/$name/console.log"
}

start_manager() {
  mkdir -p "$dir/manager"
  cat >"$dir/manager/manager.yaml" <<YAML
server:
  logDir: $dir/manager/log
  grpc:
    listenIP: "$ip"
    port:
      start: $((base + 3))
      end: $((base + 3))
  rest:
    addr: "$host:$((base + 4))"
database:
  sqlite:
    path: $dir/manager/data/manager.db
YAML
  # The root's password of the first start, for who runs this.
  if [ ! -s "$dir/manager/root-password" ]; then
    (umask 077; head -c 18 /dev/urandom | base64 | tr '+/' '-_' >"$dir/manager/root-password")
  fi
  DRAGONFLY_INITIAL_ROOT_PASSWORD=$(cat "$dir/manager/root-password") \
    start manager "http://$host:$((base + 4))/healthy" "$binaries/manager" --console \
    --config "$dir/manager/manager.yaml"
}

start_scheduler() {
  mkdir -p "$dir/scheduler"
  cat >"$dir/scheduler/scheduler.yaml" <<YAML
server:
  advertiseIP: "$ip"
  listenIP: "$ip"
  port: $base
  advertisePort: $base
  logDir: $dir/scheduler/log
  cacheDir: $dir/scheduler/cache
manager:
  addr: "$host:$((base + 3))"
metrics:
  enable: true
  addr: "$host:$((base + 1))"
YAML
  start scheduler "http://$host:$((base + 1))/healthy" "$binaries/scheduler" --console \
    --config "$dir/scheduler/scheduler.yaml" --dynconfig "$dir/scheduler/dynconfig.yaml"
  # Nodes that ask the manager from now on are told of it.
  for _ in $(seq 100); do
    ! grep -q 'known to the manager' "$dir/scheduler/console.log" || return 0
    sleep 0.1
  done
  die "the scheduler does not reach the manager; log: $dir/scheduler/console.log"
}

start_daemon() {  # NAME PORT SEED
  local name=$1 port=$2
  mkdir -p "$dir/$name"
  cat >"$dir/$name/dfdaemon.yaml" <<YAML
host:
  hostname: $name
  ip: "$ip"
manager:
  addr: "http://$host:$((base + 3))"
download:
  server:
    socketPath: $dir/$name/dfdaemon.sock
upload:
  server:
    ip: "$ip"
    port: $port
storage:
  dir: $dir/$name/data
  keep: true
  server:
    ip: "$ip"
    tcpPort: $((port + 1))
    quicPort: $((port + 2))
metrics:
  server:
    ip: "$ip"
    port: $((port + 3))
health:
  server:
    ip: "$ip"
    port: $((port + 4))
stats:
  server:
    ip: "$ip"
    port: $((port + 5))
proxy:
  server:
    ip: "$ip"
    port: $((port + 6))
seedPeer:
  enable: $3
YAML
  start "$name" "http://$host:$((port + 4))/healthy" "$binaries/dfdaemon" --console \
    --config "$dir/$name/dfdaemon.yaml" --dynconfig "$dir/$name/dynconfig.yaml"
}

start_origin() {
  local port=$((base + 2)) origin=$dir/origin
  command -v nginx >/dev/null || die "nginx is missing; give a URL, install it, or run deploy/setup.sh"
  mkdir -p "$origin/files"
  if [ ! -s "$origin/files/sample.bin" ]; then
    head -c $((64 * 1024 * 1024)) /dev/urandom >"$origin/files/sample.bin.part" || die "no room for a file of 64 MiB in $origin"
    mv "$origin/files/sample.bin.part" "$origin/files/sample.bin"
  fi
  local user=
  # Started by root, nginx would read the files as somebody who may not enter the folder.
  [ "$(id -u)" != 0 ] || user="user root;"
  cat >"$origin/nginx.conf" <<NGINX
daemon off;
$user
pid $origin/nginx.pid;
error_log $origin/error.log;
events {}
http {
  access_log off;
  client_body_temp_path $origin/tmp;
  proxy_temp_path $origin/tmp;
  fastcgi_temp_path $origin/tmp;
  uwsgi_temp_path $origin/tmp;
  scgi_temp_path $origin/tmp;
  server {
    listen $host:$port;
    root $origin/files;
  }
}
NGINX
  start origin "http://$host:$port/sample.bin" nginx -e "$origin/error.log" -c "$origin/nginx.conf"
  url=http://$host:$port/sample.bin
}

metric() {  # PORT REGEX: sum of the samples whose name and labels match
  curl -fsS --max-time 5 "http://$host:$1/metrics" | awk -v want="$2" '
    $0 !~ /^#/ && $0 ~ want { sum += $NF } END { printf "%.3f\n", sum }'
}
traffic() { metric "$1" "^dragonfly_client_download_traffic(_total)?[{].*type=\"$2\"" | cut -d. -f1; }
seconds() { metric "$1" '^dragonfly_client_download_task_duration_milliseconds_sum'; }

start_manager
start_scheduler
start_daemon seed $((base + 100)) true
for k in $(seq "$peers"); do start_daemon "peer-$k" $((base + 100 + 10 * k)) false; done
[ -n "$url" ] || start_origin

name=${url%%[?#]*}
name=$(basename "${name#*://}")
case "$name" in '' | . | .. | */*) name=download ;; esac
: "${file:=$dir/peer-1/$name}"
output() { if [ "$1" = 1 ]; then echo "$file"; else echo "$dir/peer-$1/$name"; fi; }

nodes=(seed)
for k in $(seq "$peers"); do nodes+=("peer-$k"); done
port_of() { if [ "$1" = seed ]; then echo $((base + 103)); else echo $((base + 103 + 10 * ${1#peer-})); fi; }
declare -A before
for node in "${nodes[@]}"; do
  port=$(port_of "$node")
  before[$node]="$(traffic "$port" BACK_TO_SOURCE) $(traffic "$port" REMOTE_PEER) $(traffic "$port" LOCAL_PEER) $(seconds "$port")"
done

declare -A running
for k in $(seq "$peers"); do
  "$binaries/dfget" "$url" -O "$(output "$k")" --overwrite --no-progress -e "$dir/peer-$k/dfdaemon.sock" \
    >"$dir/peer-$k/dfget.log" 2>&1 &
  running[$k]=$!
done
failed=
for k in $(seq "$peers"); do
  wait "${running[$k]}" || { echo "quickstart: the download on peer-$k failed:" >&2; cat "$dir/peer-$k/dfget.log" >&2; failed=1; }
done

for node in "${nodes[@]}"; do
  port=$(port_of "$node")
  read -r origin0 peers0 local0 seconds0 <<<"${before[$node]}"
  printf 'node %s metrics http://%s:%s/metrics origin %s peers %s local %s seconds %s\n' "$node" "$host" "$port" \
    $(($(traffic "$port" BACK_TO_SOURCE) - origin0)) $(($(traffic "$port" REMOTE_PEER) - peers0)) \
    $(($(traffic "$port" LOCAL_PEER) - local0)) \
    "$(awk -v a="$(seconds "$port")" -v b="$seconds0" 'BEGIN { printf "%.3f", (a - b) / 1000 }')"
done
[ -z "$failed" ] || exit 1
echo "manager http://$host:$((base + 4)) user root, password in $dir/manager/root-password"
echo "stop it with: $0 --dir $dir --down"

sum=
for k in $(seq "$peers"); do
  this=$(sha256sum <"$(output "$k")" | cut -d' ' -f1)
  [ -z "$sum" ] || [ "$sum" = "$this" ] || die "peer-$k has other bytes than peer-1: $this instead of $sum"
  sum=$this
done
echo "sha256 $sum $file"
