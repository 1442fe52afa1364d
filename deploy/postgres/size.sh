#!/bin/sh
# Prints the settings that depend on the machine, for conf.d/size.conf:
#
#   size.sh                     for this machine, all of it
#   size.sh MEMORY_MB CORES     for a share of it, when other programs live here too
#
# A connection may sort several times at once; work_mem leaves a quarter of the memory for all of them together, where the
# usual 256 MB for each of 200 would be 50 GB.
set -eu

memory=${1:-$(awk '/^MemTotal:/ { print int($2 / 1024) }' /proc/meminfo)}
cores=${2:-$(nproc)}
connections=${MAX_CONNECTIONS:-200}

# clamp VALUE LEAST MOST
clamp() {
    if [ "$1" -lt "$2" ]; then echo "$2"; elif [ "$1" -gt "$3" ]; then echo "$3"; else echo "$1"; fi
}

for number in "$memory" "$cores" "$connections"; do
    case $number in
        '' | *[!0-9]* | 0) echo "size.sh: $number is no whole number above 0: give MEMORY_MB and CORES" >&2; exit 2 ;;
    esac
done
if [ "$memory" -lt 256 ]; then
    echo "size.sh: $memory MB is too little for PostgreSQL and $connections connections: give it 256 or more" >&2
    exit 2
fi

workers=$(clamp "$cores" 2 32)
gather=$(clamp $((cores / 2)) 1 4)
cat <<SETTINGS
# Made by size.sh for $memory MB, $cores cores and $connections connections.
max_connections = $connections
shared_buffers = $(clamp $((memory / 4)) 64 16384)MB
effective_cache_size = $(clamp $((memory * 3 / 4)) 128 1048576)MB
work_mem = $(clamp $((memory / 4 / connections)) 1 64)MB
maintenance_work_mem = $(clamp $((memory / 16)) 32 2048)MB
wal_buffers = $(clamp $((memory / 128)) 4 64)MB
min_wal_size = $(clamp $((memory / 16)) 80 1024)MB
max_wal_size = $(clamp $((memory / 2)) 512 16384)MB
max_worker_processes = $((workers + 4))
max_parallel_workers = $workers
max_parallel_workers_per_gather = $gather
max_parallel_maintenance_workers = $gather
SETTINGS
