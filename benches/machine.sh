#!/usr/bin/env bash
# Where and when figures were made: printed above them.
set -euo pipefail

processor=$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1)
memory=$(awk '/^MemTotal/ { printf "%.0f GiB", $2 / 1048576 }' /proc/meminfo)
revision=$(git -C "$(dirname -- "${BASH_SOURCE[0]}")" describe --always --dirty 2>/dev/null || echo unknown)
echo "$(date -u +'%Y-%m-%d %H:%M UTC'), revision $revision, $(nproc) cores (${processor:-unknown}), $memory, Linux $(uname -r)."
