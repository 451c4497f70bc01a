#!/bin/bash
# /proc/net/ip_vs*, byte for byte as the kernel's own ip_vs prints them: the same rules are given to both.
# suite: control
. "${0%/*}/../lib/all.sh"

setup() { topology; }

rules() {
    both rules_of
    stock -A -f 7 -s wlc
    stock -a -f 7 -r "$S1:0" -m -w 2
    stock -A -f 8 -6 -s lc
    stock -a -f 8 -6 -r '[fd00:2::2]:0' -m -w 2
}

rules_of() {
    stock -A -t "$vip:80" -s rr
    stock -a -t "$vip:80" -r "$s1:80" -m -w 1
    stock -a -t "$vip:80" -r "$s2:8080" -m -w 65535
    stock -A -u "$vip:53" -s wrr
    stock -a -u "$vip:53" -r "$s1:53" -m -w 0
}

# print_all: every file, services sorted by themselves since their order is that of a hash.
print_all() {
    in_ns director cat /proc/net/ip_vs >"$TMP/services"
    sed -n '1,3s/size=[0-9]*/size=N/; 1,3p' "$TMP/services"
    tail -n +4 "$TMP/services" | awk '/^[^ ]/ {key = $0} {print key "\t" $0}' | sort -s -t $'\t' -k1,1 | cut -f2-
    in_ns director cat /proc/net/ip_vs_conn
    in_ns director cat /proc/net/ip_vs_stats
    # How full tables are differs: they are of other sizes, and hashes are random.
    in_ns director sed -E 's/-?[0-9]+/N/g' /proc/net/ip_vs_status | uniq
}

test_once_they_are_the_same() {
    stock_in; rules; print_all >"$TMP/stock"
    modules_out
    lvs_in; rules; print_all >"$TMP/ours"
    same_file "$TMP/stock" "$TMP/ours"
    stock -C
}

# What the same datagrams leave, from one port so that they are one connection: all but when it was.
count_datagrams() {
    stock -A -u "$vip:5000" -s rr
    stock -a -u "$vip:5000" -r "$s1:5000" -m
    local n
    for n in one two three; do ask_udp client "$VIP" 5000 $n 4321 >/dev/null; done
    # Stock's totals are what its estimator last saw.
    wait_for summed_up
    in_ns director sed -n 1,4p /proc/net/ip_vs_stats
    in_ns director sed -E '2,$ s/[0-9]{3}( *)$/NNN\1/' /proc/net/ip_vs_conn
    # A packet is counted by the CPU that it comes to, and a second's rate when the second is over.
    in_ns director awk 'NR > 2 && $1 != "~" && NF == 6 {print length($0), $1; next} NF == 5 && $1 ~ /^[0-9A-F]+$/ {$0 = "rates " length($0)} {print}' \
        /proc/net/ip_vs_stats_percpu
    stock -C
}

summed_up() {
    in_ns director python3 -ISc '
rows = [line.split() for line in open("/proc/net/ip_vs_stats_percpu")][2:]
total = next(row[1:] for row in rows if row[:1] == ["~"])
cpus = [row[1:] for row in rows[:rows.index([])] if row[0] != "~"]
sums = ["%X" % sum(int(row[i], 16) for row in cpus) for i in range(5)]
print(sums, total)
raise SystemExit(sums != total)'
}

test_once_counters_are_the_same() {
    servers_default_route
    echo_udp s1 5000
    modules_out; stock_in; count_datagrams >"$TMP/stock"
    modules_out; lvs_in; count_datagrams >"$TMP/ours"
    same_file "$TMP/stock" "$TMP/ours"
    has "$(cat "$TMP/ours")" '^ +1 +3 +3 '
}

test_rates_are_of_the_last_seconds() {
    stock -A -u "$vip:5006" -s rr
    stock -a -u "$vip:5006" -r "$s1:5006" -m
    same "0 0 0" "$(rate stock)"
    local inet=''; [ "$IP" = v4 ] || inet=6
    background client load python3 -ISc "
import socket, time
while True:
    for port in range(30000, 30020):
        s = socket.socket(socket.AF_INET$inet, socket.SOCK_DGRAM)
        s.bind(('$ALL', port)); s.sendto(b'x' * 100, ('$VIP', 5006)); s.close()
    time.sleep(0.1)"
    wait_for some stock; wait_for some adm
    end_of load
    wait_for is = '0 0 0' rate stock; wait_for is = '0 0 0' rate adm
    stock -D -u "$vip:5006"
}
# Connections, packets and bytes a second, as a listing has them.
rate() { "$1" -Ln --rate -u "$vip:5006" | awk '$1 == "UDP" {print $3, $4, $6}'; }
some() { local c p b; read -r c p b < <(rate "$1"); echo "$c $p $b"; [ "$p" -gt 0 ] && [ "$b" -gt $((p * 100)) ]; }

test_once_modes_are_the_same() {
    local ours; ours=$(in_ns director sh -c 'stat -c "%a %n" /proc/net/ip_vs /proc/net/ip_vs_conn /proc/net/ip_vs_stat*')
    modules_out; stock_in
    same "$(in_ns director sh -c 'stat -c "%a %n" /proc/net/ip_vs /proc/net/ip_vs_conn /proc/net/ip_vs_stat*')" "$ours"
    modules_out; lvs_in
}

test_a_connection_has_stocks_columns() {
    [ -e "$TMP/s1" ] || nginx_on s1
    vs_set fullnat_timeout_timewait 120
    service -t 80 "$s1:80"
    get >/dev/null
    local c=0A010002 v=0A010064 d=0A020002
    if [ "$IP" = v6 ]; then
        c=fd00:0001:0000:0000:0000:0000:0000:0002 v=fd00:0001:0000:0000:0000:0000:0000:0100
        d=fd00:0002:0000:0000:0000:0000:0000:0002
    fi
    has "$(conn_lines)" "^TCP $c [0-9A-F]{4} $v 0050 $d 0050 [A-Z_]{4,11} +[0-9]+$"
    same "$(printf 'TCP %s .... %s 0050 %s 0050 ........... .......' $c $v $d | wc -c)" \
        "$(conn_lines | tail -n 1 | tr -d '\n' | wc -c)" "length of a line"
}

test_statistics_are_hexadecimal_totals() {
    adm -Z
    get >/dev/null
    has "$(in_ns director sed -n 3p /proc/net/ip_vs_stats)" '^ +1 +[0-9A-F]+ +[0-9A-F]+ +[0-9A-F]+ +[0-9A-F]+$'
}

test_fullnat_is_named() {
    local d=0A020002
    [ "$IP" = v4 ] || d='\[fd00:0002:0000:0000:0000:0000:0000:0002\]'
    has "$(in_ns director cat /proc/net/ip_vs)" "^  -> $d:0050      FullNat 1      0          [0-9]"
}

test_both_legs_are_in_a_file_of_our_own() {
    has "$(in_ns director cat /proc/net/lvs_conn)" \
        "^TCP +$(rx "$client"):[0-9]+ +$(rx "$vip"):80 +$(rx "$lip1"):[0-9]+ +$(rx "$s1"):80 "
}

test_a_thousand_connections_are_listed_once_each() {
    service -u 5000 "$s1:5000"
    local inet=''; [ "$IP" = v4 ] || inet=6
    in_ns client python3 -ISc "
import socket
for i in range(1000):
    s = socket.socket(socket.AF_INET$inet, socket.SOCK_DGRAM)
    s.bind(('$ALL', 20000 + i))
    s.sendto(b'x', ('$VIP', 5000))
    s.close()"
    wait_for is -ge 1000 udp_conns
    same "" "$(conn_lines | awk '$1 == "UDP" {print $3}' | sort | uniq -d)" "ports listed twice"
    same 1000 "$(adm -Lnc | grep -c "^UDP.*$(rx "$client"):.*$(rx "$vip"):5000 ")" "lines of the CLI"
}

status() { in_ns director cat /proc/net/ip_vs_status; }
buckets() { status | awk -F '[:\t ]+' '/^Conn buckets:/ {print $3}'; }
test_status_says_how_full_the_table_is() {
    local before; before=$(buckets)
    has "$(status)" '^Conns:.[0-9]{4}$'
    has "$(status)" "^Conn buckets:.$before \([0-9]+ bits, lfactor 0\)$"
    has "$(status)" '^Conn buckets empty:.[0-9]+ \([0-9]+%\)$'
    same "$before" "$(status | awk -F '[:\t ]+' '/^Conn buckets (empty|len)/ {n += $4} END {print n}')" 'chains of all lengths'
    # 2 links of each of more than 1000 connections, 16 chains to a link.
    vs_set conn_lfactor -4
    wait_for grown 32768
    has "$(status)" '^Conn buckets:.[0-9]+ \([0-9]+ bits, lfactor -4\)$'
    same 1000 "$(udp_conns)" 'connections in the larger table'
    vs_set conn_lfactor 0
}
grown() { [ "$(buckets)" -ge "$1" ]; }

udp_conns() { conn_lines | grep -cE '^UDP [^ ]+ [^ ]+ [^ ]+ 1388 '; }

run_facts v4 v6
