#!/bin/bash
# A link on the way to the server of a tunnel that is narrower than the director's own: a router there tells the director,
# which keeps it and tells its clients. Each tunnel, of either family in either.
# suite: local
. "${0%/*}/../lib/all.sh"
. "$LIB/direct.sh"
. "$LIB/methods.sh"

# lib/topology.sh: back is the router before s1, which answers clients by a link of its own.
setup() {
    topology_routed
    direct_server s1
    decapsulate s1 10.5.0.1
    local ns
    for ns in back director; do in_ns $ns sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0; done
    nginx_on s1
    head -c 300000 /dev/urandom >"$TMP/data"
    sha256sum <"$TMP/data" >"$TMP/sum"
    remember mtu 1448
}

# upload METHOD: megabytes arrive, whatever the links are.
upload() {
    : >"$TMP/s1/www/up"
    in_ns client curl -sS --max-time 60 -o /dev/null -T "$TMP/data" "http://$vip/up"
    same "$(cat "$TMP/sum")" "$(sha256sum <"$TMP/s1/www/up")" "$1: sha256"
}

# learnt OUTER METHOD: the link becomes narrower each time, as what has been learnt of the way stays known.
learnt() {
    local outer=$1 method=$2 server=10.2.0.2 mtu before=0 room
    [ "$outer" = v4 ] || server='[fd00:2::2]'
    [ $method != gre-csum ] || gre_receivers s1 csum
    [ $method != gre ] || gre_receivers s1
    ip -n back link set s1 mtu 1500
    served $method $server
    mtu=$(($(recall mtu) - 4)); remember mtu $mtu
    ip -n back link set s1 mtu $mtu
    ip -n client "-${IP#v}" route flush cache
    [ "$DIRECTOR" != lvs ] || before=$(drops tunnel_mtu_learnt)
    upload "$method in $outer"
    room=$((mtu - $(overhead $method $outer)))
    # IPv4 routers cut what carries IPv6: it has no DF.
    if [ "$IP$outer" = v6v4 ]; then
        at_least $room "$(mtu_of client "$VIP")" "$method in $outer: the client's path MTU"
        return
    fi
    same $room "$(mtu_of client "$VIP")" "$method in $outer: the client's path MTU"
    [ "$DIRECTOR" = stock ] || at_least $((before + 1)) "$(drops tunnel_mtu_learnt)" "$method in $outer: learnt"
}

# Stock's looks at errors of IPv4 about IPv4 only.
test_v4_stock_learns_it() {
    director_is stock
    learnt v4 ipip; learnt v4 gre; learnt v4 gue-csum
}

test_a_tunnel_in_ipv4_learns_it() {
    director_is lvs
    learnt v4 ipip; learnt v4 gre; learnt v4 gue-csum
}

test_a_tunnel_in_ipv6_learns_it() {
    director_is lvs
    learnt v6 ipip; learnt v6 gre; learnt v6 gue-csum
}

# Less than 1,280 bytes is no MTU in IPv6. The director cuts what it has wrapped; stock's drops it.
test_v6_the_narrowest_link() {
    director_is lvs
    local method
    for method in ipip gue-csum; do
        served $method '[fd00:2::2]'
        ip -n back link set s1 mtu 1284
        ip -n client -6 route flush cache
        upload $method
        same 1280 "$(mtu_of client "$VIP")" "$method: the client's path MTU"
    done
}

run_facts v4 v6
