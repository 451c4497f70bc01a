#!/bin/bash
# Each forwarding method with programs: a page, megabytes both ways, many datagrams, some in fragments, and a client that learns how much
# room is left beside the headers of a tunnel. `method` says how; the kernel's own ip_vs is asked the same.
# suite: methods
. "${0%/*}/../lib/all.sh"
. "$LIB/direct.sh"
. "$LIB/methods.sh"

MB=1

setup() {
    topology
    direct_servers
    decapsulate s1
    nginx_on s1
    head -c $((MB * 1048576)) /dev/urandom >"$TMP/data"
    sha256sum <"$TMP/data" >"$TMP/sum"
    cp "$TMP/data" "$TMP/s1/www/down"
    echo_at s1 udp 10.1.0.100 5000; echo_at s1 udp fd00:1::100 5000
    echo_at s1 udp 10.2.0.2 5000; echo_at s1 udp fd00:2::2 5000
}

# services METHOD [SERVER]: TCP 80 and UDP 5000 of the VIP by that method.
services() {
    served "$1" "${2:-$s1}"
    case $1 in
    nat) answer_through s1 ;;
    gre) gre_receivers s1 ;;
    gre-csum) gre_receivers s1 csum ;;
    esac
    [ "$1" = nat ] || answer_directly s1
    ip -n client route flush cache; ip -n client -6 route flush cache
}

# all_of_it METHOD: what must work, whatever the method is.
all_of_it() {
    local seen=$CLIENT mtu
    [ "$1" != fullnat ] || seen=$LIP1
    same "s1 $seen" "$(get)" "$1: a page"
    : >"$TMP/s1/www/up"
    in_ns client curl -sS --max-time 60 -o /dev/null -T "$TMP/data" "http://$vip/up"
    same "$(cat "$TMP/sum")" "$(sha256sum <"$TMP/s1/www/up")" "$1: sha256 of $MB MB to the server"
    same "$(cat "$TMP/sum")" "$(in_ns client curl -sS --max-time 60 "http://$vip/down" | sha256sum)" "$1: sha256 of $MB MB to the client"
    # What the client has learnt on the way.
    mtu=$(mtu_of client "$VIP")
    same $((1500 - $(overhead "$1" "${2:-$IP}"))) "${mtu:-1500}" "$1: path MTU of the client"
    has "$(ask_anew client "$VIP" 5000 @4000)" "^s1 $seen [0-9]+ x{4000}$" "$1: a datagram in fragments"
    has "$(in_ns client python3 -IS "$LIB/many.py" "$VIP" 5000 400 "$(fresh_ports 4)")" "^s1 $seen 400 ([0-9a-f]{64}) \1$" "$1: many datagrams"
}

# The yardstick, in the cells that differ most.
test_v4_stock_does_the_same() {
    local method
    director_is stock
    for method in dr gue-remcsum nat; do services $method; all_of_it $method; done
}

test_translated() {
    local method
    director_is lvs
    for method in nat fullnat; do services $method; all_of_it $method; done
}

test_direct_routing() { director_is lvs; services dr; all_of_it dr; }
test_ipip() { director_is lvs; services ipip; all_of_it ipip; }
test_gre() { director_is lvs; local m; for m in gre gre-csum; do services $m; all_of_it $m; done; }
test_gue() { director_is lvs; local m; for m in gue gue-csum gue-remcsum; do services $m; all_of_it $m; done; }

test_a_server_of_the_other_family() {
    director_is lvs
    local m outer=v6 server='[fd00:2::2]'
    if [ "$IP" = v6 ]; then outer=v4 server=10.2.0.2; fi
    for m in ipip gre gre-csum gue gue-csum gue-remcsum; do services $m "$server"; all_of_it $m $outer; done
}

# Big packets that no device cuts: the kernel does, in the director.
test_cut_in_software() {
    director_is lvs
    local m dev
    in_ns director ethtool -K s1 tso off gso off tx-udp_tnl-segmentation off tx-gre-segmentation off \
        tx-ipxip4-segmentation off tx-ipxip6-segmentation off tx-udp_tnl-csum-segmentation off tx-gre-csum-segmentation off tx off
    for m in gre-csum gue-remcsum; do services $m; all_of_it $m; done
    in_ns director ethtool -K s1 tx on gso on tso on
}

# IPv6 keeps a route of its own for a server that packets are not addressed to.
test_v6_a_device_goes_away_though_routes_over_it_were_kept() {
    director_is lvs
    services dr
    same "s1 $CLIENT" "$(get)"
    background director removal ip link del s1
    wait_within 9 gone "$(pid_of removal)"
    in_ns director sh -c '! ip link show s1' >/dev/null 2>&1
}

run_facts v4 v6
