#!/bin/bash
# Debian's ipvsadm, unmodified: what works does what it does with ip_vs, and every option that does not work yet is
# refused and leaves everything as it was.
# suite: control
. "${0%/*}/../lib/all.sh"

setup() { topology; lvs_in; }

test_add_edit_delete_and_list() {
    stock -A -t $VIP:80 -s rr
    stock -a -t $VIP:80 -r $S1:80 -m -w 5
    has "$(stock -Ln)" "^TCP +$VIP:80 rr"
    has "$(stock -Ln)" "-> $S1:80 +Masq +5 +0 +0"
    stock -E -t $VIP:80 -s wrr
    stock -e -t $VIP:80 -r $S1:80 -m -w 7
    has "$(stock -Ln)" "^TCP +$VIP:80 wrr"
    has "$(stock -Ln -t $VIP:80)" "-> $S1:80 +Masq +7 +0 +0"
    stock -d -t $VIP:80 -r $S1:80
    has_not "$(stock -Ln)" "$S1"
    stock -D -t $VIP:80
    has_not "$(stock -Ln)" "$VIP"
}

test_save_and_restore() {
    stock -A -t $VIP:80 -s wrr; stock -a -t $VIP:80 -r $S1:80 -m -w 3; stock -a -t $VIP:80 -r $S2:8080 -m -w 0
    stock -A -u $VIP:53 -s rr
    stock -Sn | sort >"$TMP/saved"
    stock -C
    same "" "$(stock -Sn)"
    stock -R <"$TMP/saved"
    stock -Sn | sort >"$TMP/again"
    same_file "$TMP/saved" "$TMP/again"
    stock -C
}

test_every_listing() {
    stock -A -t $VIP:80 -s rr; stock -a -t $VIP:80 -r $S1:80 -m
    local option
    for option in '' --stats --rate --thresholds --persistent-conn '--stats --exact' -c --timeout --daemon --sort --nosort; do
        # shellcheck disable=SC2086  # words are meant
        stock -Ln $option >"$TMP/listing" || fail "ipvsadm -Ln $option"
    done
    stock -Z; stock -Z -t $VIP:80
    stock --set 800 100 200
    has "$(stock -L --timeout)" '800 100 200'
    stock --set 900 120 300
    stock -C
}

test_what_is_wrong_is_refused_with_stocks_words() {
    stock -A -t $VIP:80 -s rr
    refused 'already exists' stock -A -t $VIP:80 -s rr
    refused 'No such service' stock -D -t $VIP:81
    refused 'Service not defined' stock -a -t $VIP:81 -r $S1 -m
    stock -a -t $VIP:80 -r $S1:80 -m
    refused 'already exists' stock -a -t $VIP:80 -r $S1:80 -m
    refused 'No such destination' stock -d -t $VIP:80 -r $S2:80
    refused 'not found|No such' stock -A -t $VIP:82 -s nosuch
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

test_every_other_option_of_a_service() {
    local s
    for s in lc wlc lblc lblcr dh sh mh sed nq fo ovf twos; do
        try_option "$VIP:1000 -s $s" -A -t $VIP:1000 -s $s; stock -C
    done
    try_option '-p 60' -A -t $VIP:1000 -s rr -p 60; stock -C
    try_option '-p 60 -M 255.255.255.0' -A -t $VIP:1000 -s rr -p 60 -M 255.255.255.0; stock -C
    try_option '--ops|-o' -A -u $VIP:1000 -s rr -o; stock -C
    try_option '--pe sip' -A -u $VIP:1000 -s rr -p 60 --pe sip; stock -C
    try_option '-b sh-port' -A -t $VIP:1000 -s sh -b sh-port; stock -C
    try_option '-f 5' -A -f 5 -s rr; stock -C
    try_option '--sctp-service' -A --sctp-service $VIP:1000 -s rr; stock -C
    try_option 'fd00::1' -A -t '[fd00::1]:1000' -s rr; stock -C
    try_option '-6' -A -f 6 -6 -s rr; stock -C
}

test_every_other_option_of_a_server() {
    stock -A -t $VIP:1000 -s rr
    local n=10 o
    for o in '-g' '-i' '-m -x 100 -y 50' '-i --tun-type gue --tun-port 6080' '-i --tun-type gre --tun-csum' '-i --tun-type gue --tun-port 6080 --tun-remcsum'; do
        n=$((n + 1))
        # shellcheck disable=SC2086  # words are meant
        try_option "10.2.0.$n:1000 ${o%% *}" -a -t $VIP:1000 -r 10.2.0.$n:1000 $o
    done
    stock -C
}

test_the_daemon() {
    local out
    if out=$(stock --start-daemon master --mcast-interface client --syncid 7 2>&1); then
        has "$(stock -L --daemon)" 'master sync daemon .*mcast=client, syncid=7'
        stock --stop-daemon master
    else
        [ -n "$out" ] || fail "refused without a word"
        same "" "$(stock -L --daemon | grep -i master || true)"
    fi
}

run_facts
