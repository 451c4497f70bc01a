#!/bin/bash
# Debian's keepalived with FULLNAT through local addresses, in both families, while a client asks without end: servers die
# and come back, the configuration changes and is reloaded, keepalived dies, starts and stops. After each step the kernel
# has the rules that it should have, and requests fail only while a dead server is not known to be dead.
# suite: keepalived
. "${0%/*}/../lib/all.sh"

setup() {
    topology
    modprobe_d in
    modprobe ip_vs
    nginx_on s1; nginx_on s2; nginx_on s1 8080 sorry
    both local_address
    both rules_of >"$TMP/all"
}
teardown() { modprobe_d out; }

local_address() { adm -P -z "$LIP1"; }

rules_of() {
    cat <<RULES
-A -t $vip:80 -s wrr
-a -t $vip:80 -r $s1:80 -m -w 2
-a -t $vip:80 -r $s2:80 -m -w 1
-A -t $vip:81 -s rr
-a -t $vip:81 -r $s1:80 -m -w 1
-a -t $vip:81 -r $s2:80 -m -w 1
RULES
}

# all_but SED-PROGRAM: the rules of the unchanged configuration, changed; in $TMP/wanted.
all_but() { sed -E "$1" "$TMP/all" >"$TMP/wanted"; }

# reloaded SED-PROGRAM: keepalived reads the configuration anew after that change.
reloaded() { sed -i -E "$1" "$TMP/director.conf"; keepalived_reload director; }

# goes_on: from now on three requests in either family are answered by s1 and one by s2, and none fails.
goes_on() {
    local ms; now_ms ms
    wait_for traffic_seen "$ms" 3 s1
    wait_for traffic_seen "$ms" 1 s2
    traffic_never "$ms" failed
}

# nothing_failed_since MS: no request, and the connection that is kept is the same.
nothing_failed_since() {
    traffic_never "$1" failed
    traffic_never "$1" lost
    local now; now_ms now
    wait_for traffic_seen "$now" 1 s2 kept
}

pool_is_there() {
    local pool; pool=$(adm -G -n)
    has "$pool" '10\.9\.0\.1'; has "$pool" 'fd00:9::1'
}

test_start_sets_what_the_file_says_and_nothing_else() {
    stock -A -t 10.1.0.100:999 -s rr
    keepalived_start director "$EXAMPLES/keepalived/fullnat.conf"
    wait_for rules_are "$TMP/all"
    has "$(stock -L --timeout)" '600 60 120'
    same 8 "$(adm -Ln | grep -c FullNat)" 'FULLNAT servers'
}

test_servers_are_asked_by_weight_from_the_local_address() {
    traffic
    goes_on
    wait_for traffic_seen 0 1 s2 kept
    both seen_from_lip s1; both seen_from_lip s2
    both in_turn_on_81
}
seen_from_lip() { has "$(nginx_log "$1")" "^$LIP1:[0-9]+ /"; }
in_turn_on_81() {
    same 's1 s2' "$(for _ in 1 2; do in_ns client curl -sS --max-time 20 "http://$vip:81/"; done | cut -d' ' -f1 | sort | xargs)"
}

test_a_dead_server_leaves_and_comes_back_under_traffic() {
    local dead back ms
    nginx_kill s2
    # Removed from port 80; on 81, with inhibit_on_failure, it stays and has no weight.
    all_but '/-r .*(10.3.0.2|fd00:3::2).* -w/ {/:80 -r/d; s/-w 1/-w 0/}'
    wait_for rules_are "$TMP/wanted"
    now_ms dead
    wait_for traffic_seen "$dead" 10 s1
    traffic_never "$dead" failed
    nginx_on s2
    now_ms back
    wait_for rules_are "$TMP/all"
    now_ms ms
    wait_for traffic_seen "$ms" 2 s2
    traffic_never "$dead" failed
    wait_for traffic_seen "$back" 1 s2 kept
    traffic_never "$back" lost
}

# The other server is set aside meanwhile though it lives: what it had goes on when it is back.
test_without_quorum_the_sorry_server_answers() {
    local ms began; now_ms began
    nginx_kill s1
    all_but '/:80 -r .*(10.3.0.2|fd00:3::2)/d; /:80 -r .*(10.2.0.2|fd00:2::2)/s/:80 -m -w 2/:8080 -m -w 1/; /:81 -r .*(10.2.0.2|fd00:2::2)/s/-w 1/-w 0/'
    wait_for rules_are "$TMP/wanted"
    now_ms ms
    wait_for traffic_seen "$ms" 4 sorry
    traffic_never "$ms" failed
    nginx_on s1
    wait_for rules_are "$TMP/all"
    goes_on
    # One at most in either family was with the sorry server when that was removed.
    at_most 2 "$(traffic_since "$ms" failed | grep -c . || true)" 'requests that failed with the sorry server'
    now_ms ms
    wait_for traffic_seen "$ms" 1 s2 kept
    traffic_never "$began" lost
}

test_weights_change_and_nothing_fails() {
    local ms changed; now_ms ms
    reloaded '/real_server (10.3.0.2|fd00:3::2) 80/,/weight/s/weight 1/weight 7/'
    all_but '/-r .*(10.3.0.2|fd00:3::2)/s/-w 1/-w 7/'
    wait_for rules_are "$TMP/wanted"
    now_ms changed
    wait_for traffic_seen "$changed" 7 s2
    # Back again, and one of weight 0 gets nothing new.
    reloaded '/real_server (10.3.0.2|fd00:3::2) 80/,/weight/s/weight 7/weight 0/'
    all_but '/-r .*(10.3.0.2|fd00:3::2)/s/-w 1/-w 0/'
    wait_for rules_are "$TMP/wanted"
    now_ms changed
    wait_for traffic_seen "$changed" 5 s1
    same '' "$(traffic_since "$changed" ok | awk '$5 == "s2"')" 'new connections to a server of weight 0'
    reloaded '/real_server (10.3.0.2|fd00:3::2) 80/,/weight/s/weight 0/weight 1/'
    wait_for rules_are "$TMP/all"
    nothing_failed_since "$ms"
}

test_a_reload_adds_and_removes_services_and_servers_and_nothing_fails() {
    local ms; now_ms ms
    # A server more on port 80, both services of port 81 away, services on port 82 instead.
    reloaded '/^virtual_server (10.1.0.100|fd00:1::100) 81/s/ 81/ 82/
        /^virtual_server 10.1.0.100 80/,/^}/s/^    real_server 10.3.0.2 80/    real_server 10.2.0.2 8080 {\n        weight 1\n        TCP_CHECK {\n        }\n    }\n&/
        /^virtual_server fd00:1::100 80/,/^}/s/^    real_server fd00:3::2 80/    real_server fd00:2::2 8080 {\n        weight 1\n        TCP_CHECK {\n        }\n    }\n&/
        s/sorry_server (\S+) 8080/sorry_server \1 8081/'
    all_but 's/:81 /:82 /; /:80 -r .*-w 1/ {p; s/10.3.0.2:80/10.2.0.2:8080/; s/fd00:3::2\]:80/fd00:2::2]:8080/}'
    wait_for rules_are "$TMP/wanted"
    pool_is_there
    wait_for traffic_seen "$ms" 2 sorry
    same 10 "$(adm -Ln | grep -c FullNat)" 'FULLNAT servers'
    # Who takes a server away lets it finish first: whoever is with it then is not told.
    reloaded '/^    real_server .* 8080/,/weight/s/weight 1/weight 0/'
    wait_for idle 8080
    cp "$EXAMPLES/keepalived/fullnat.conf" "$TMP/director.conf"; keepalived_reload director
    wait_for rules_are "$TMP/all"
    pool_is_there
    goes_on
    nothing_failed_since "$ms"
}

# idle PORT: servers there get no new connections, and have none. One that begins is inactive.
idle() {
    ! adm -Ln | awk -v port=":$1" '$1 == "->" && $2 ~ port "$" && ($4 != 0 || $5 != 0)' | grep . &&
        ! in_ns director grep -E ":$1 +SYN_RECV " /proc/net/lvs_conn
}

test_it_has_no_complaint() {
    has_not "$(cat "$TMP/keepalived-director.log")" 'IPVS cmd .* error|IPVS: |Netlink.*rror|respawn'
}

test_when_it_is_killed_the_kernel_goes_on() {
    local ms; now_ms ms
    keepalived_kill director
    rules_are "$TMP/all"
    goes_on
    nothing_failed_since "$ms"
    # It gives back the timeouts that it found; with the ones of before it died that would be no news.
    stock --set 900 120 300
}

test_when_it_starts_again_what_was_left_behind_is_flushed() {
    stock -A -t 10.1.0.100:998 -s rr
    keepalived_start director "$EXAMPLES/keepalived/fullnat.conf"
    wait_for rules_are "$TMP/all"
    pool_is_there
    goes_on
}

test_when_it_stops_nothing_is_left_but_the_local_addresses() {
    keepalived_stop director
    same '' "$(rules)"
    pool_is_there
    has "$(stock -L --timeout)" '900 120 300'
    has_not "$(cat "$TMP/keepalived-director.log")" 'IPVS cmd .* error|IPVS: |respawn'
}

run_facts
