#!/bin/bash
# prometheus-node-exporter's ipvs collector, unmodified: it reads /proc/net/ip_vs and ip_vs_stats of lvs, of either family,
# with FULLNAT servers, services for a mark and UDP, and has the numbers that ipvsadm has.
# suite: keepalived
. "${0%/*}/../lib/all.sh"

setup() {
    topology
    servers_default_route
    lvs_in
    nginx_on s1; nginx_on s2
    both services
    both requests
    background director exporter prometheus-node-exporter --collector.disable-defaults --collector.ipvs \
        --web.listen-address=127.0.0.1:9100
    wait_for listens director tcp 9100
}

services() {
    service -t 80 "$s1:80"
    adm -a -t "$vip:80" -r "$s2:80" --fullnat -w 3
    adm -A -t "$vip:81" -s wlc
    adm -a -t "$vip:81" -r "$s1:80" -m -w 5
    adm -A -u "$vip:53" -s rr
    adm -a -u "$vip:53" -r "$s2:53" -g -w 7
    if [ "$IP" = v6 ]; then adm -A -f 9 -6 -s rr; else adm -A -f 9 -s rr; fi
    if [ "$IP" = v6 ]; then adm -a -f 9 -6 -r "$s1:80" -m -w 2; else adm -a -f 9 -r "$s1:80" -m -w 2; fi
}

# Two closed connections and an open one, to s1.
requests() {
    adm -e -t "$vip:80" -r "$s2:80" --fullnat -w 0
    get; get
    background client "open-$IP" python3 -IS -c "
import socket, time
s = socket.create_connection(('$VIP', 80), 20)
print('open', flush=True)
time.sleep(1000)"
    wait_for says open "$TMP/open-$IP.log"
    adm -e -t "$vip:80" -r "$s2:80" --fullnat -w 3
}

metrics() { in_ns director curl -sS --max-time 20 http://127.0.0.1:9100/metrics; }

# metric NAME LABELS...: its value, where every one of the labels is so.
metric() {
    local name=$1 lines; shift
    lines=$(metrics | grep -E "^$name(\{| )")
    for label; do lines=$(grep -F "$label" <<<"$lines"); done
    same 1 "$(grep -c . <<<"$lines")" "metrics $name $*"
    awk '{printf "%d", $NF}' <<<"$lines"
}

test_the_collector_succeeds() {
    has "$(metrics)" '^node_scrape_collector_success\{collector="ipvs"\} 1$'
    has_not "$(cat "$TMP/exporter.log")" 'level=(error|ERROR)|panic'
}

test_weights_of_all_servers() {
    local at=("local_address=\"$VIP\"" 'local_port="80"' 'proto="TCP"')
    same 1 "$(metric node_ipvs_backend_weight "${at[@]}" "remote_address=\"$S1\"" 'remote_port="80"')"
    same 3 "$(metric node_ipvs_backend_weight "${at[@]}" "remote_address=\"$S2\"")"
    same 5 "$(metric node_ipvs_backend_weight "local_address=\"$VIP\"" 'local_port="81"')"
    same 7 "$(metric node_ipvs_backend_weight "local_address=\"$VIP\"" 'proto="UDP"' "remote_address=\"$S2\"")"
    same 2 "$(metric node_ipvs_backend_weight 'local_mark="00000009"' "remote_address=\"$S1\"")"
}

test_connections_of_a_server() {
    local at=("local_address=\"$VIP\"" 'local_port="80"' "remote_address=\"$S1\"") line
    line=$(stock -Ln -t "$vip:80" | grep -F -- "-> $s1:80")
    same "$(awk '{print $5}' <<<"$line")" "$(metric node_ipvs_backend_connections_active "${at[@]}")"
    same 1 "$(metric node_ipvs_backend_connections_active "${at[@]}")"
}

test_once_totals() {
    local c p q b d
    read -r c p q b d < <(in_ns director sed -n 3p /proc/net/ip_vs_stats)
    same 6 "$(metric node_ipvs_connections_total)"
    same "$((16#$c))" "$(metric node_ipvs_connections_total)"
    same "$((16#$p))" "$(metric node_ipvs_incoming_packets_total)"
    same "$((16#$q))" "$(metric node_ipvs_outgoing_packets_total)"
    same "$((16#$b))" "$(metric node_ipvs_incoming_bytes_total)"
    same "$((16#$d))" "$(metric node_ipvs_outgoing_bytes_total)"
    at_least 1 "$((16#$d))"
}

run_facts v4 v6
