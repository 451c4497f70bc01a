#!/bin/bash
# ipvsadm-rs against a real kernel: what it lists, saves and restores, and the sentences it says.
# suite: control
. "${0%/*}/../lib/all.sh"

setup() {
    topology
    lvs_in
    # Closed connections stay listed for as long as a fact may take.
    vs_set fullnat_timeout_timewait 120
    nginx_on s1
    both rules
}

rules() {
    service -t 80 "$s1:80" "$s2:80"
    adm -e -t "$vip:80" -r "$s2:80" --fullnat -w 0
    adm -P -z "$LIP3"
    get >/dev/null
}

test_it_lists_in_stocks_columns() {
    local out; out=$(adm -Ln)
    has "$out" '^Prot LocalAddress:Port Scheduler Flags$'
    has "$out" "^TCP  $(rx "$vip"):80 rr"
    has "$out" "^  -> $(rx "$s1"):80 +FullNat 1 +0 +1"
}

test_once_the_same_as_stock_but_for_the_method() {
    local o
    for o in -Ln '-Ln --stats' '-Ln --stats --exact' '-Ln --thresholds' '-Ln --persistent-conn' '-L --timeout'; do
        # shellcheck disable=SC2086  # words are meant
        stock $o | sed 's/Masq   /FullNat/' >"$TMP/stock"
        # shellcheck disable=SC2086  # words are meant
        adm $o >"$TMP/ours"
        same_file "$TMP/stock" "$TMP/ours"
    done
}

test_once_everything_it_lists_is_json_too() {
    local o
    for o in -Ln '-Ln --stats' '-Ln --rate' -Lnc '-Ln --conn-legs' '-L --drops' '-L --timeout' '-L --daemon' -G 'toa'; do
        [ "$o" != toa ] || toa_in
        # shellcheck disable=SC2086  # words are meant
        adm $o --json | jq -e . >/dev/null || fail "not JSON: $o"
    done
    rmmod toa
    same "10.1.0.100 fd00:1::100" "$(adm -Ln --json | jq -r '.services[].address' | sort | xargs)"
    has "$(adm -Lnc --json)" '"fd00:1::2"'
}

test_once_saving_and_restoring_brings_everything_back() {
    both add_dedicated
    adm -Sn >"$TMP/saved"
    both all_saved
    adm -C
    both remove_pools
    adm -R <"$TMP/saved"
    adm -Sn >"$TMP/again"
    same_file "$TMP/saved" "$TMP/again"
    both remove_dedicated
    adm -Sn >"$TMP/saved"
    both served
}

add_dedicated() { adm -P -t "$vip:80" -z "$LIP2" --dedicated; }
remove_dedicated() { adm -Q -t "$vip:80" -z "$LIP2"; }
remove_pools() { adm -Q -t "$vip:80" -z "$LIP1" || true; adm -Q -t "$vip:80" -z "$LIP2"; adm -Q -z "$LIP3"; }
served() { has "$(get)" "^s1 $LIP1"; }

all_saved() {
    local at; at=$(rx "$vip"):80
    has "$(cat "$TMP/saved")" "-P -t $at -z $LIP2 --dedicated"
    has "$(cat "$TMP/saved")" "-P -t $at -z $LIP1"; has "$(cat "$TMP/saved")" "-P -z $LIP3"
    has "$(cat "$TMP/saved")" "-a -t $at -r $(rx "$s1"):80 --fullnat"
}

test_once_it_takes_what_stock_saved() {
    stock -Sn >"$TMP/stock"
    adm -C
    adm -R <"$TMP/stock"
    stock -Sn >"$TMP/again"
    same_file "$TMP/stock" "$TMP/again"
    adm -C; adm -R <"$TMP/saved" || true
}

test_who_tells_client_vip_and_server_of_a_line_in_a_servers_log() {
    local before; before=$(logged s1 "^$LIP1:[0-9]+ /$")
    get >/dev/null
    wait_for is -eq $((before + 1)) logged s1 "^$LIP1:[0-9]+ /$"
    local peer; peer=$(nginx_log s1 | tail -n 1 | cut -d' ' -f1)
    # nginx writes an IPv6 address without brackets.
    local out; out=$(adm who "$lip1:${peer##*:}")
    has "$out" "$(rx "$client"):[0-9]+"; has "$out" "$(rx "$vip"):80"; has "$out" "$(rx "$s1"):80"
    same "$CLIENT $VIP 80 $S1 80" "$(adm who "$lip1:${peer##*:}" --json | jq -r '.connections[0] | "\(.client.address) \(.virtual.address) \(.virtual.port) \(.server.address) \(.server.port)"')"
    refused '[a-z]+ [a-z]+' adm who "$lip1:1"
}

test_errors_are_sentences() {
    local words
    while read -r words; do
        # shellcheck disable=SC2086  # words are meant
        refused '[A-Za-z]+ [a-z]+ .*[a-z]' adm $words
        # shellcheck disable=SC2086
        has_not "$(adm $words 2>&1 || true)" '(^|[^a-z])errno|os error|-?[0-9]+$' "what was said of '$words'"
    done <<WORDS
-A -t $vip:80 -s rr
-A -t $vip:99999 -s rr
-A -t nonsense -s rr
-A -t $VIP:88 -s nosuchscheduler
-D -t $vip:4444
-a -t $vip:80 -r $s1:80 --fullnat
-a -t $vip:80 -r $s1:81 --fullnat -w -3
-a -t $vip:4444 -r $s1:80 --fullnat
-e -t $VIP:80 -r 10.2.0.99:80 --fullnat
-P -t $VIP:80 -z nonsense
-P -t $vip:80 -z $LIP1
-Q -t $vip:80 -z $LIP4
-A -t $VIP:89 -s rr -j enable
--nosuchoption
-L -A
WORDS
}

# What is asked, and what the kernel says to it.
test_once_bad_input_is_refused_in_the_kernels_own_words() {
    local before words sentence
    before=$(adm -Sn)
    while IFS='|' read -r words sentence; do
        # shellcheck disable=SC2086  # words are meant
        refused "^$(rx "$sentence")$" adm $words
    done <<WORDS
-a -t $VIP:80 -r 192.0.2.1:80 -i|There is no route to the tunnel's other end: add one to the server's address first.
-a -t $VIP:80 -r [2001:db8::1]:80 -i|There is no route to the tunnel's other end: add one to the server's address first.
-e -t $VIP:80 -r $S2:80 -i -x 5 -y 6|The lower threshold is above the upper one: lower the first or raise the second.
-a -t $VIP:80 -r $S1:81 -m -x 5 -y 6|The lower threshold is above the upper one: lower the first or raise the second.
-a -t $VIP:80 -r $S1:81 -m -y 6|The lower threshold is above the upper one: lower the first or raise the second.
-a -t $VIP:80 -r [fd00:2::2]:80 --fullnat|The destination's address family differs from its service's: only tunnels, and FULLNAT from IPv6 to IPv4, allow that.
-a -t $VIP:80 -r 224.0.0.5:80 -m|The destination's address is not one that a host can have: give a unicast address that there is a route to.
-P -t $VIP:80 -z fd00:9::1|A service of IPv4 has no use for a local address of IPv6: its servers are of IPv4.
-P -z 224.0.0.5|A local address must be one that servers can answer to: neither unspecified, loopback, link-local, multicast nor broadcast.
-A -t $VIP:88 -s rr -p 60 -M 255.0.255.0|The persistence mask is no mask: its ones must come before its zeros, as in 255.255.255.0.
-A -t $VIP:88 -s rr -p 60 -M 24|The persistence mask is no mask: its ones must come before its zeros, as in 255.255.255.0.
-E -t $VIP:80 -s rr -p 60 -M 0.0.0.255|The persistence mask is no mask: its ones must come before its zeros, as in 255.255.255.0.
-A -t $VIP:88 -s rr -b flag-1|A service has no such flag: persistent, ops and, with sh and mh, fallback and port are those there are.
-A -t $VIP:88 -s sh -b flag-3|A service has no such flag: persistent, ops and, with sh and mh, fallback and port are those there are.
WORDS
    same "$before" "$(adm -Sn)" "rules after what was refused"
}

test_once_a_tunnel_needs_a_route_when_it_begins() {
    ip -n director route add 192.0.2.0/24 via "$S1"
    adm -a -t $VIP:80 -r 192.0.2.1:80 -i
    ip -n director route del 192.0.2.0/24
    # A route that is away for a while does not keep the weight from being changed.
    adm -e -t $VIP:80 -r 192.0.2.1:80 -i -w 0
    adm -e -t $VIP:80 -r 192.0.2.1:80 -m
    refused 'no route' adm -e -t $VIP:80 -r 192.0.2.1:80 -i
    adm -d -t $VIP:80 -r 192.0.2.1:80
}

test_once_without_privilege_reading_our_own_family_works_and_writing_does_not() {
    in_ns director setpriv --reuid=65534 --clear-groups ipvsadm-rs -G >/dev/null
    in_ns director setpriv --reuid=65534 --clear-groups ipvsadm-rs -L --drops >/dev/null
    refused '[a-z]+ [a-z]+' in_ns director setpriv --reuid=65534 --clear-groups ipvsadm-rs -P -z $LIP4
    lacks "$(adm -G)" "$LIP4"
}

test_once_without_the_module_it_loads_it_or_says_what_to_do() {
    stock -C; rmmod lvs
    # Where the module is not installed, nothing can load it.
    local modules; modules=/usr/lib/modules/$(uname -r)
    mv "$modules" "$modules.hidden"
    ( refused 'lvs' adm -Ln ) || { mv "$modules.hidden" "$modules"; exit 1; }
    mv "$modules.hidden" "$modules"
    refused . loaded_quietly
    adm -Ln >/dev/null
    loaded lvs
    # For the facts of the other family.
    adm -R <"$TMP/saved"
    vs_set fullnat_timeout_timewait 120
    both get >/dev/null
}

loaded_quietly() { loaded lvs || { echo "not loaded"; return 1; }; }

run_facts v4 v6
