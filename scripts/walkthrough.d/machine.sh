# An installation of its own for a walkthrough, thrown away afterwards, and what is kept of it. Sourced; $root and $pictures
# are the caller's.

ready_within=120 # seconds
work=
server=

# A data directory that PostgreSQL's own user can reach, and ports that are free.
make_workplace() {
    work=$(mktemp -d)
    chmod 711 "$work"
    mkdir "$work/shots"
    local ports
    mapfile -t ports < <(free_ports 3)
    export HYSIO__PATHS__INSTALL=$root/vendor
    export HYSIO__PATHS__DATA=$work/data
    export HYSIO__HTTP__APP=127.0.0.1:${ports[0]}
    export HYSIO__HTTP__TRANSCRIPTION=127.0.0.1:${ports[1]}
    export HYSIO__HTTP__DIAGNOSECODE=127.0.0.1:${ports[2]}
    export HYSIO__HTTP__PUBLIC_URL=http://localhost:${ports[0]}
}

free_ports() {
    node -e 'const net = require("net");
        for (let n = 0; n < process.argv[1]; n++) {
            const server = net.createServer().listen(0, "127.0.0.1", () => {
                console.log(server.address().port);
                setTimeout(() => server.close(), 50);
            });
        }' "$1"
}

start_hysio() {
    "$root/target/release/hysio" up >"$work/hysio.log" 2>&1 &
    server=$!
    local deadline=$((SECONDS + ready_within))
    until grep -qs 'Hysio is running' "$work/hysio.log"; do
        if ! kill -0 "$server" 2>/dev/null || ((SECONDS > deadline)); then
            cat "$work/hysio.log" >&2
            fail "Hysio did not start: the reason is above"
        fi
        sleep 0.2
    done
}

# Few colours are enough for a page, and make the pictures small.
keep_pictures() {
    local shot
    mkdir -p "$pictures"
    rm -f "$pictures"/*.png "$pictures"/*.svg
    for shot in "$work"/shots/*.png; do
        ffmpeg -hide_banner -loglevel error -nostdin -y -i "$shot" \
            -vf 'split[a][b];[a]palettegen=max_colors=96:reserve_transparent=0[p];[b][p]paletteuse=dither=none' \
            "$pictures/$(basename "$shot")"
    done
    [[ ! -e $work/chart.svg ]] || cp "$work/chart.svg" "$pictures/"
}

# Each command of the doc is run as it is written there, and its output put below it.
# write_outputs DOCUMENT
write_outputs() {
    hysio() { "$root/target/release/hysio" "$@"; }
    export -f hysio
    export root
    (cd "$work" && node "$root/scripts/walkthrough.d/outputs.mjs" "$root/$1" "$work")
}

clean_up() {
    if [[ -n $server ]] && kill -0 "$server" 2>/dev/null; then
        kill -INT "$server"
        wait "$server" || true
    fi
    if [[ -n $work ]]; then
        rm -rf "$work"
    fi
}

say() {
    echo "walkthrough: $*" >&2
}

fail() {
    say "$*"
    exit 1
}

