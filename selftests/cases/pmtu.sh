#!/bin/bash
# A smaller MTU beyond the first hop, on either side: path MTU discovery works through the director, for TCP and UDP.
# suite: bulk
. "${0%/*}/../lib/all.sh"

setup() {
    topology_routed
    lvs_in
    service -t 9000 $S1:9000
    head -c 500000 /dev/urandom >"$TMP/data"
    sha256sum <"$TMP/data" >"$TMP/sum"
}

mtu_of() { in_ns "$1" ip route get "$2" | sed -n 's/.* mtu \([0-9]*\).*/\1/p'; }

up() {
    background s1 receiver sh -c "socat -u tcp-listen:9000,reuseaddr - | sha256sum"
    wait_for listens s1 tcp 9000
    in_ns client socat -u "$TMP/data" "tcp:$VIP:9000"
    wait_for gone "$(pid_of receiver)"
    same "$(cat "$TMP/sum")" "$(cat "$TMP/receiver.log")"
}

down() {
    background s1 sender socat -u "$TMP/data" tcp-listen:9000,reuseaddr
    wait_for listens s1 tcp 9000
    same "$(cat "$TMP/sum")" "$(in_ns client socat -u "tcp:$VIP:9000" - | sha256sum)"
}

test_it_works_at_full_size() { up; down; }

test_a_narrow_link_behind_reaches_the_client() {
    ip -n back link set s1 mtu 1300; ip -n s1 link set eth0 mtu 1300
    # The server must not tell the narrow MSS by itself: its own device would.
    ip -n s1 link set eth0 mtu 1500
    up
    # Nothing was acknowledged yet, so the option was in it: the client must leave 8 bytes more.
    same 1292 "$(mtu_of client $VIP)" "the client's path MTU to the VIP"
}

test_a_narrow_link_before_reaches_the_server() {
    ip -n back link set s1 mtu 1500
    ip -n edge link set client mtu 1280
    down
    same 1280 "$(mtu_of s1 $LIP1)" "the server's path MTU to the local address"
}

run_facts
