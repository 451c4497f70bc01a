#!/bin/bash
# Datagrams through FULLNAT, with programs: one client's answers come back to it and to nobody else.
# suite: traffic
. "${0%/*}/../lib/all.sh"

setup() {
    topology
    lvs_in
    echo_udp s1 5000; echo_udp s2 5000
    both echoes
}
echoes() { service -u 5000 "$s1:5000" "$s2:5000"; }

test_an_answer_comes_back_from_the_vip() {
    has "$(ask_udp client "$VIP" 5000 hello)" "^s[12] $LIP1 [0-9]+ hello$"
}

test_one_client_port_stays_with_one_server() {
    local out i; out=$(for i in 1 2 3; do ask_udp client "$VIP" 5000 "n" 4444; done | sort -u | wc -l)
    same 1 "$out" "servers and ports seen for one flow"
}

test_other_ports_go_to_the_other_server() {
    local i; same "s1 s2" "$(for i in 1 2 3 4; do ask_udp client "$VIP" 5000 n $((4500 + i)); done | cut -d' ' -f1 | sort -u | xargs)"
}

test_datagrams_larger_than_the_mtu() {
    local out; out=$(ask_udp client "$VIP" 5000 @20000)
    has "$out" "^s[12] $LIP1 [0-9]+ x+$"
    at_least 20000 ${#out} "bytes that came back"
}

test_a_port_where_nobody_listens_is_reported() {
    adm -A -u "$vip:5001" -s rr
    adm -P -u "$vip:5001" -z "$LIP1"
    adm -a -u "$vip:5001" -r "$s1:5001" --fullnat
    same ECONNREFUSED "$(ask_udp client "$VIP" 5001 hello || true)"
    adm -D -u "$vip:5001"
}

test_counters_count_datagrams_and_bytes() {
    adm -Z
    local head=28 one two; [ "$IP" = v4 ] || head=48
    one=$(ask_udp client "$VIP" 5000 one 4600)
    two=$(ask_udp client "$VIP" 5000 two 4600)
    has "$(adm -Ln --stats --exact -u "$vip:5000")" \
        "UDP +$(rx "$vip"):5000 +1 +2 +2 +$((2 * (head + 3))) +$((2 * head + ${#one} + ${#two}))$"
    # So does the local address, of which there is one.
    same "[1,2,2,$((2 * (head + 3))),$((2 * head + ${#one} + ${#two}))]" "$(adm -G -u "$vip:5000" --json |
        jq -c "[.. | objects | select(.address? == \"$LIP1\")][0].stats | [.connections, .in_packets, .out_packets, .in_bytes, .out_bytes]")"
}

test_the_timeout_is_that_of_udp() {
    ask_udp client "$VIP" 5000 x 4700 >/dev/null
    # 4700 = 0x125C
    local left; left=$(conn_lines | awk '$3 == "125C" {print $9}')
    at_most 300 "$left" "seconds left"; at_least 280 "$left" "seconds left"
}

run_facts v4 v6
