#!/bin/bash
# A kernel that was started without IPv6: what is of IPv4 works, and what is of IPv6 is refused in words.
# suite: ipv6-off
# boot: ipv6.disable=1
. "${0%/*}/../lib/all.sh"

setup() {
    ns_add client director s1
    local n
    for n in client s1; do ip -n $n link add eth0 type veth peer name $n netns director; done
    printf '%s\n' 'link set lo up' 'addr add 10.1.0.1/24 dev client' 'addr add 10.2.0.1/24 dev s1' 'link set client up' 'link set s1 up' \
        "addr add $VIP dev lo" "addr add $LIP1 dev lo" | batch director
    printf '%s\n' "addr add $CLIENT/24 dev eth0" 'link set eth0 up' 'route add default via 10.1.0.1' | batch client
    printf '%s\n' "addr add $S1/24 dev eth0" 'link set eth0 up' "route add $LIP1 via 10.2.0.1" | batch s1
    lvs_in
    toa_in
}

teardown() { modules_out; }

test_there_is_none() {
    not test -e /proc/sys/net/ipv6
}

test_ipv4_is_served_and_toa_tells_the_client() {
    background s1 s1 python3 -IS -c "
import socket
s = socket.create_server(('$S1', 80))
while True:
    c, peer = s.accept()
    c.sendall(peer[0].encode())
    c.close()"
    service -t 80 "$S1:80"
    wait_for served
    same "$CLIENT" "$(in_ns client bash -c "cat </dev/tcp/$VIP/80")"
}
served() { in_ns client bash -c "cat </dev/tcp/$VIP/80" >/dev/null; }

test_services_of_ipv6_are_refused() {
    refused 'IPv6 is off in this kernel: boot without ipv6.disable=1' adm -A -t '[fd00:1::100]:80' -s rr
    refused 'IPv6 is off in this kernel' adm -A -f 7 -6 -s rr
    refused '.' stock -A -t '[fd00:1::100]:80' -s rr
    has_not "$(adm -Ln)" 'fd00'
}

test_so_are_servers() {
    refused 'IPv6 is off in this kernel' adm -a -t "$VIP:80" -r '[fd00:2::2]:80' -i
    has_not "$(adm -Ln)" 'fd00'
}

run_facts
