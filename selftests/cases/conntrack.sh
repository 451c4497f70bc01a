#!/bin/bash
# A director with a stateful firewall: `ct state invalid drop; policy drop` on INPUT neither breaks FULLNAT nor does
# FULLNAT cost it an entry per connection.
# suite: control
. "${0%/*}/../lib/all.sh"

setup() {
    topology
    modprobe nf_conntrack
    in_ns director nft -f - <<'NFT'
table inet firewall {
    chain input {
        type filter hook input priority 0; policy drop;
        ct state invalid counter drop
        ct state established,related accept
        iif "lo" accept
        icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
        tcp dport 80 accept
        udp dport 5000 accept
    }
    chain forward { type filter hook forward priority 0; policy drop; }
}
NFT
    lvs_in
    # Closed connections stay listed for as long as a fact may take.
    vs_set fullnat_timeout_timewait 120
    nginx_on s1; echo_udp s1 5000
    both services
}

services() {
    service -t 80 "$s1:80"
    service -u 5000 "$s1:5000"
}

test_requests_pass() {
    same "s1 $LIP1" "$(get)"
    has "$(ask_udp client "$VIP" 5000 x)" "^s1 $LIP1 "
}

test_a_connection_closes() {
    # Its last segments are the ones that conntrack would call invalid.
    wait_for is -ge 1 conn_state TIME_WAIT
}

test_nothing_was_invalid() {
    has "$(in_ns director nft list chain inet firewall input)" 'invalid counter packets 0 '
}

test_answers_cost_no_entry() {
    lacks "$(in_ns director conntrack -L -f "ipv${IP#v}" 2>/dev/null)" "$LIP1"
}

test_what_the_firewall_refuses_stays_refused() {
    in_ns director nft insert rule inet firewall input tcp dport 80 drop
    refused . get --max-time 3
    in_ns director nft -a list chain inet firewall input >"$TMP/rules"
    in_ns director nft delete rule inet firewall input handle "$(sed -n 's/.*dport 80 drop # handle //p' "$TMP/rules")"
    same "s1 $LIP1" "$(get)"
}

test_a_big_upload_and_download() {
    head -c 2000000 /dev/urandom >"$TMP/s1/www/big"
    in_ns client curl -sS --max-time 60 -o "$TMP/got" "http://$vip/big"
    cmp "$TMP/got" "$TMP/s1/www/big"
}

run_facts v4 v6
