# shellcheck shell=bash
# Loading and unloading what is tested, and configuring it. `STOCK=1` in a case means that it is about the
# kernel's own ip_vs, which the tests use as their yardstick.
# Sourced, never run.

loaded() { [ -d "/sys/module/$1" ]; }

# debug_kernel: whether it is KERNEL=debug, which does the same in several times the time.
debug_kernel() { [ -e /sys/kernel/debug/kmemleak ]; }

lvs_in() { loaded lvs || modprobe lvs; }
toa_in() { loaded toa || modprobe toa; }
stock_in() { loaded ip_vs || modprobe -i ip_vs; }

# modules_out: both products and stock leave; refusing to is a failure. Services would hold them, in any namespace. One that was
# deleted goes in its own time, and holds them until then.
modules_out() {
    local m ns
    if loaded lvs || loaded ip_vs; then
        for ns in $(ip netns list | awk '{print $1}'); do in_ns "$ns" ipvsadm -C; done
    fi
    for m in toa lvs; do
        ! loaded $m || wait_for rmmod $m
    done
    if loaded ip_vs; then
        # Each scheduler holds ip_vs, and the last user of a module goes first.
        for m in $(lsmod | awk '/^ip_vs_/ {print $1}'); do wait_for rmmod "$m"; done
        wait_for rmmod ip_vs
    fi
}

# fresh: no service, and nothing is left of former ones: neither connections nor templates nor removed servers.
fresh() {
    in_ns director ipvsadm -C
    if loaded lvs; then rmmod lvs; modprobe lvs; fi
}

# adm ARGUMENTS...: our CLI in the director.
adm() { in_ns director ipvsadm-rs "$@"; }

# stock ARGUMENTS...: Debian's ipvsadm in the director.
stock() { in_ns director ipvsadm "$@"; }

# service -t|-u PORT SERVER:PORT...: a FULLNAT service on the family's VIP with round robin and the first local address.
service() {
    local proto=$1 port=$2 server; shift 2
    adm -A "$proto" "$vip:$port" -s rr
    adm -P "$proto" "$vip:$port" -z "$LIP1"
    for server; do adm -a "$proto" "$vip:$port" -r "$server" --fullnat; done
}

# vs_set NAME VALUE / vs_get NAME: a setting under net.ipv4.vs of the director.
vs_set() { in_ns director sysctl -qw "net.ipv4.vs.$1=$2"; }
vs_get() { in_ns director sysctl -n "net.ipv4.vs.$1"; }

# drops NAME: how often the director dropped a packet for that reason.
drops() { adm -L --drops --json | jq -r --arg n "$1" '[(.drops[]?, .events[]?) | select(.name == $n) | .count] | add // 0'; }

# toa_count NAME [NS]: what toa.ko has counted there, by default on the first server.
toa_count() { in_ns "${2:-s1}" ipvsadm-rs toa | awk -v name="$1" '$2 == name {print $1}'; }

# conn_lines: the family's lines of /proc/net/ip_vs_conn.
conn_lines() { in_ns director awk -v ip="$IP" 'NR > 1 && (ip == "v6") == ($2 ~ /:/)' /proc/net/ip_vs_conn; }

# conns: how many connections of the family the director has.
conns() { conn_lines | grep -c . || true; }

# conn_state STATE: how many of them are in that state.
conn_state() { conn_lines | awk -v s="$1" '$8 == s' | grep -c . || true; }

# both COMMAND...: for either family.
both() {
    local before=$IP
    family v4; "$@"
    family v6; "$@"
    family "$before"
}
