#!/bin/bash
# Debian's keepalived on two directors with one VIP (VRRP): it is with the first, moves to the second when the first stops or
# loses its cable, and comes back; requests go on through the local addresses of whoever has it, in both families.
# suite: keepalived
. "${0%/*}/../lib/all.sh"

setup() {
    topology_pair
    lvs_in
    nginx_on s1; nginx_on s2
    both rules_of >"$TMP/all"
    pool director 1; pool director2 2
}

pool() { in_ns "$1" ipvsadm-rs -P -z "10.9.0.$2"; in_ns "$1" ipvsadm-rs -P -z "fd00:9::$2"; }

rules_of() { printf '%s\n' "-A -t $vip:80 -s rr" "-a -t $vip:80 -r $s1:80 -m -w 1" "-a -t $vip:80 -r $s2:80 -m -w 1"; }

# vips NS: which of the two VIPs it has.
vips() { ip -n "$1" -o addr show dev client | grep -oE '(10\.1\.0\.100|fd00:1::100)/' | tr -d / | xargs; }
has_vips() { [ "$(vips "$1")" = '10.1.0.100 fd00:1::100' ]; }
has_none() { [ -z "$(vips "$1")" ]; }

# goes_through NS ADDRESS: NS has the VIP and the other has not; from now on requests succeed, and servers see the local
# address N of that director.
goes_through() {
    local ms seen
    wait_for has_vips "$1"
    if [ "$1" = director ]; then wait_for has_none director2; fi
    now_ms ms
    # What was on its way when the VIP moved may fail, what began when requests succeed again may not.
    wait_for traffic_seen "$ms" 1 s1
    now_ms ms
    seen=$(nginx_log s1 | grep -c . || true)
    wait_for traffic_seen "$ms" 3 s1
    wait_for traffic_seen "$ms" 3 s2
    traffic_never "$ms" failed
    nginx_log s1 | tail -n "+$((seen + 2))" >"$TMP/new"
    has "$(cat "$TMP/new")" "^10\.9\.0\.$2:[0-9]+ /"
    has "$(cat "$TMP/new")" "^fd00:9::$2:[0-9]+ /"
}

test_both_have_the_services_and_the_first_has_the_vip() {
    keepalived_start director "$EXAMPLES/keepalived/vrrp.conf" -i one
    keepalived_start director2 "$EXAMPLES/keepalived/vrrp.conf" -i two
    wait_for rules_are "$TMP/all" director
    wait_for rules_are "$TMP/all" director2
    wait_for has_vips director
    traffic
    goes_through director 1
}

test_it_moves_when_the_first_stops() {
    keepalived_stop director
    goes_through director2 2
    has_none director
    same '' "$(rules director)"
    rules_are "$TMP/all" director2
}

test_it_comes_back() {
    keepalived_start director "$EXAMPLES/keepalived/vrrp.conf" -i one
    goes_through director 1
    rules_are "$TMP/all" director
}

test_it_moves_when_the_cable_is_cut() {
    ip -n switch link set director-n1 down
    goes_through director2 2
}

test_and_comes_back_with_the_cable() {
    ip -n switch link set director-n1 up
    goes_through director 1
}

test_there_were_no_complaints() {
    has_not "$(cat "$TMP"/keepalived-director*.log)" 'IPVS cmd .* error|IPVS: |respawn'
}

test_when_both_stop_nobody_has_anything() {
    local ns
    for ns in director2 director; do
        keepalived_stop $ns
        has_none $ns
        same '' "$(rules $ns)"
    done
}

run_facts
