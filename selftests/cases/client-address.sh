#!/bin/bash
# End to end with toa.ko on the servers: programs see the client's address and port, and their own stay.
# suite: traffic
. "${0%/*}/../lib/all.sh"

setup() {
    topology
    lvs_in; toa_in
    # Closed connections stay listed for as long as a fact may take.
    vs_set fullnat_timeout_timewait 120
    nginx_on s1; nginx_on s2
    echo_tcp s1 7000; echo_tcp s2 7000
    echo_tcp s1 7001 ::
    both services
}

services() {
    service -t 80 "$s1:80" "$s2:80"
    service -t 7000 "$s1:7000" "$s2:7000"
    service -t 7001 "$s1:7001"
}

test_nginx_says_and_logs_the_client() {
    local out i; out=$(for i in 1 2; do get; done | sort)
    same "s1 $CLIENT
s2 $CLIENT" "$out"
    wait_for is -ge 1 logged s1 "^$CLIENT:[0-9]+ /$"
}

test_getpeername_has_the_port_too_and_getsockname_is_unchanged() {
    has "$(hello 7000 15001)" "^s[12] $CLIENT 15001 ($S1|$S2) 7000$"
}

test_a_socket_of_both_families_sees_an_ipv4_address_mapped() {
    local mapped=::ffff:; [ "$IP" = v4 ] || mapped=''
    has "$(hello 7001 15002)" "^s1 $mapped$CLIENT 15002 $mapped$S1 7001$"
}

test_without_the_module_they_see_the_local_address() {
    rmmod toa
    has "$(hello 7000 15003)" "^s[12] $LIP1 [0-9]+ ($S1|$S2) 7000$"
    toa_in
    has "$(hello 7000 15004)" "^s[12] $CLIENT 15004 "
}

test_a_connection_past_the_director_is_itself() {
    ip -n s1 route add "$CLIENT/$BITS" via "$GATE_S1"
    same "s1 $CLIENT" "$(in_ns client curl -sS --max-time 20 "http://$s1/")"
    ip -n s1 route del "$CLIENT/$BITS"
}

test_toa_statistics_counted_them() {
    local before; before=$(toa_count answered)
    # One of two in turn is s1's.
    for _ in 1 2; do in_ns client curl -sS --max-time 20 "http://$vip/" >/dev/null; done
    at_least $((before + 1)) "$(toa_count answered)"
    at_least 1 "$(toa_count captured)"
}

run_facts v4 v6
