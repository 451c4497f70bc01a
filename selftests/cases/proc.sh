#!/bin/bash
# /proc/net/ip_vs*, byte for byte as the kernel's own ip_vs prints them: the same rules are given to both.
# suite: control
. "${0%/*}/../lib/all.sh"

setup() { topology; }

rules() {
    stock -A -t $VIP:80 -s rr
    stock -a -t $VIP:80 -r $S1:80 -m -w 1
    stock -a -t $VIP:80 -r $S2:8080 -m -w 65535
    stock -A -u $VIP:53 -s wrr
    stock -a -u $VIP:53 -r $S1:53 -m -w 0
}

# print_all: every file, services sorted by themselves since their order is that of a hash.
print_all() {
    in_ns director cat /proc/net/ip_vs | sed 's/size=[0-9]*/size=N/' |
        awk 'NR <= 3 {print; next} /^(TCP|UDP|FWM)/ {key = $0} {print key "\t" $0}' | sort -s -k1,1 | cut -f2-
    in_ns director cat /proc/net/ip_vs_conn
    in_ns director cat /proc/net/ip_vs_stats
}

test_they_are_the_same() {
    stock_in; rules; print_all >"$TMP/stock"
    modules_out
    lvs_in; rules; print_all >"$TMP/ours"
    same_file "$TMP/stock" "$TMP/ours"
    stock -C
}

test_modes_are_the_same() {
    local ours; ours=$(in_ns director sh -c 'stat -c "%a %n" /proc/net/ip_vs /proc/net/ip_vs_conn /proc/net/ip_vs_stats')
    modules_out; stock_in
    same "$(in_ns director sh -c 'stat -c "%a %n" /proc/net/ip_vs /proc/net/ip_vs_conn /proc/net/ip_vs_stats')" "$ours"
    modules_out; lvs_in
}

test_a_connection_has_stocks_columns() {
    nginx_on s1
    vs_set fullnat_timeout_timewait 120
    service -t 80 $S1:80
    get >/dev/null
    has "$(in_ns director cat /proc/net/ip_vs_conn)" "^TCP 0A010002 [0-9A-F]{4} 0A010064 0050 0A020002 0050 [A-Z_]{4,11} +[0-9]+$"
    same "$(printf 'TCP 0A010002 .... 0A010064 0050 0A020002 0050 ........... .......' | wc -c)" \
        "$(in_ns director tail -n 1 /proc/net/ip_vs_conn | tr -d '\n' | wc -c)" "length of a line"
}

test_statistics_are_hexadecimal_totals() {
    adm -Z
    get >/dev/null
    has "$(in_ns director sed -n 3p /proc/net/ip_vs_stats)" '^ +1 +[0-9A-F]+ +[0-9A-F]+ +[0-9A-F]+ +[0-9A-F]+$'
}

test_fullnat_is_named() {
    has "$(in_ns director cat /proc/net/ip_vs)" '^  -> 0A020002:0050      FullNat 1      0          [0-9]'
}

test_both_legs_are_in_a_file_of_our_own() {
    local line; line=$(in_ns director tail -n 1 /proc/net/lvs_conn)
    has "$line" "$CLIENT.*$VIP.*$LIP1.*$S1"
}

test_a_thousand_connections_are_listed_once_each() {
    service -u 5000 $S1:5000
    in_ns client python3 -ISc "
import socket
for i in range(1000):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(('0.0.0.0', 20000 + i))
    s.sendto(b'x', ('$VIP', 5000))
    s.close()"
    wait_for is -ge 1000 udp_conns
    same "" "$(in_ns director awk '$1 == "UDP" {print $3}' /proc/net/ip_vs_conn | sort | uniq -d)" "ports listed twice"
    same 1000 "$(adm -Lnc | grep -c '^UDP')" "lines of the CLI"
}
udp_conns() { in_ns director grep -c '^UDP' /proc/net/ip_vs_conn; }

run_facts
