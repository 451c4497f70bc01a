#!/bin/bash
# A smaller MTU beyond the first hop, on either side: path MTU discovery works through the director, for TCP and UDP.
# suite: bulk
. "${0%/*}/../lib/all.sh"

setup() {
    topology_routed
    lvs_in
    both bulk
    head -c 500000 /dev/urandom >"$TMP/data"
    sha256sum <"$TMP/data" >"$TMP/sum"
}

bulk() { service -t 9000 "$s1:9000"; }

# forget: what the ends have learnt.
forget() { ip -n client "-${IP#v}" route flush cache; ip -n s1 "-${IP#v}" route flush cache; }

up() {
    background s1 receiver sh -c "socat -u tcp${IP#v}-listen:9000,reuseaddr - | sha256sum"
    wait_for listens s1 tcp 9000
    in_ns client timeout 40 socat -u "$TMP/data" "tcp:$vip:9000"
    wait_for gone "$(pid_of receiver)"
    same "$(cat "$TMP/sum")" "$(cat "$TMP/receiver.log")"
}

down() {
    background s1 sender socat -u "$TMP/data" "tcp${IP#v}-listen:9000,reuseaddr"
    wait_for listens s1 tcp 9000
    same "$(cat "$TMP/sum")" "$(in_ns client socat -u "tcp:$vip:9000" - | sha256sum)"
}

test_it_works_at_full_size() {
    # What the facts of the other family have left.
    ip -n back link set s1 mtu 1500; ip -n edge link set client mtu 1500
    forget
    up; down
}

test_a_narrow_link_behind_reaches_the_client() {
    # The server must not tell the narrow MSS by itself: its own device would.
    ip -n back link set s1 mtu 1320
    up
    # Nothing was acknowledged yet, so the option was in it: the client must leave 8 or 20 bytes more.
    local option=8; [ "$IP" = v4 ] || option=20
    same $((1320 - option)) "$(mtu_of client "$VIP")" "the client's path MTU to the VIP"
}

# Less than 1,280 bytes is no MTU in IPv6: a client does not make its packets smaller so that the option fits.
test_v6_the_narrowest_link_behind() {
    forget
    ip -n back link set s1 mtu 1280
    up
    same 1280 "$(mtu_of client "$VIP")" "the client's path MTU to the VIP"
}

# The same where it is the director that finds no room: by its own route, which tells the server nothing.
test_v6_the_narrowest_route_of_the_director() {
    forget
    ip -n back link set s1 mtu 1500
    # One segment in each packet: those of a larger one are made smaller as they are told apart.
    in_ns client ethtool -K eth0 tso off gso off
    ip -n director route add "$S1/$BITS" via fd00:5::2 mtu lock 1290
    up
    same 1280 "$(mtu_of client "$VIP")" "the client's path MTU to the VIP"
    ip -n director route del "$S1/$BITS"
    in_ns client ethtool -K eth0 tso on gso on
}

test_a_narrow_link_before_reaches_the_server() {
    # An IPv6 client would ask for segments of what it has learnt itself.
    forget
    ip -n back link set s1 mtu 1500
    ip -n edge link set client mtu 1280
    down
    same 1280 "$(mtu_of s1 "$LIP1")" "the server's path MTU to the local address"
}

# asked BYTES: asks until an answer comes; what is lost on the way makes its sender learn.
asked() {
    local out i
    for i in 1 2 3 4; do
        out=$(ASK_SECONDS=3 ask_udp client "$VIP" 5000 "@$1" 7000) && break
    done
    has "$out" "^s1 $LIP1 [0-9]+ x{$1}$"
}

# Datagrams in pieces, which no IPv6 router cuts.
test_datagrams_and_a_narrow_link_behind() {
    [ -e "$TMP/started" ] || { both echoes; echo_udp s1 5000; touch "$TMP/started"; }
    ip -n edge link set client mtu 1500
    ip -n back link set s1 mtu 1400; ip -n s1 link set eth0 mtu 1400
    forget
    asked 3000
    [ "$IP" = v4 ] || same 1400 "$(mtu_of client "$VIP")" "the client's path MTU to the VIP"
}

echoes() { service -u 5000 "$s1:5000"; }

test_datagrams_and_a_narrow_link_before() {
    ip -n back link set s1 mtu 1500; ip -n s1 link set eth0 mtu 1500
    ip -n edge link set client mtu 1300; ip -n client link set eth0 mtu 1300
    forget
    asked 3000
    [ "$IP" = v4 ] || same 1300 "$(mtu_of s1 "$LIP1")" "the server's path MTU to the local address"
    ip -n edge link set client mtu 1500; ip -n client link set eth0 mtu 1500
}

run_facts v4 v6
