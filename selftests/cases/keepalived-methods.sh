#!/bin/bash
# Debian's keepalived with NAT, direct routing and tunnels, in both families: what it tells the kernel, where requests go, a
# server that dies and comes back, and that it leaves nothing behind. The configurations are the documentation's.
# suite: keepalived
. "${0%/*}/../lib/all.sh"

# Nobody loads lvs: keepalived does.
setup() {
    topology
    servers_default_route
    modprobe_d in
    nginx_on s1; nginx_on s2
}
teardown() { modprobe_d out; }

# answers COUNT: who answered how many of so many requests, as `s1 N` and `s2 N` in a line.
answers() { for ((i = 0; i < $1; i++)); do get; done | awk '{n[$1]++} END {printf "s1 %d s2 %d", n["s1"], n["s2"]}'; }
answered() { same "$2" "$(answers "$1")" "answers of $VIP"; }

# goes_through NAME SCHEDULER WEIGHT1 WEIGHT2 OF-FOUR OPTION [MORE]: the whole life of NAME.conf, whose servers are saved with
# OPTION and end in MORE.
goes_through() {
    local name=$1
    both rules_of "$2" "$6" "$3${7:-}" "$4${7:-}" >"$TMP/all"
    grep -vE -- '-r (10.3.0.2|.fd00:3::2.):80' "$TMP/all" >"$TMP/without"
    keepalived_start director "$EXAMPLES/keepalived/$name.conf"
    wait_for rules_are "$TMP/all"
    loaded lvs
    both answered 4 "$5"
    nginx_kill s2
    wait_for rules_are "$TMP/without"
    both answered 4 's1 4 s2 0'
    nginx_on s2
    wait_for rules_are "$TMP/all"
    both answered 4 "$5"
    keepalived_stop director
    same '' "$(rules)" 'rules after the end'
}

rules_of() {
    printf '%s\n' "-A -t $vip:80 -s $1" "-a -t $vip:80 -r $s1:80 $2 -w $3" "-a -t $vip:80 -r $s2:80 $2 -w $4"
}

test_nat() {
    goes_through nat wrr 3 1 's1 3 s2 1' -m
    has "$(nginx_log s1)" '^10\.1\.0\.2:'
    has "$(nginx_log s1)" '^fd00:1::2:'
}

# The servers lose their way back through the director.
test_direct_routing() {
    servers_have_vip
    printf '%s\n' 'route del default' 'route del default via fd00:2::1' | batch s1
    printf '%s\n' 'route del default' 'route del default via fd00:3::1' | batch s2
    goes_through dr rr 1 1 's1 2 s2 2' -g
}

test_tunnels() {
    goes_through tun rr 1 1 's1 2 s2 2' -i ' --tun-type ipip'
}

run_facts
