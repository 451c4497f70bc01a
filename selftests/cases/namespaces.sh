#!/bin/bash
# Each network namespace has services, connections and settings of its own, and may go away at any time.
# suite: control
. "${0%/*}/../lib/all.sh"

setup() {
    topology
    lvs_in
    nginx_on s1
    service -t 80 $S1:80
    head -c 50000000 /dev/zero >"$TMP/s1/www/big"
}

test_others_see_nothing_of_it() {
    same "" "$(in_ns client ipvsadm-rs -Sn)"
    same "" "$(ipvsadm-rs -Sn)"
    get >/dev/null
    same 1 "$(in_ns client cat /proc/net/ip_vs_conn | wc -l)" "lines"
}

test_settings_are_its_own() {
    vs_set fullnat_lport_min 5555
    same 5555 "$(vs_get fullnat_lport_min)"
    same 1024 "$(in_ns client sysctl -n net.ipv4.vs.fullnat_lport_min)" "the client's own"
    vs_set fullnat_lport_min 1024
}

test_the_same_service_in_two_namespaces() {
    in_ns s2 ipvsadm-rs -A -t $VIP:80 -s rr
    adm -D -t $VIP:80
    has "$(in_ns s2 ipvsadm-rs -Ln)" "$VIP:80"
    in_ns s2 ipvsadm-rs -C
    service -t 80 $S1:80 2>/dev/null || { adm -A -t $VIP:80 -s rr; adm -a -t $VIP:80 -r $S1:80 --fullnat; }
    same "s1 $LIP1" "$(get)"
}

test_it_goes_away_under_traffic() {
    background client load sh -c "while :; do curl -s --max-time 5 -o /dev/null http://$VIP/big; done"
    count_packets traffic director s1 ingress 'tcp sport 80'
    wait_for is -ge 50 packets traffic director
    ip netns del director
    # The name goes at once; the namespace when its devices are gone, which the client sees.
    wait_for eval '! ip -n client link show dev eth0'
    kill "$(pid_of load)"
}

test_and_comes_back() {
    topology
    nginx_on s1
    service -t 80 $S1:80
    same "s1 $LIP1" "$(get)"
}

run_facts
