#!/bin/bash
# A smaller MTU beyond the first hop, between an IPv6 client and an IPv4 server: each end learns it in the terms of its own
# family, whose header is 20 bytes longer or shorter.
# suite: bulk
. "${0%/*}/../lib/all.sh"

V=fd00:1::100

setup() {
    topology_routed
    lvs_in
    service64 -t 9000
    service64 -u 5000
    echo_udp s1 5000
    head -c 500000 /dev/urandom >"$TMP/data"
    sha256sum <"$TMP/data" >"$TMP/sum"
}

service64() {
    adm -A "$1" "[$V]:$2" -s rr
    adm -P "$1" "[$V]:$2" -z $LIP1
    adm -a "$1" "[$V]:$2" -r "$S1:$2" --fullnat
}

# links BEHIND BEFORE [SERVER CLIENT]: the MTU of the link to the server and to the client, beyond the routers, and of the
# ends' own devices. What the ends have learnt is forgotten.
links() {
    ip -n back link set s1 mtu "$1"; ip -n s1 link set eth0 mtu "${3:-1500}"
    ip -n edge link set client mtu "$2"; ip -n client link set eth0 mtu "${4:-1500}"
    ip -n client -6 route flush cache; ip -n s1 -4 route flush cache
}

up() {
    background s1 receiver sh -c "socat -u tcp4-listen:9000,reuseaddr - | sha256sum"
    wait_for listens s1 tcp 9000
    in_ns client timeout 40 socat -u "$TMP/data" "tcp:[$V]:9000"
    wait_for gone "$(pid_of receiver)"
    same "$(cat "$TMP/sum")" "$(cat "$TMP/receiver.log")"
}

down() {
    background s1 sender socat -u "$TMP/data" tcp4-listen:9000,reuseaddr
    wait_for listens s1 tcp 9000
    same "$(cat "$TMP/sum")" "$(in_ns client timeout 40 socat -u "tcp:[$V]:9000" - | sha256sum)"
}

test_it_works_at_full_size() {
    links 1500 1500
    up; down
    same "" "$(mtu_of client $V)$(mtu_of s1 $LIP1)" "what the ends have learnt"
}

test_a_narrow_link_behind_reaches_the_client() {
    links 1320 1500
    up
    # Nothing was acknowledged yet, so the option was in it: 20 bytes less, and 20 more for the longer header.
    same 1320 "$(mtu_of client $V)" "the client's path MTU to the VIP"
}

# Less than 1,280 bytes is no MTU in IPv6: routers may cut what is at most 1,260 in IPv4.
test_a_link_behind_that_is_narrower_than_ipv6_knows() {
    links 1000 1500
    up
    same 1280 "$(mtu_of client $V)" "the client's path MTU to the VIP"
}

# The same where it is the director's own route: what is at most 1,280 bytes may be cut.
test_a_route_of_the_director_that_is_narrower_than_ipv6_knows() {
    links 1500 1500
    ip -n director route add "$S1/32" via 10.5.0.2 mtu lock 1000
    up
    same 1280 "$(mtu_of client $V)" "the client's path MTU to the VIP"
    ip -n director route del "$S1/32"
}

test_a_narrow_link_before_reaches_the_server() {
    links 1500 1280
    down
    same 1260 "$(mtu_of s1 $LIP1)" "the server's path MTU to the local address"
}

# asked BYTES: asks until an answer comes; what is lost on the way makes its sender learn.
asked() {
    local out
    for _ in 1 2 3 4; do
        out=$(ASK_SECONDS=3 ask_udp client $V 5000 "@$1" 7000) && break
    done
    has "$out" "^s1 $LIP1 [0-9]+ x{$1}$"
}

# Datagrams in pieces: routers of IPv4 cut them further; those of IPv6 do not, so the pieces are of a size that passes.
test_datagrams_and_a_narrow_link_behind() {
    links 1400 1500 1400
    asked 3000
    same "" "$(mtu_of client $V)" "the client's path MTU to the VIP"
}

test_datagrams_and_a_narrow_link_before() {
    links 1500 1300 1500 1300
    asked 3000
    same "" "$(mtu_of s1 $LIP1)" "the server's path MTU to the local address"
    # One that fits the server's own link may not be cut, and is too long on the way.
    asked 1400
    same 1280 "$(mtu_of s1 $LIP1)" "the server's path MTU to the local address"
    asked 3000
}

run_facts
