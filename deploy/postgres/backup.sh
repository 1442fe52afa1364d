#!/bin/sh
# Backs the primary up with pgBackRest. Run it on each database server as the user who runs PostgreSQL: a replica does nothing.
#
#   backup.sh [CONFIG [INCLUDE_PATH]]...
#
# With pairs of a configuration and a folder of further ones, each of them is a server of this machine; without, pgBackRest's own
# places hold. The last line tells Hysio what there is: {"path": "...", "bytes": ...}.
set -eu

stanza=hysio
failed=

pgbackrest_with() {
    config=$1 include=$2
    shift 2
    if [ -n "$config" ]; then
        pgbackrest --config="$config" --config-include-path="$include" --stanza="$stanza" "$@"
    else
        pgbackrest --stanza="$stanza" "$@"
    fi
}

# The data directory of a server, by its configuration.
data_of() {
    cat "${1:-/etc/pgbackrest/pgbackrest.conf}" "${2:-/etc/pgbackrest/conf.d}"/*.conf 2>/dev/null | sed -n 's/^pg1-path=//p' | tail -n 1
}

# Succeeds when this one was the primary and is backed up.
back_up() {
    data=$(data_of "$1" "$2")
    [ -n "$data" ] || { echo "backup.sh: no pg1-path in ${1:-/etc/pgbackrest}" >&2; return 1; }
    [ ! -e "$data/standby.signal" ] || return 1
    # Nothing is done when it is there.
    pgbackrest_with "$1" "$2" stanza-create >&2 || return 1
    pgbackrest_with "$1" "$2" backup --type="${BACKUP_TYPE:-full}" >&2 || { failed=$data; return 1; }
    pgbackrest_with "$1" "$2" info --output=json | tr '{},' '\n' | awk -F: '
        /^"repository":$/ { getline; if ($1 == "\"delta\"") bytes = $2 }
        /^"label":/ { gsub(/"/, "", $2); label = $2 }
        END { printf "{\"path\": \"pgbackrest: hysio %s\", \"bytes\": %s}\n", label, bytes }'
}

if [ $# -eq 0 ]; then
    back_up "" "" && exit 0
    [ -z "$failed" ] && { echo "backup.sh: this server is not the primary: nothing to do" >&2; exit 0; }
    exit 1
fi
while [ $# -ge 2 ]; do
    if back_up "$1" "$2"; then
        exit 0
    fi
    shift 2
done
echo "backup.sh: none of these servers is a primary that can be backed up" >&2
exit 1
