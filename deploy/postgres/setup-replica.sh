#!/bin/sh
# Makes a replica of a running primary, or brings a former primary back as one. Run it as the user who will run the server.
#
#   PGPASSFILE=~/.pgpass setup-replica.sh NAME HOSTS PORT DATA_DIRECTORY [CA_FILE]
#
# NAME (db1, db2, db3) is the application_name that synchronous_standby_names lists, and the replication slot's name. Without
# the first the primary would never count this replica and commits would wait for ever; without the second it could remove
# log that the replica still needs. HOSTS are all servers, with commas between them: the replica follows whichever of them is
# the primary, also after a failover. The password of `replicator` comes from PGPASSFILE, never from the command line, and
# nobody is asked for it. Where the settings are not in the data directory, as on Debian, CONFIG_FILE names them
# (/etc/postgresql/15/main/postgresql.conf); a former primary needs them.
set -eu

usage() {
    sed -n '2,13s/^# \{0,1\}//p' "$0" >&2
    exit 2
}

[ $# -ge 4 ] || usage
name=$1 hosts=$2 port=$3 data=$4 ca=${5:-/etc/hysio/tls/ca.pem}
case $name in
    *[!a-z0-9_]* | '') echo "setup-replica.sh: $name is no name of a slot: use a-z, 0-9 and _" >&2; exit 2 ;;
esac
[ -r "${PGPASSFILE:-$HOME/.pgpass}" ] || { echo "setup-replica.sh: no password file: set PGPASSFILE" >&2; exit 2; }
# Debian's folder first: what it links into the PATH is not all of it.
bin=$(dirname "$(ls -d /usr/lib/postgresql/*/bin/pg_basebackup 2>/dev/null | sort -V | tail -n 1 | grep . || command -v pg_basebackup)")
options="host=$hosts port=$port user=replicator application_name=$name target_session_attrs=read-write sslmode=verify-full sslrootcert=$ca connect_timeout=5"

make_slot() {
    "$bin/psql" -Xqw -d "$options dbname=postgres" -c \
        "SELECT pg_create_physical_replication_slot('$name') WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = '$name')" >/dev/null
}

copy() {
    mkdir -p "$data"
    chmod 0700 "$data"
    "$bin/pg_basebackup" -d "$options" -D "$data" -X stream -S "$name" -c fast --no-password
}

# What a former primary wrote and nobody else has is undone. Nothing of it was acknowledged: a commit waits for a replica.
rewind() {
    if [ -e "$data/postmaster.pid" ] && kill -0 "$(head -n 1 "$data/postmaster.pid")" 2>/dev/null; then
        echo "setup-replica.sh: a server still runs on $data: stop it first" >&2
        exit 1
    fi
    # Right after a promotion the new primary's control file still tells of the former time line, and nothing would be rewound.
    "$bin/psql" -Xqw -d "$options dbname=postgres" -c CHECKPOINT
    # A server that was killed recovers once before it is rewound, and needs its settings for that.
    "$bin/pg_rewind" -D "$data" --source-server "$options dbname=postgres" ${CONFIG_FILE:+--config-file="$CONFIG_FILE"}
}

make_slot
if [ -e "$data/PG_VERSION" ]; then
    rewind
else
    copy
fi
cat >"$data/postgresql.auto.conf" <<SETTINGS
# Made by setup-replica.sh.
primary_conninfo = '$options passfile=''${PGPASSFILE:-$HOME/.pgpass}'''
primary_slot_name = '$name'
recovery_target_timeline = 'latest'
SETTINGS
touch "$data/standby.signal"
echo "$name follows the primary among $hosts: start the server on $data"
