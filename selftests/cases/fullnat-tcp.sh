#!/bin/bash
# Real requests through FULLNAT: two servers in two subnets which have no VIP and no route to the client.
# suite: traffic
. "${0%/*}/../lib/all.sh"

setup() {
    topology
    lvs_in
    # Closed connections stay listed for as long as a fact may take.
    vs_set fullnat_timeout_timewait 120
    nginx_on s1; nginx_on s2
    both web
}
web() { service -t 80 "$s1:80" "$s2:80"; }

test_requests_go_to_both_servers_in_turn() {
    local out; out=$(in_ns client curl -sS --max-time 30 -H 'Connection: close' "http://$vip/?$IP-[1-6]" | sort | uniq -c | awk '{print $1, $2, $3}')
    # nginx answers `/?v4-1` as `/`. Six connections: three each, all from the local address.
    has "$out" "^[0-9]+ s1 $LIP1\$"; has "$out" "^[0-9]+ s2 $LIP1\$"
    wait_for is -eq 6 logged 's?' "/\?$IP-[0-9]"
}

test_round_robin_is_even() {
    same "2 s1 2 s2" "$(for _ in 1 2 3 4; do get; done | cut -d' ' -f1 | sort | uniq -c | xargs)"
    same "2 s1 2 s2" "$(for _ in 1 2 3 4; do get; done | cut -d' ' -f1 | sort | uniq -c | xargs)"
}

test_both_legs_have_the_addresses_they_should() {
    capture front director client 'tcp port 80'
    capture back1 director s1 'tcp port 80'
    capture back2 director s2 'tcp port 80'
    get >/dev/null
    local front back
    front=$(captured front) back=$(captured back1; captured back2)
    has "$front" "$CLIENT\.[0-9]+ > $VIP\.80: Flags \[S\]"
    has "$front" "$VIP\.80 > $CLIENT\.[0-9]+: Flags \[S\.\]"
    has "$back" "$LIP1\.[0-9]+ > ($S1|$S2)\.80: Flags \[S\]"
    has "$back" "($S1|$S2)\.80 > $LIP1\.[0-9]+: Flags \[S\.\]"
    lacks "$back" "$CLIENT" "$VIP"
    lacks "$front" "$LIP1" "$S1" "$S2"
}

test_the_option_is_on_the_wire() {
    capture toa director s1 'tcp port 80'
    get >/dev/null; get >/dev/null
    captured toa >/dev/null
    # Kind 254, length 8 or 20, the client's port, its address.
    local option='fe08[0-9a-f]{4}0a010002'
    [ "$IP" = v4 ] || option='fe14[0-9a-f]{4}fd000001000000000000000000000002'
    local packets; packets=$(captured_hex toa "src host $LIP1")
    has "$(head -n 1 <<<"$packets")" "$option" SYN
    has "$(sed -n 2p <<<"$packets")" "$option" "the handshake's ACK"
    has_not "$(tail -n 1 <<<"$packets")" "$option" "the last segment"
}

test_the_connection_is_listed_with_both_legs() {
    get >/dev/null
    has "$(in_ns director cat /proc/net/lvs_conn)" "^TCP +$(rx "$client"):[0-9]+ +$(rx "$vip"):80 +$(rx "$lip1"):[0-9]+ +($(rx "$s1")|$(rx "$s2")):80 "
    has "$(adm -Lnc)" "TCP .*$(rx "$client"):[0-9]+ +$(rx "$vip"):80 +($(rx "$s1")|$(rx "$s2")):80"
}

test_counters_are_exact() {
    # Counted at the hooks, which see what the wire saw: compare with an independent count.
    count_packets "front$IP" director client ingress "$L3 daddr $VIP tcp dport 80"
    adm -Z
    get >/dev/null; get >/dev/null
    wait_for is -ge 12 packets "front$IP" director
    # What is sent again may come between the two readings.
    wait_for counted_alike
    same "1 1" "$(adm -Ln --stats --exact -t "$vip:80" | awk '$1 == "->" && $2 ~ /:80/ {print $3}' | xargs)" "connections of each server"
}

counted_alike() {
    local row; row=$(adm -Ln --stats --exact -t "$vip:80" | awk '$1 == "TCP"')
    same "2 $(packets "front$IP" director)" "$(awk '{print $3, $4}' <<<"$row")" "connections and packets in"
}

test_a_route_that_changes_is_followed() {
    local before; before=$(drops no_route)
    adm -e -t "$vip:80" -r "$s2:80" --fullnat -w 0
    has "$(get)" '^s1 '
    ip -n director route add unreachable "$S1/$BITS"
    refused . get --max-time 2
    at_least $((before + 1)) "$(drops no_route)"
    ip -n director route del unreachable "$S1/$BITS"
    has "$(get)" '^s1 '
    adm -e -t "$vip:80" -r "$s2:80" --fullnat -w 1
}

test_a_large_page_and_a_large_upload() {
    head -c 3000000 /dev/urandom >"$TMP/s1/www/big"; cp "$TMP/s1/www/big" "$TMP/s2/www/big"
    in_ns client curl -sS --max-time 60 -o "$TMP/got" "http://$vip/big"
    cmp "$TMP/got" "$TMP/s1/www/big"
}

test_fifty_connections_at_once() {
    in_ns client curl -sS --max-time 60 --no-keepalive -Z --parallel-max 50 -H 'Connection: close' -o /dev/null "http://$vip/?$IP-p[1-50]"
    wait_for is -eq 50 logged 's?' "/\?$IP-p"
    # No (address, port) was used twice at one server.
    same "" "$(for s in s1 s2; do grep "/?$IP-p" "$TMP/$s/access.log" | cut -d' ' -f1 | sort | uniq -d; done)"
}

run_facts v4 v6
