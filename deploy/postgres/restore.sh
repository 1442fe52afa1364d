#!/bin/sh
# Restores the database from pgBackRest's repository, as it was at a moment. Run it on one database server, as the user who runs
# PostgreSQL, with all servers stopped: the others become replicas of this one again (setup-replica.sh, on empty directories).
#
#   restore.sh '' ''                [UNTIL]
#   restore.sh CONFIG INCLUDE_PATH  [UNTIL]
#
# UNTIL is a moment with its offset, such as '2026-03-01 11:59:00+00'; without it, all there is in the archive. The present data
# directory is kept beside the new one as DATA.before-TIME; remove it when all is well. Start the server then: it replays the log
# up to that moment, and goes on as a primary in a timeline of its own.
set -eu

[ $# -ge 2 ] || { sed -n '2,11s/^# \{0,1\}//p' "$0" >&2; exit 2; }
config=$1 include=$2 until=${3:-}

with_config() {
    if [ -n "$config" ]; then
        pgbackrest --config="$config" --config-include-path="$include" --stanza=hysio "$@"
    else
        pgbackrest --stanza=hysio "$@"
    fi
}

data=$(cat "${config:-/etc/pgbackrest/pgbackrest.conf}" "${include:-/etc/pgbackrest/conf.d}"/*.conf | sed -n 's/^pg1-path=//p' | tail -n 1)
[ -n "$data" ] || { echo "restore.sh: no pg1-path in ${config:-/etc/pgbackrest}" >&2; exit 1; }
if [ -e "$data/postmaster.pid" ] && kill -0 "$(head -n 1 "$data/postmaster.pid")" 2>/dev/null; then
    echo "restore.sh: a server runs on $data: stop it first" >&2
    exit 1
fi

# Before anything is moved: can what is wanted be had?
with_config info >/dev/null
kept=
if [ -e "$data/PG_VERSION" ]; then
    kept=$data.before-$(date -u +%Y%m%dT%H%M%SZ)
    mv "$data" "$kept"
fi
mkdir -p "$data"
chmod 0700 "$data"
put_back() {
    # The folder above may be another's.
    find "$data" -mindepth 1 -delete
    [ -z "$kept" ] || { rmdir "$data" && mv "$kept" "$data"; }
    echo "restore.sh: nothing was changed: the reason is above" >&2
    exit 1
}
if [ -n "$until" ]; then
    with_config restore --type=time --target="$until" --target-action=promote >&2 || put_back
else
    with_config restore --type=default --target-action=promote >&2 || put_back
fi
echo "restored in $data${kept:+; what was there is in $kept}: start the server on it"
