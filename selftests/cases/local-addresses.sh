#!/bin/bash
# Local addresses: pools of a service and of the namespace, use in turn, removal that lets connections finish.
# suite: control
. "${0%/*}/../lib/all.sh"

setup() {
    topology
    lvs_in
    echo_tcp s1 7000; echo_udp s1 5000
    both without_local_address
}

without_local_address() {
    adm -A -t "$vip:7000" -s rr
    has "$(adm -a -t "$vip:7000" -r "$s1:7000" --fullnat 2>&1)" '^Warning: the service has no local address of IP.* add one with -P\.$'
}

# seen_from COUNT [SECONDS]: the addresses that the server sees so many connections come from.
seen_from() { in_ns client python3 -ISc "
import socket
for _ in range($1):
    s = socket.create_connection(('$VIP', 7000), ${2:-20})
    print(s.makefile().readline().split()[1])
    s.close()"; }

test_without_one_connections_are_refused_and_counted_by_name() {
    local before; before=$(drops no_local_address)
    refused . seen_from 1 4
    at_least $((before + 1)) "$(drops no_local_address)"
    has "$(adm -L --drops)" 'no_local_address.*local address'
}

test_the_services_own_are_used_in_turn() {
    adm -P -t "$vip:7000" -z "$LIP1"
    adm -P -t "$vip:7000" -z "$LIP2"
    same "$LIP1 $LIP2" "$(seen_from 6 | sort -u | xargs)"
}

test_the_log_says_once_whose_method_that_changed() {
    same 1 "$(dmesg | grep -c "NAT servers of TCP $(rx "$vip"):7000 are FULLNAT from now on")"
}

test_they_are_listed_with_their_counters() {
    has "$(adm -G -t "$vip:7000" -n)" "$LIP1"
    same "$LIP1 $LIP2" "$(adm -G -t "$vip:7000" --json | grep -oE '(10\.9\.0\.|fd00:9::)[0-9]+' | sort -u | xargs)"
}

test_a_duplicate_and_a_stranger_are_refused_in_words() {
    refused '(already|exists)' adm -P -t "$vip:7000" -z "$LIP1"
    refused '[a-z]{3,} [a-z]+' adm -Q -t "$vip:7000" -z "$LIP4"
    refused '[a-z]{3,} [a-z]+' adm -P -t "${vip}:7999x" -z "$LIP1"
}

test_a_removed_one_lets_connections_finish_and_starts_none() {
    rm -f "$TMP/go"; mkfifo "$TMP/go"
    in_ns client python3 -ISc "
import socket
while True:
    s = socket.create_connection(('$VIP', 7000), 20)
    f = s.makefile('rw')
    if f.readline().split()[1] == '$LIP1': break
print('have one', flush=True)
open('$TMP/go').read()
f.write('still there\n'); f.flush()
print(f.readline(), end='', flush=True)" >"$TMP/old.log" 2>&1 &
    wait_for says 'have one' "$TMP/old.log"
    adm -Q -t "$vip:7000" -z "$LIP1"
    same "$LIP2" "$(seen_from 4 | sort -u)"
    echo >"$TMP/go"
    wait_for says 'still there' "$TMP/old.log"
}

# However long after: it is not forgotten for as long as it has connections.
test_one_of_a_removed_service_comes_back_with_its_connections() {
    adm -A -t "$vip:7001" -s rr
    adm -P -t "$vip:7001" -z "$LIP1"
    same '' "$(adm -a -t "$vip:7001" -r "$s1:7000" --fullnat 2>&1)" "warnings of a service with local addresses"
    background client kept python3 -ISc "
import socket, time
s = socket.create_connection(('$VIP', 7001), 20)
print(s.makefile().readline(), flush=True)
time.sleep(60)"
    wait_for says "$LIP1" "$TMP/kept.log"
    same 1 "$(local_conns 7001)" "connections"
    adm -Q -t "$vip:7001" -z "$LIP1"
    adm -D -t "$vip:7001"
    # Two turns of what tidies up.
    sleep 2.5
    adm -A -t "$vip:7001" -s rr
    adm -P -t "$vip:7001" -z "$LIP1"
    same 1 "$(local_conns 7001)" "connections after the service was removed"
    end_of kept
    adm -Q -t "$vip:7001" -z "$LIP1"
    adm -D -t "$vip:7001"
}
# local_conns PORT: of the local addresses of the service.
local_conns() { adm -G -t "$vip:$1" --json | jq '[.local_addresses[].connections] | add'; }

# Its address of the other family serves nobody here.
test_v6_the_default_pool_has_an_ipv4_address_only() {
    has "$(adm -G)" 10.9.0.3
    adm -A -u "$vip:5000" -s rr
    has "$(adm -a -u "$vip:5000" -r "$s1:5000" --fullnat 2>&1)" 'no local address of IPv6 yet'
    local before; before=$(drops no_local_address)
    ASK_SECONDS=3 refused 'no answer' ask_udp client "$VIP" 5000 x
    at_least $((before + 1)) "$(drops no_local_address)"
    adm -D -u "$vip:5000"
}

test_a_dedicated_one_has_every_port() {
    adm -P -t "$vip:7000" -z "$LIP4" --dedicated
    has "$(adm -G -t "$vip:7000" --json | jq -c '[.. | objects | select(.address?) | [.address, .ports]]')" "\"$LIP4\",64512"
    adm -Q -t "$vip:7000" -z "$LIP4"
}

test_the_default_pool_serves_who_has_none() {
    adm -P -z "$LIP3"
    adm -A -u "$vip:5000" -s rr
    adm -a -u "$vip:5000" -r "$s1:5000" -m
    has "$(ask_udp client "$VIP" 5000 x)" "^s1 $LIP3 "
    has "$(adm -G)" "$LIP3"
}

test_a_nat_destination_of_a_pool_is_fullnat_and_reads_as_masq_to_stock() {
    has "$(adm -Ln -u "$vip:5000")" "$(rx "$s1"):5000 +FullNat"
    has "$(stock -Ln -u "$vip:5000")" "$(rx "$s1"):5000 +Masq"
}

test_a_service_can_opt_out() {
    adm -E -u "$vip:5000" -s rr --masq-only
    has "$(adm -Ln -u "$vip:5000")" "$(rx "$s1"):5000 +Masq"
}

test_own_addresses_outlive_their_service() {
    adm -D -t "$vip:7000"
    adm -A -t "$vip:7000" -s rr
    adm -a -t "$vip:7000" -r "$s1:7000" --fullnat
    same "$LIP2" "$(seen_from 2 | sort -u)"
    adm -D -t "$vip:7000"
}

test_an_address_that_is_not_this_machines_is_taken_with_a_warning() {
    local out nobodys=${LIP4%4}99; out=$(adm -P -z "$nobodys" 2>&1)
    has "$out" "Warning: $nobodys is not an address of this machine"
    same '' "$(adm -Q -z "$nobodys" 2>&1)" "removing says nothing"
    same '' "$(adm -P -z "$LIP4" 2>&1)" "one of this machine's is taken silently"
    adm -Q -z "$LIP4"
}

run_facts v4 v6
