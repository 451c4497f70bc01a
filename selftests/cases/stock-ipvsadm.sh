#!/bin/bash
# Debian's ipvsadm, unmodified: what works does what it does with ip_vs, and every option that does not work yet is
# refused and leaves everything as it was.
# suite: control
. "${0%/*}/../lib/all.sh"

setup() { topology; lvs_in; }

test_add_edit_delete_and_list() {
    stock -A -t "$vip:80" -s rr
    stock -a -t "$vip:80" -r "$s1:80" -m -w 5
    has "$(stock -Ln)" "^TCP +$(rx "$vip"):80 rr"
    has "$(stock -Ln)" "-> $(rx "$s1"):80 +Masq +5 +0 +0"
    stock -E -t "$vip:80" -s wrr
    stock -e -t "$vip:80" -r "$s1:80" -m -w 7
    has "$(stock -Ln)" "^TCP +$(rx "$vip"):80 wrr"
    has "$(stock -Ln -t "$vip:80")" "-> $(rx "$s1"):80 +Masq +7 +0 +0"
    stock -d -t "$vip:80" -r "$s1:80"
    lacks "$(stock -Ln)" "$S1"
    stock -D -t "$vip:80"
    lacks "$(stock -Ln)" "$VIP"
}

some_rules() {
    stock -A -t "$vip:80" -s wrr; stock -a -t "$vip:80" -r "$s1:80" -m -w 3; stock -a -t "$vip:80" -r "$s2:8080" -m -w 0
    stock -A -u "$vip:53" -s rr
}

test_once_save_and_restore() {
    both some_rules
    same 8 "$(stock -Sn | wc -l)"
    stock -Sn | sort >"$TMP/saved"
    stock -C
    same "" "$(stock -Sn)"
    stock -R <"$TMP/saved"
    stock -Sn | sort >"$TMP/again"
    same_file "$TMP/saved" "$TMP/again"
    stock -C
}

test_once_every_listing() {
    both some_rules
    local option
    for option in '' --stats --rate --thresholds --persistent-conn '--stats --exact' -c --timeout --daemon --sort --nosort; do
        # shellcheck disable=SC2086  # words are meant
        stock -Ln $option >"$TMP/listing" || fail "ipvsadm -Ln $option"
    done
    stock -Z; stock -Z -t $VIP:80; family v6; stock -Z -t "$vip:80"
    stock --set 800 100 200
    has "$(stock -L --timeout)" '800 100 200'
    stock --set 900 120 300
    stock -C
}

test_what_is_wrong_is_refused_with_stocks_words() {
    stock -A -t "$vip:80" -s rr
    refused 'already exists' stock -A -t "$vip:80" -s rr
    refused 'No such service' stock -D -t "$vip:81"
    refused 'Service not defined' stock -a -t "$vip:81" -r "$s1:80" -m
    stock -a -t "$vip:80" -r "$s1:80" -m
    refused 'already exists' stock -a -t "$vip:80" -r "$s1:80" -m
    refused 'No such destination' stock -d -t "$vip:80" -r "$s2:80"
    refused 'not found|No such' stock -A -t "$vip:82" -s nosuch
    stock -C
}

# try WORDS...: the option either works, and shows in what is saved, or is refused and changes nothing.
# Prints `works` or `refused` and what was said.
try_option() {
    local shows=$1 before out; shift
    before=$(stock -Sn)
    if out=$(stock "$@" 2>&1); then
        has "$(stock -Sn)" "$shows" "saved after: $*"
        note "works: $*"
    else
        same "$before" "$(stock -Sn)" "rules after the refused: $*"
        [ -n "$out" ] || fail "refused without a word: $*"
        note "refused: $*: $out"
    fi
}

# works SHOWS WORDS...: it does.
works() {
    local shows=$1; shift
    stock "$@"
    has "$(stock -Sn)" "$shows" "saved after: $*"
    stock -C
}

test_once_what_needs_nothing_else_works() {
    local s
    for s in lc wlc sed nq fo ovf twos sh mh; do works "$VIP:1000 -s $s" -A -t $VIP:1000 -s $s; done
    works '-s sh -b sh-fallback,sh-port' -A -t $VIP:1000 -s sh -b sh-port,sh-fallback
    works '-s mh -b mh-fallback,mh-port' -A -t $VIP:1000 -s mh -b mh-port,mh-fallback
    works '-A -f 5 -s rr' -A -f 5 -s rr
    works '-A -f 6 -6 -s rr' -A -f 6 -6 -s rr
}

# A mark comes before the address.
test_a_service_for_a_mark() {
    local six=''; [ "$IP" = v4 ] || six=-6
    [ -e "$TMP/started" ] || { echo_tcp s1 7000; echo_tcp s2 7000; touch "$TMP/started"; }
    service -t 7000 "$s1:7000"
    # shellcheck disable=SC2086  # none, if there is none
    { adm -A -f 9 $six -s rr; adm -P -f 9 $six -z "$LIP2"; adm -a -f 9 $six -r "$s2:0" --fullnat; }
    has "$(said)" "^s1 $LIP1 [0-9]+ $S1 7000$"
    in_ns director nft -f - <<'NFT'
table inet marks {
    chain in {
        type filter hook prerouting priority mangle;
        tcp dport 7000 meta mark set 9
    }
}
NFT
    has "$(said)" "^s2 $LIP2 [0-9]+ $S2 7000$"
    in_ns director nft flush ruleset
    has "$(said)" "^s1 $LIP1 "
    stock -C
}

said() { in_ns client python3 -ISc "
import socket
print(socket.create_connection(('$VIP', 7000), 20).makefile().readline(), end='')"; }

test_once_every_other_option_of_a_service() {
    local s
    for s in lblc lblcr dh; do
        try_option "$VIP:1000 -s $s" -A -t $VIP:1000 -s $s; stock -C
    done
    try_option '-p 60' -A -t $VIP:1000 -s rr -p 60; stock -C
    try_option '-p 60 -M 255.255.255.0' -A -t $VIP:1000 -s rr -p 60 -M 255.255.255.0; stock -C
    try_option '--ops|-o' -A -u $VIP:1000 -s rr -o; stock -C
    try_option '--pe sip' -A -u $VIP:1000 -s rr -p 60 --pe sip; stock -C
    try_option '--sctp-service' -A --sctp-service $VIP:1000 -s rr; stock -C
}

test_once_every_other_option_of_a_server() {
    stock -A -t $VIP:1000 -s rr
    local n=10 o
    for o in '-g' '-i' '-m -x 100 -y 50' '-i --tun-type gue --tun-port 6080' '-i --tun-type gre --tun-csum' '-i --tun-type gue --tun-port 6080 --tun-remcsum'; do
        n=$((n + 1))
        # shellcheck disable=SC2086  # words are meant
        try_option "10.2.0.$n:1000 ${o%% *}" -a -t $VIP:1000 -r 10.2.0.$n:1000 $o
    done
    stock -C
}

test_once_the_daemon() {
    local out
    if out=$(stock --start-daemon master --mcast-interface client --syncid 7 2>&1); then
        has "$(stock -L --daemon)" 'master sync daemon .*mcast=client, syncid=7'
        stock --stop-daemon master
    else
        [ -n "$out" ] || fail "refused without a word"
        same "" "$(stock -L --daemon | grep -i master || true)"
    fi
}

run_facts v4 v6
