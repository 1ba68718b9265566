#!/usr/bin/env bash
# redis-server carried, under redis-benchmark and a background save (fork of a threaded process).
# shellcheck source=tests/carry/carry.sh
. "$(dirname "$0")/carry.sh"
need redis-server
need redis-benchmark
cat >script <<'SH'
set -eu
socket=$PWD/s
redis-server --port 0 --unixsocket "$socket" --daemonize no --save '' --io-threads 2 >log 2>&1 &
server=$!
trap 'kill $server 2>/dev/null || true' EXIT
cli() { LD_PRELOAD= redis-cli -s "$socket" "$@"; }
for _ in $(seq 100); do cli ping >/dev/null 2>&1 && break; sleep 0.1; done
LD_PRELOAD= redis-benchmark -s "$socket" -n 20000 -r 5000 -q -t set,get,lpush,hset,sadd,zadd,mset >bench 2>&1
cli debug sleep 0 >/dev/null || true
cli set a b
cli bgsave >/dev/null
for _ in $(seq 100); do [ "$(cli info persistence | grep -c 'rdb_bgsave_in_progress:0')" = 1 ] && break; sleep 0.1; done
cli info persistence | grep rdb_last_bgsave_status | tr -d '\r'
cli get a
cli flushall
cli shutdown nosave
wait "$server"
trap - EXIT
cat log >&2
SH
same bash "$work/script"
