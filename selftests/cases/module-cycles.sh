#!/bin/bash
# Both modules are loaded and unloaded, again and again under traffic. Nothing of them stays: slab counts are what they were at
# the start, and kmemleak is asked at the end of every run. SCALE=soak: many more.
# suite: module-cycles
# kernel: debug
# seconds: 14400
# takes: 368
. "${0%/*}/../lib/all.sh"

case $SCALE in
soak) cycles=1000 ;;
*) cycles=50 ;;
esac

setup() {
    topology
    nginx_on s1
    echo_udp s1 5000
    lvs_in
    both services
    adm -Sn >"$TMP/rules"
    adm -C; rmmod lvs
    background client knock python3 -IS "$LIB/knock.py" 10.1.0.100 fd00:1::100
}

# services: each way of forwarding, and each scheduler's own data.
services() {
    service -t 80 "$s1:80"
    service -u 5000 "$s1:5000"
    adm -A -u "$vip:5001" -s sh -p 100; adm -a -u "$vip:5001" -r "$s1:5001" -m
    adm -A -u "$vip:5002" -s mh; adm -a -u "$vip:5002" -r "$s1:5002" -g
    adm -A -u "$vip:5003" -s wrr; adm -a -u "$vip:5003" -r "$s1:5003" -i
}

has_conns() { [ "$(in_ns director grep -c '^[TU]' /proc/net/ip_vs_conn)" -ge "$1" ]; }

# was_told NS: toa has taken a client from a segment there.
was_told() { [ "$(toa_count captured "$1")" -gt 0 ]; }

cycle() {
    at_once modprobe
    adm -R <"$TMP/rules"
    # A few in each: to TCP and by each method, and a server that was told of a client.
    wait_for has_conns 12
    wait_for was_told s1
    adm -C
    at_once rmmod
}

# at_once COMMAND: does it to both modules.
at_once() {
    local other
    "$1" toa & other=$!
    "$1" lvs
    wait $other
}

test_nothing_stays() {
    local i before
    # What is made once by whoever is first.
    cycle; cycle
    # Without the traffic, which has memory of its own.
    before=$(without knock slab_objects "$GENERAL")
    for ((i = 0; i < cycles; i++)); do cycle; done
    without knock general_as "$before"
    reached "$cycles times loaded and unloaded"
    no_slabs lvs
}

run_facts
