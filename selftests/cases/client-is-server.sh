#!/bin/bash
# What NAT and DR cannot do: a server of the cluster is a client of the VIP, be it answered by another or by itself.
# suite: traffic
. "${0%/*}/../lib/all.sh"

setup() {
    topology
    lvs_in
    both to_the_vip
    nginx_on s1; nginx_on s2
    both web
}
to_the_vip() { ip -n s1 route add "$VIP/$BITS" via "$GATE_S1"; }
web() { service -t 80 "$s1:80" "$s2:80"; }

test_a_server_is_answered_by_the_other_and_by_itself() {
    local out i; out=$(for i in 1 2 3 4; do in_ns s1 curl -sS --max-time 20 "http://$vip/"; done | sort | uniq -c | awk '{print $1, $2, $3}')
    same "2 s1 $LIP1
2 s2 $LIP1" "$out"
}

test_nothing_goes_past_the_director() {
    # Server and client in one subnet: every packet of the answer comes through the director, from the VIP.
    capture own s1 eth0 'tcp port 80'
    in_ns s1 curl -sS --max-time 20 "http://$vip/" >/dev/null
    in_ns s1 curl -sS --max-time 20 "http://$vip/" >/dev/null
    local seen; seen=$(captured own)
    has "$seen" "$VIP\.80 > $S1\.[0-9]+: Flags \[S\.\]"
    has_not "$seen" "$(rx "$S1")\.[0-9]+ > $(rx "$S1")\.80"
}

test_the_director_itself_is_a_client() {
    in_ns director curl -sS --max-time 20 "http://$vip/" | grep -q "$LIP1"
}

run_facts v4 v6
