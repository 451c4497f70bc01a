#!/bin/bash
# Modules that are loaded and unloaded, and namespaces that are made and destroyed, again and again under traffic. Nothing of
# them stays: slab counts are what they were at the start, and kmemleak is asked at the end of every run. SCALE=soak: many more.
# suite: cycles
# kernel: debug
# seconds: 28800
. "${0%/*}/../lib/all.sh"

case $SCALE in
soak) module_cycles=1000 namespace_cycles=1000 ;;
*) module_cycles=50 namespace_cycles=200 ;;
esac
ATONCE='1 2 3 4'

setup() {
    topology
    nginx_on s1
    echo_udp s1 5000
    echo_udp client 5000
    lvs_in
    both services
    adm -Sn >"$TMP/rules"
    adm -C; rmmod lvs
    # shellcheck disable=SC2046  # one word per address
    background client knock python3 -IS "$LIB/knock.py" 10.1.0.100 fd00:1::100 $(printf '10.8.%s.100 ' $ATONCE) $(printf 'fd00:8%s::100 ' $ATONCE)
}

# services: each way of forwarding, and each scheduler's own data.
services() {
    service -t 80 "$s1:80"
    service -u 5000 "$s1:5000"
    adm -A -u "$vip:5001" -s sh -p 100; adm -a -u "$vip:5001" -r "$s1:5001" -m
    adm -A -u "$vip:5002" -s mh; adm -a -u "$vip:5002" -r "$s1:5002" -g
    adm -A -u "$vip:5003" -s wrr; adm -a -u "$vip:5003" -r "$s1:5003" -i
}

# has_conns NS COUNT: there are so many connections.
has_conns() { [ "$(in_ns "$1" grep -c '^[TU]' /proc/net/ip_vs_conn)" -ge "$2" ]; }

# in_use CACHE...: objects in those slab caches, once the ones that were freed are really gone (KASAN keeps them for a while).
in_use() {
    local cache
    for cache; do echo 1 >"/sys/kernel/slab/$cache/shrink"; done
    awk -v caches="$*" 'BEGIN { n = split(caches, names, " "); for (i = 1; i <= n; i++) wanted[names[i]] }
        $1 in wanted { sum += $2 } END { print sum + 0 }' /proc/slabinfo
}
# Of some 12,000, with nothing of ours in between, a few hundred come and go.
general_room=1000
general() { awk '/^kmalloc/ {print $1}' /proc/slabinfo; }

# no_more_than BEFORE ROOM CYCLES COMMAND...: what each cycle had left behind would show, beyond the ROOM that others, who use
# the same caches, need at times.
no_more_than() {
    local before=$1 room=$2 cycles=$3; shift 3
    wait_within 120 is -lt $((before + room + cycles / 2)) "$@"
    note "$*: $before before, $("$@") after $cycles cycles"
}

# quietly COMMAND...: without the traffic, which has memory of its own.
quietly() {
    local rc=0
    kill -STOP "$(pid_of knock)"
    ("$@") || rc=$?
    kill -CONT "$(pid_of knock)"
    return $rc
}

# shellcheck disable=SC2046  # one word per cache
general_in_use() { in_use $(general); }
namespaces_in_use() { in_use net_namespace; }

module_cycle() {
    modprobe lvs; modprobe toa
    adm -R <"$TMP/rules"
    # A few in each: to TCP and by each method.
    wait_for has_conns director 12
    adm -C
    rmmod lvs; rmmod toa
}

test_modules() {
    local i before
    # What is made once by whoever is first.
    module_cycle; module_cycle
    before=$(quietly general_in_use)
    for ((i = 0; i < module_cycles; i++)); do module_cycle; done
    quietly no_more_than "$before" $general_room "$module_cycles" general_in_use
    same "" "$(grep -o '^\(lvs\|toa\)_[a-z0-9_]*' /proc/slabinfo || true)" "slab caches"
}

# namespaces_cycle: as many at once as there are ATONCE, as the end of one takes longer than all the rest of it.
namespaces_cycle() {
    local n
    for n in $ATONCE; do
        ip netns add "cycle$n"
        batch "cycle$n" <<IP
link set lo up
link add near type veth peer name far$n netns client
addr add 10.8.$n.1/24 dev near
addr add fd00:8$n::1/64 dev near nodad
addr add 10.8.$n.100/32 dev lo
addr add 10.8.$n.9/32 dev lo
addr add fd00:8$n::100/128 dev lo nodad
addr add fd00:8$n::9/128 dev lo nodad
link set near up
IP
        batch client <<IP
addr add 10.8.$n.2/24 dev far$n
addr add fd00:8$n::2/64 dev far$n nodad
link set far$n up
route add 10.8.$n.100 via 10.8.$n.1
route add 10.8.$n.9 via 10.8.$n.1
route add fd00:8$n::100 via fd00:8$n::1
route add fd00:8$n::9 via fd00:8$n::1
IP
        in_ns "cycle$n" ipvsadm-rs -R <<RULES
-A -u 10.8.$n.100:5000 -s rr
-P -u 10.8.$n.100:5000 -z 10.8.$n.9
-a -u 10.8.$n.100:5000 -r 10.8.$n.2:5000 --fullnat
-A -t [fd00:8$n::100]:80 -s wlc -p 60
-P -t [fd00:8$n::100]:80 -z fd00:8$n::9
-a -t [fd00:8$n::100]:80 -r [fd00:8$n::2]:80 --fullnat
RULES
    done
    for n in $ATONCE; do wait_for has_conns "cycle$n" 2; done
    # With their services, their connections and the next packet.
    for n in $ATONCE; do ip netns del "cycle$n"; done
    for n in $ATONCE; do wait_for eval "! ip -n client link show dev far$n"; done
}

test_namespaces() {
    local i general_before namespaces_before
    lvs_in; toa_in
    namespaces_cycle; namespaces_cycle
    general_before=$(quietly general_in_use) namespaces_before=$(quietly namespaces_in_use)
    for ((i = 0; i < namespace_cycles; i += 4)); do namespaces_cycle; done
    quietly no_more_than "$namespaces_before" 0 "$namespace_cycles" namespaces_in_use
    quietly no_more_than "$general_before" $general_room "$namespace_cycles" general_in_use
}

test_unloading_leaves_nothing() {
    modules_out
    same "" "$(grep -o '^\(lvs\|toa\)_[a-z0-9_]*' /proc/slabinfo || true)" "slab caches"
}

run_facts
