#!/bin/bash
# How long a whole zone takes by AXFR, beside other servers, and how long queries wait meanwhile:
# tests/bench/compare/axfr.sh > table.md
#
# Prints a table for examples/guide/speed.md. Wanted are Debian's nsd, knot, bind9, bind9-dnsutils, python3 and a
# C compiler, and two cores. Each server runs on one core, and who reads on another; the servers take turns.
# It all stays on 127.0.0.1, and ends by itself.
#
#   ZONESMITH=FILE   the program, instead of a release build of this folder
#   SERVERS="…"      which of: zonesmith nsd knot bind
#   RECORDS=1000000  of the zone
#   ROUNDS=5         how often each server has its turn
#   SECONDS_EACH=3   how long queries are asked without transfers, and with them
set -euo pipefail
. "$(dirname "$0")/servers.sh"
servers=${SERVERS:-zonesmith nsd knot bind}
records=${RECORDS:-1000000} rounds=${ROUNDS:-5} seconds=${SECONDS_EACH:-3}
zone=z0.test

main() {
    local program round name
    options_only "$@"
    for program in cc python3 dig taskset; do need $program; done
    prepare axfr latency
    data zone "$records"
    for ((round = 0; round < rounds; round++)); do
        for name in $servers; do turn "$name"; done
    done
    table
}

# Each measurement is a file of $work/SERVER with a line for each turn.
turn() {
    local before to=$work/$1
    mkdir -p "$to"
    start "$1"
    settle
    before=$(cpu_ns)
    transfer >>"$to/transfer"
    echo $((($(cpu_ns) - before) / 1000000)) >>"$to/cpu"
    ask >>"$to/quiet"
    transfers &
    local reader=$!
    ask >>"$to/busy"
    touch "$state/enough"
    wait $reader
    stop
}

transfer() { taskset -c 1 "$work/axfr" "$port" $zone; }
ask() { taskset -c 1 "$work/latency" "$port" "$folder.queries" "$seconds"; }

# One after the other, in the time that who asks leaves.
transfers() {
    until [ -e "$state/enough" ]; do nice -n 19 taskset -c 1 "$work/axfr" "$port" $zone >/dev/null; done
}

table() {
    local name line rule="|---|"
    line="| AXFR of $(thousands "$records") records |"
    for name in $servers; do line+=" $(version "$name") |" rule+="---:|"; done
    printf '%s\n%s\n' "$line" "$rule"
    row "The fastest" best transfer 1 " s"
    row "The middle one" middle transfer 1 " s"
    row "CPU of the server, the middle one" middle cpu 1 " ms"
    row "Messages" middle transfer 2
    row "Octets" middle transfer 3
    row "Records" middle transfer 4
    row "99 of 100 queries are answered within" middle quiet 2 " µs"
    row "… and during transfers" middle busy 2 " µs"
    row "The slowest answer during transfers" middle busy 3 " µs"
    row "Queries without an answer then" middle busy 5
    printf '\n%s; %s turns each, the middle one for queries, too: a thousand a second over UDP, for %s s.\n' "$(place)" "$rounds" "$seconds"
}

row() { # TITLE best|middle MEASUREMENT COLUMN UNIT
    local name line="| $1 |"
    for name in $servers; do line+=" $(thousands "$(cut -d' ' -f"$4" "$work/$name/$3" | "$2")")${5:-} |"; done
    echo "$line"
}
best() { sort -n | head -1; }
middle() { sort -n | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; }

main "$@"
