#!/bin/bash
# Weights: proportions of wrr, weight 0 takes no new connection and keeps the old ones, deletion and what comes of it.
# suite: control
. "${0%/*}/../lib/all.sh"

setup() {
    topology
    lvs_in
    echo_tcp s1 7000; echo_tcp s2 7000
    service -t 7000 $S1:7000 $S2:7000
}

# who COUNT: the servers that answer so many new connections, one after another.
who() { in_ns client python3 -ISc "
import socket
for _ in range($1):
    s = socket.create_connection(('$VIP', 7000), 20)
    print(s.makefile().readline().split()[0])
    s.close()"; }

test_weights_are_kept() {
    adm -E -t $VIP:7000 -s wrr
    adm -e -t $VIP:7000 -r $S1:7000 --fullnat -w 3
    adm -e -t $VIP:7000 -r $S2:7000 --fullnat -w 1
    same "9 s1 3 s2" "$(who 12 | sort | uniq -c | xargs)"
}

test_weight_0_takes_no_new_connection_and_keeps_the_old() {
    # A connection to s1 that lives through the change: it is asked again afterwards.
    mkfifo "$TMP/go"
    in_ns client python3 -ISc "
import socket
while True:
    s = socket.create_connection(('$VIP', 7000), 20)
    f = s.makefile('rw')
    if f.readline().startswith('s1'): break
print('have s1', flush=True)
open('$TMP/go').read()
f.write('still there\n'); f.flush()
print(f.readline(), end='', flush=True)" >"$TMP/old.log" 2>&1 &
    wait_for says 'have s1' "$TMP/old.log"
    adm -e -t $VIP:7000 -r $S1:7000 --fullnat -w 0
    same "6 s2" "$(who 6 | sort | uniq -c | xargs)"
    echo >"$TMP/go"
    wait_for says 'still there' "$TMP/old.log"
}

test_all_at_weight_0_refuse_and_are_counted() {
    local before; before=$(drops no_destination)
    adm -e -t $VIP:7000 -r $S2:7000 --fullnat -w 0
    refused . who 1
    at_least $((before + 1)) "$(drops no_destination)"
    adm -e -t $VIP:7000 -r $S2:7000 --fullnat -w 1
    same s2 "$(who 1)"
}

test_a_deleted_server_gets_nothing_new() {
    adm -d -t $VIP:7000 -r $S2:7000
    adm -e -t $VIP:7000 -r $S1:7000 --fullnat -w 1
    same "3 s1" "$(who 3 | sort | uniq -c | xargs)"
}

run_facts
