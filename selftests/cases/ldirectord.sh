#!/bin/bash
# Debian's ldirectord, with the documentation's configuration: FULLNAT in both families, servers that die and come back, the
# fallback server, and an end that leaves nothing behind.
# suite: keepalived
WAIT_SECONDS=180  # of the library, which is read next: ldirectord forks for each check
. "${0%/*}/../lib/all.sh"

setup() {
    topology
    lvs_in
    # The fallback server has an address of its own.
    printf '%s\n' 'addr add 10.2.0.3/24 dev eth0' 'addr add fd00:2::3/64 dev eth0 nodad' | batch s1
    nginx_on s1; nginx_on s2; nginx_on s1 8080 sorry
    both local_address
    both rules_of >"$TMP/all"
    mkdir -p /etc/ha.d /var/log
    cp "$EXAMPLES/ldirectord.cf" /etc/ha.d/ldirectord.cf
}

local_address() { adm -P -z "$LIP1"; }

rules_of() { printf '%s\n' "-A -t $vip:80 -s wrr" "-a -t $vip:80 -r $s1:80 -m -w 3" "-a -t $vip:80 -r $s2:80 -m -w 1"; }

answers() { for ((i = 0; i < 4; i++)); do get; done | cut -d' ' -f1 | sort | uniq -c | xargs; }
answered() { same "$1" "$(answers)" "answers of $VIP"; }

test_start() {
    in_ns director ldirectord ldirectord.cf start >"$TMP/start.log" 2>&1 </dev/null 3>&-
    wait_for rules_are "$TMP/all"
    same 4 "$(adm -Ln | grep -c FullNat)" 'FULLNAT servers'
    both answered '3 s1 1 s2'
}

test_a_dead_server_is_taken_out_and_comes_back() {
    nginx_kill s2
    sed -E '/-r .*(10.3.0.2|fd00:3::2)/d' "$TMP/all" >"$TMP/wanted"
    wait_for rules_are "$TMP/wanted"
    both answered '4 s1'
    nginx_on s2
    wait_for rules_are "$TMP/all"
    both answered '3 s1 1 s2'
}

test_without_servers_the_fallback_answers() {
    nginx_kill s1; nginx_kill s2
    sed -E '/-r .*(10.3.0.2|fd00:3::2)/d; s/2:80 -m -w 3/3:8080 -m -w 1/; s/2\]:80 -m -w 3/3]:8080 -m -w 1/' "$TMP/all" >"$TMP/wanted"
    wait_for rules_are "$TMP/wanted"
    both answered '4 sorry'
    nginx_on s1; nginx_on s2
    wait_for rules_are "$TMP/all"
    both answered '3 s1 1 s2'
}

test_stop() {
    local pid; pid=$(cat /var/run/ldirectord.*.pid)
    in_ns director ldirectord ldirectord.cf stop
    wait_for gone "$pid"
    same '' "$(rules)"
    has "$(adm -G -n)" '10\.9\.0\.1'
}

run_facts
