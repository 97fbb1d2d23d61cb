# shellcheck shell=bash
# Servers that are compared, one at a time, with their zones; for the commands here to read in (`.`).
#
#   ZONESMITH=FILE   the program, instead of a release build of this folder
#   PORT=5390        where servers listen, on 127.0.0.1
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PATH=$PATH:/usr/sbin:/sbin
port=${PORT:-5390}
work=$(mktemp -d)
server= # process id of the one that runs
trap 'stop; rm -rf "$work"' EXIT

options_only() { # refuses arguments: the head of the command says what there is to set
    [[ $# -eq 0 ]] || { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2; exit 2; }
}

need() { command -v "$1" >/dev/null || { echo "$1 is not installed" >&2; exit 1; }; }
thousands() { sed ':a;s/\B[0-9]\{3\}\>/,&/;ta' <<<"$1"; }

prepare() { # PROGRAMS in C, of this folder
    local name
    for name in "$@"; do cc -O2 -o "$work/$name" "$here/$name.c"; done
    if [ -z "${ZONESMITH:-}" ]; then
        (cd "$here/../../.." && cargo build --quiet --locked --release)
        ZONESMITH=${CARGO_TARGET_DIR:-$here/../../../target}/release/zonesmith
    fi
}

version() {
    case $1 in
    zonesmith) "$ZONESMITH" --version ;;
    nsd) nsd -v 2>&1 | sed -n '1s/ version//p' ;;
    knot) knotd --version | sed 's/.*, version/Knot DNS/' ;;
    bind) named -v | sed 's/-.*//' ;;
    limit) echo "the limit" ;;
    esac
}

place() { # the day and the machine
    printf '%s, %s, %s cores, load %s at the end' "$(date +%F)" \
        "$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1)" "$(nproc)" "$(cut -d' ' -f1 /proc/loadavg)"
}

now_ms() { echo $(($(date +%s%N) / 1000000)); }
tree() { local child; echo "$1"; for child in $(pgrep -P "$1"); do tree "$child"; done; }
cpu_ns() { # of all threads of the server and its children
    local process
    for process in $(tree "$server"); do cat /proc/"$process"/task/*/schedstat 2>/dev/null || true; done |
        awk '{ns += $1} END {printf "%.0f", ns}'
}

#------------ Zones and queries ----------------------------------------------------------------------

data() { # zone RECORDS | signed RECORDS | zones COUNT: sets $folder, made once; queries stand beside it
    folder=$work/$1-$2
    [ -e "$folder.queries" ] || python3 "$here/zones.py" "$1" "$2" "$folder"
    if [ "$1" = signed ] && [ ! -e "$folder.key" ]; then
        need ldns-signzone
        (cd "$work" && ldns-keygen -a ECDSAP256SHA256 -k z0.test >"$folder.key" &&
            ldns-signzone -f "$work/out" "$folder/z0.test.zone" "$(cat "$folder.key")" && mv "$work/out" "$folder/z0.test.zone")
    fi
}

#------------ Servers --------------------------------------------------------------------------------

start() { # SERVER: with the zones of $folder; waits until it answers
    state=$work/state
    rm -rf "$state"
    mkdir -p "$state"
    cp -r "$folder" "$state/zones"
    "command_$1"
    taskset -c 0 "${command[@]}" >"$state/log" 2>&1 &
    server=$!
    if [ "$1" = limit ]; then sleep 0.2; else until_serial 1; fi
}

# Waits until the server has nothing more to do: zones to load, memory to tidy up. A minute at most.
settle() {
    local before tries
    for ((tries = 0; tries < 120; tries++)); do
        before=$(cpu_ns)
        sleep 0.5
        if [ $(($(cpu_ns) - before)) -lt 5000000 ]; then break; fi
    done
}

until_serial() { # asks for the last zone's SOA, two minutes at most
    local apex end=$(($(now_ms) + 120000))
    # shellcheck disable=SC2012 # the names are ours
    apex=$(ls "$state/zones" | sort -V | tail -1)
    until [[ $(dig +short +tries=1 +time=1 -p $port @127.0.0.1 "${apex%.zone}" SOA 2>/dev/null) == *". $1 "* ]]; do
        if [ "$(now_ms)" -gt "$end" ]; then tail -3 "$state/log" >&2; exit 1; fi
    done
}

stop() {
    local process
    if [ -n "$server" ]; then
        for process in $(tree "$server" | tac); do kill "$process" 2>/dev/null || true; done
        wait "$server" 2>/dev/null || true
        server=
    fi
}

apexes() { find "$state/zones" -name '*.zone' -printf '%f\n' | sed 's/\.zone$//'; }

command_limit() { command=("$work/limit" $port); }
command_zonesmith() {
    command=("$ZONESMITH" serve "$state/zones" --listen 127.0.0.1:$port --allow-transfer 127.0.0.1)
    if [ "$(id -u)" = 0 ]; then command+=(--user root); fi
}
command_nsd() {
    {
        cat <<C
server:
  server-count: 1
  ip-address: 127.0.0.1@$port
  username: "$(id -un)"
  zonesdir: "$state/zones"
  zonelistfile: "$state/zone.list"
  pidfile: "$state/nsd.pid"
  xfrdfile: "$state/xfrd.state"
  rrl-ratelimit: 0
  minimal-responses: yes
remote-control:
  control-enable: yes
  control-interface: $state/nsd.sock
C
        apexes | sed 's/.*/zone:\n  name: &\n  zonefile: &.zone\n  provide-xfr: 127.0.0.1 NOKEY/'
    } >"$state/nsd.conf"
    command=(nsd -d -c "$state/nsd.conf")
}
command_knot() {
    {
        cat <<C
server:
  rundir: "$state"
  listen: 127.0.0.1@$port
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
database:
  storage: "$state"
acl:
  - id: reader
    address: 127.0.0.1
    action: transfer
template:
  - id: default
    storage: "$state/zones"
    file: "%s.zone"
    journal-content: none
    zonefile-load: whole
    semantic-checks: off
    acl: reader
zone:
C
        apexes | sed 's/.*/  - domain: &/'
    } >"$state/knot.conf"
    command=(knotd -c "$state/knot.conf")
}
command_bind() {
    {
        cat <<C
options {
  directory "$state"; pid-file "$state/named.pid"; session-keyfile "$state/session.key";
  listen-on port $port { 127.0.0.1; }; listen-on-v6 { none; };
  recursion no; notify no; dnssec-validation no; minimal-responses yes; allow-transfer { 127.0.0.1; };
};
controls { };
C
        apexes | sed 's/.*/zone "&" { type primary; file "zones\/&.zone"; };/'
    } >"$state/named.conf"
    command=(named -n 1 -g -c "$state/named.conf")
}
