#!/bin/bash
# NAT, as stock-nat has it of the kernel's own ip_vs: servers see the client, and their answers come back through the
# director because it is their default route.
# suite: traffic
. "${0%/*}/../lib/all.sh"

setup() {
    topology
    servers_default_route
    lvs_in
    nginx_on s1; nginx_on s2
    echo_udp s1 5000; echo_udp s2 5000
    both services
}

services() {
    stock -A -t "$vip:80" -s rr
    stock -a -t "$vip:80" -r "$s1:80" -m
    stock -a -t "$vip:80" -r "$s2:80" -m
    stock -A -u "$vip:5000" -s rr
    stock -a -u "$vip:5000" -r "$s1:5000" -m
    stock -A -u "$vip:5001" -s rr
    stock -a -u "$vip:5001" -r "$s1:5001" -m
}

test_requests_go_to_both_servers() {
    local out; out=$(for _ in 1 2 3 4; do get; done | sort | uniq -c | awk '{print $1, $2, $3}')
    same "2 s1 $CLIENT
2 s2 $CLIENT" "$out"
}

test_answers_come_from_the_vip_and_nothing_is_added() {
    capture front director client 'tcp port 80'
    capture back director s1 'tcp port 80'
    get >/dev/null; get >/dev/null
    has "$(captured front)" "$VIP\.80 > $CLIENT\.[0-9]+: Flags \[S\.\]"
    has "$(captured back)" "$CLIENT\.[0-9]+ > $S1\.80: Flags \[S\]"
    has_not "$(captured_hex back "src host $CLIENT")" 'fe(08|14)[0-9a-f]{4}(0a010002|fd000001)' 'the segments to the server'
}

test_udp_comes_back() {
    same "s1 $CLIENT 4321 hello" "$(ask_udp client "$VIP" 5000 hello 4321)"
}

test_datagrams_larger_than_the_mtu() {
    has "$(ask_udp client "$VIP" 5000 @20000 4322)" "^s1 $CLIENT 4322 x{20000}$"
}

test_a_port_where_nobody_listens_is_reported() {
    same ECONNREFUSED "$(ask_udp client "$VIP" 5001 hello || true)"
}

test_a_large_page() {
    head -c 3000000 /dev/urandom >"$TMP/s1/www/big"; cp "$TMP/s1/www/big" "$TMP/s2/www/big"
    in_ns client curl -sS --max-time 60 -o "$TMP/got" "http://$vip/big"
    cmp "$TMP/got" "$TMP/s1/www/big"
}

test_a_narrow_link_before_reaches_the_server() {
    ip -n director link set client mtu 1300
    in_ns client curl -sS --max-time 60 -o "$TMP/got" "http://$vip/big"
    cmp "$TMP/got" "$TMP/s1/www/big"
    ip -n director link set client mtu 1500
}

# Replies go the way of packets from the VIP, for which there may be a rule, or of what the servers send.
test_a_rule_for_the_vip_is_for_replies() {
    ip -n director "-${IP#v}" rule add from "$VIP" lookup 77
    ip -n director "-${IP#v}" route add unreachable default table 77
    refused 'timed out' in_ns client curl -sS --max-time 2 "http://$vip/"
    vs_set snat_reroute 0
    get >/dev/null
    vs_set snat_reroute 1
    refused 'timed out' in_ns client curl -sS --max-time 2 "http://$vip/"
    ip -n director "-${IP#v}" rule del from "$VIP" lookup 77
    get >/dev/null
}

test_it_is_listed_as_masq() {
    has "$(stock -Ln)" "-> $(rx "$s1"):80 +Masq"
    has "$(in_ns director cat /proc/net/lvs_conn)" "^TCP +$(rx "$client"):[0-9]+ .* Masq"
}

run_facts v4 v6
