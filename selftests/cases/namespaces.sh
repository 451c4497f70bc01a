#!/bin/bash
# Each network namespace has services, connections and settings of its own, and may go away at any time.
# suite: control
. "${0%/*}/../lib/all.sh"

setup() {
    topology
    lvs_in
    nginx_on s1
    both web
    head -c 50000000 /dev/zero >"$TMP/s1/www/big"
}

web() { service -t 80 "$s1:80"; }

test_others_see_nothing_of_it() {
    same "" "$(in_ns client ipvsadm-rs -Sn)"
    same "" "$(ipvsadm-rs -Sn)"
    get >/dev/null
    same 1 "$(in_ns client cat /proc/net/ip_vs_conn | wc -l)" "lines"
}

test_once_an_address_that_leaves_is_forgotten_without_any_service() {
    in_ns client ipvsadm-rs -P -z 10.1.0.2
    has "$(in_ns client ipvsadm-rs -G)" '10\.1\.0\.2'
    in_ns client ipvsadm-rs -Q -z 10.1.0.2
    lacks "$(in_ns client ipvsadm-rs -G)" 10.1.0.2
}

test_once_settings_are_its_own() {
    vs_set fullnat_lport_min 5555
    same 5555 "$(vs_get fullnat_lport_min)"
    same 1024 "$(in_ns client sysctl -n net.ipv4.vs.fullnat_lport_min)" "the client's own"
    vs_set fullnat_lport_min 1024
}

test_the_same_service_in_two_namespaces() {
    in_ns s2 ipvsadm-rs -A -t "$vip:80" -s rr
    adm -D -t "$vip:80"
    has "$(in_ns s2 ipvsadm-rs -Ln)" "$(rx "$vip"):80"
    in_ns s2 ipvsadm-rs -C
    web 2>/dev/null || { adm -A -t "$vip:80" -s rr; adm -a -t "$vip:80" -r "$s1:80" --fullnat; }
    same "s1 $LIP1" "$(get)"
}

test_it_goes_away_under_traffic() {
    background client load sh -c "while :; do curl -s --max-time 5 -o /dev/null http://$vip/big; done"
    count_packets traffic director s1 ingress "meta protocol $L3 tcp sport 80"
    wait_for is -ge 50 packets traffic director
    ip netns del director
    # The name goes at once; the namespace when its devices are gone, which the client sees.
    wait_for eval '! ip -n client link show dev eth0'
    kill "$(pid_of load)"
}

test_and_comes_back() {
    topology
    nginx_on s1
    both web
    same "s1 $LIP1" "$(get)"
}

run_facts v4 v6
