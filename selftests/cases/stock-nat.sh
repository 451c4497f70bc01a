#!/bin/bash
# The yardstick: the kernel's own ip_vs with NAT, in the topology of all cases. It shows that the topology, the servers,
# the counters and the captures tell the truth before anything of ours is loaded.
# suite: yardstick
. "${0%/*}/../lib/all.sh"

setup() {
    topology
    servers_default_route
    stock_in
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
}

test_requests_go_to_both_servers() {
    local out; out=$(for _ in 1 2 3 4; do get; done | sort | uniq -c | awk '{print $1, $2, $3}')
    same "2 s1 $CLIENT
2 s2 $CLIENT" "$out"
}

test_udp_comes_back() {
    same "s1 $CLIENT 4321 hello" "$(ask_udp client "$VIP" 5000 hello 4321)"
}

test_counters_and_captures_agree() {
    count_packets "requests$IP" director client ingress 'meta protocol '"$L3"' tcp dport 80 tcp flags & (syn|ack) == syn'
    capture requests director client 'tcp port 80'
    get >/dev/null
    # One, or more if the answer came late.
    at_least 1 "$(packets "requests$IP" director)" "SYNs counted"
    has "$(captured requests)" "$CLIENT\.[0-9]+ > $VIP\.80: Flags \[S\]"
}

test_connections_are_listed() {
    at_least 5 "$(conns)"
    has "$(stock -Ln)" "TCP +$(rx "$vip"):80 rr"
}

run_facts v4 v6
