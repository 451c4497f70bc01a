#!/bin/bash
# Coming and going: services hold the module, `ipvsadm -C; rmmod lvs` works in the middle of transfers, toa at any time.
# suite: control
. "${0%/*}/../lib/all.sh"

setup() {
    topology
    lvs_in
    nginx_on s1
    head -c 100000000 /dev/zero >"$TMP/s1/www/big"
}

# configure: the module anew, as local addresses outlive services.
configure() { modules_out; lvs_in; both services; }
services() {
    service -t 80 "$s1:80"
    service -u 5000 "$s1:5000"
}

# load: transfers that are never done, and a counter that shows that they run.
load() {
    background client load sh -c "while :; do curl -s --max-time 60 -o /dev/null http://$vip/big; done"
    in_ns client nft flush ruleset
    count_packets running client eth0 ingress "meta protocol $L3 tcp sport 80"
    wait_for is -ge 30 packets running client
}

test_once_services_hold_it() {
    configure
    refused 'in use' rmmod lvs
    loaded lvs
}

test_a_connection_does_not_hold_it() {
    configure
    get >/dev/null
    at_least 1 "$(conns)"
    stock -C
    rmmod lvs
    not loaded lvs
}

test_under_transfers() {
    local begun
    configure; load
    stock -C
    # At once: no connection is waited for, which would be a quarter of an hour.
    begun=$SECONDS
    rmmod lvs
    at_most 10 $((SECONDS - begun)) "seconds that it took"
    pkill -P "$(pid_of load)" curl || true
    kill "$(pid_of load)"
}

# What Documentation/examples has for that: who comes meanwhile is served afterwards.
test_while_the_module_is_exchanged_clients_wait_if_they_are_to() {
    configure
    adm -Sn >"$TMP/rules"
    stock -C; rmmod lvs
    refused 'connect to' get
    in_ns director nft -f /share/examples/nftables/hold.nft
    background client late curl -sS --max-time 30 -o /dev/null -w '%{http_code}' "http://$vip/"
    # It has asked.
    wait_for is -ge 1 held
    lvs_in
    adm -R --replace <"$TMP/rules"
    in_ns director nft delete table inet lvs_hold
    wait_for says 200 "$TMP/late.log"
}
# held: clients that wait for an answer to their SYN.
held() { in_ns client ss -Htn state syn-sent | grep -c . || true; }

test_once_again_and_again() {
    local i
    for i in 1 2 3; do configure; both get >/dev/null; stock -C; rmmod lvs; done
}

test_once_toa_under_transfers() {
    configure; toa_in; load
    local i before
    for i in 1 2 3; do
        rmmod toa; toa_in
        before=$(packets running client)
        wait_for is -gt "$before" packets running client
    done
    rmmod toa
    kill "$(pid_of load)"
    stock -C
}

test_a_flush_leaves_connections_without_a_server() {
    configure
    get >/dev/null
    stock -C
    same "" "$(stock -Sn)"
    # Nothing is answered any more, least of all by the old server.
    refused . get --max-time 3
}

run_facts v4 v6
