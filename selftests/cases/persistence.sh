#!/bin/bash
# Persistence: clients, networks of clients, marks and sessions of FTP stay with their server; templates expire, and are
# listed as the kernel's own ip_vs lists them.
# suite: services
. "${0%/*}/../lib/all.sh"

setup() {
    topology
    servers_default_route
    client_addresses 4
    local ns
    for ns in s1 s2; do echo_tcp $ns 80; echo_tcp $ns 4430; done
    lvs_in
}

# served [PORT [FROM]]: who answers the client, or one of its addresses.
served() {
    if [ $# -lt 2 ]; then
        in_ns client bash -ec "exec 3<>/dev/tcp/$VIP/${1:-80}; read -r line <&3; echo \${line%% *}"
    else
        in_ns client python3 -ISc "
import socket
print(socket.create_connection(('$VIP', $1), 15, ('$2', 0)).recv(100).split()[0].decode())"
    fi
}

# two SERVICE OPTIONS...: a service with both servers, turn by turn.
two() {
    fresh
    local port=${PORT-:80}
    stock -R <<<"-A $*
-a $1 $2 -r $s1$port -m
-a $1 $2 -r $s2$port -m"
}

template() { in_ns director awk '$3 == "0000"' /proc/net/ip_vs_conn; }
templates() { template | grep -c . || true; }
stays() { local first; first=$(served "$@"); same "$first" "$(served "$@")" "server"; printf '%s' "$first"; }

test_a_client_stays() {
    two -t "$vip:80" -s rr -p 100
    stays >/dev/null
    same 1 "$(templates)"
}

test_templates_count_for_conn_max() {
    two -t "$vip:80" -s rr -p 100
    vs_set conn_max 2
    served >/dev/null
    same 0 "$(drops too_many_connections)"
    # One connection and its template are two.
    not in_ns client timeout 2 bash -c "exec 3<>/dev/tcp/$VIP/80"
    at_least 1 "$(drops too_many_connections)"
    vs_set conn_max $((1 << 30))
}

test_v4_others_take_turns() {
    two -t "$vip:80" -s rr -p 100
    local out n; out=$(for n in 10 11 12 13; do served 80 "10.1.0.$n"; done | sort | uniq -c | awk '{print $1, $2}')
    same "2 s1
2 s2" "$out"
    # PersistConn: templates, not connections.
    has "$(stock -Ln --persistent-conn)" "-> $S1:80 +1 +2 +[0-9]+ +[0-9]+ *$"
}

# The lines that stock's ip_vs prints, but for ports, times and the size of its table.
listed() {
    two -t "$vip:80" -s rr -p 100 -M 255.255.255.0
    stock -d -t "$vip:80" -r "$s2:80"
    served 80 10.1.0.10 >/dev/null
    wait_for is = 1 conn_state TIME_WAIT
    in_ns director cat /proc/net/ip_vs_conn | sed 's/^TCP 0A01000A [^ ]*/TCP 0A01000A PORT/; s/ [ 0-9]\{7\}$//' | sort
    stock -Lnc | sed 's/^TCP [0-9:]*/TCP/; s/10\.1\.0\.10:[0-9]* */10.1.0.10:PORT /' | sort
    stock -Ln --persistent-conn
    in_ns director cat /proc/net/ip_vs
    # Data of FTP goes with its session, and nowhere if nobody knows which server has that.
    PORT=:80 two -t "$vip:21" -s rr -p 100 -M 255.255.255.0
    [ "$(served 21 10.1.0.10)" != "$(served 4430)" ] || echo "together"
    stock -E -t "$vip:21" -s rr
    served 4430 || echo "nobody"
}
test_v4_templates_are_listed_as_stock_lists_them() {
    listed | sed 's/size=[0-9]*//' >"$TMP/ours"
    modules_out; stock_in
    listed | sed 's/size=[0-9]*//' >"$TMP/stock"
    modules_out; lvs_in
    same_file "$TMP/stock" "$TMP/ours"
    same "together nobody" "$(tail -n 2 "$TMP/ours" | paste -sd' ')" "FTP"
    has "$(cat "$TMP/ours")" "^TCP 0A010000 0000 0A010064 0050 0A020002 0050 (NONE|ASSURED)"
}

test_v4_a_network_stays_together() {
    two -t "$vip:80" -s rr -p 100 -M 255.255.255.0
    local first; first=$(served)
    local n; for n in 10 11; do same "$first" "$(served 80 "10.1.0.$n")"; done
    same 1 "$(templates)"
    has "$(template)" "^TCP 0A010000 0000 "
}

test_v6_a_network_stays_together() {
    batch client <<'IP'
addr add fd00:1::10/64 dev eth0 nodad preferred_lft 0
addr add fd00:1::11/64 dev eth0 nodad preferred_lft 0
IP
    two -t "$vip:80" -s rr -p 100 -M 64
    local first; first=$(served)
    local n; for n in 10 11; do same "$first" "$(served 80 "fd00:1::$n")"; done
    same 1 "$(templates)"
    has "$(template)" '^TCP fd00:0001:0000:0000:0000:0000:0000:0000 0000 '
}

test_weight_0_keeps_clients_unless_templates_are_to_expire() {
    two -t "$vip:80" -s rr -p 100
    local first other=s2 real=$s1; first=$(served)
    [ "$first" = s1 ] || { other=s1; real=$s2; }
    stock -e -t "$vip:80" -r "$real:80" -m -w 0
    same "$first" "$(served)" "the server of weight 0"
    vs_set expire_quiescent_template 1
    same "$other" "$(served)" "the other one"
    vs_set expire_quiescent_template 0
    same "$other" "$(stays)"
}

test_the_server_is_removed() {
    two -t "$vip:80" -s rr -p 100
    local first other=s2 real=$s1; first=$(served)
    [ "$first" = s1 ] || { other=s1; real=$s2; }
    stock -d -t "$vip:80" -r "$real:80"
    same "$other" "$(served)"
    same "$other" "$(served)"
}

test_a_template_with_connections_outlives_its_time() {
    two -t "$vip:80" -s rr -p 1
    background client held socat -u "tcp:$vip:80" -
    wait_for is = 1 conn_state ESTABLISHED
    wait_for is = 1 templates
    # Its time is over and the connection is not: it is looked at again in a minute.
    wait_for longer_than 10
    has "$(template)" ' ASSURED '
    end_of held
}
longer_than() { [ "$(template | awk '{print $NF}')" -ge "$1" ]; }

a_template() { template >"$TMP/template"; grep -q . "$TMP/template"; }
test_a_template_without_connections_expires() {
    # A datagram that nobody answers leaves a connection of a second.
    PORT=:5000 two -u "$vip:5000" -s rr -p 3
    stock --set 0 0 1
    in_ns client bash -c "echo x >/dev/udp/$VIP/5000"
    wait_for a_template
    has "$(cat "$TMP/template")" ' NONE '
    wait_for is = 0 conns
}

test_all_ports_are_one_server() {
    PORT=:0 two -t "$vip:0" -s rr -p 100
    local first; first=$(stays)
    same "$first" "$(served 4430)" "on port 4430"
    has "$(template)" ' 0000 [0-9a-fA-F:]+ 0000 (NONE|ASSURED)'
    same 1 "$(templates)"
}

test_a_mark_is_one_server() {
    in_ns director nft -f - <<NFT
table inet marks { chain p { type filter hook prerouting priority -150; $L3 daddr $VIP tcp dport { 80, 4430 } meta mark set 7
 }
}
NFT
    local six=(); [ "$IP" = v4 ] || six=(-6)
    fresh
    stock -A -f 7 "${six[@]}" -s rr -p 100
    stock -a -f 7 "${six[@]}" -r "$s1:0" -m; stock -a -f 7 "${six[@]}" -r "$s2:0" -m
    local first; first=$(stays)
    same "$first" "$(served 4430)" "on port 4430"
    same 1 "$(templates)"
    has "$(template)" "^IP +[0-9A-Fa-f:]+ 0000 [0-9A-Fa-f:]+ 0000 "
    in_ns director nft delete table inet marks
}

# Those of its data connections, which come to any port above 1023, too.
test_ftp_has_a_template_for_every_port() {
    PORT=:80 two -t "$vip:21" -s rr -p 100
    local first; first=$(served 21)
    same 1 "$(templates)"
    has "$(template)" ' 0000 [0-9a-fA-F:]+ 0000 '
    same "$first" "$(served 4430)" "on port 4430"
    same 1 "$(templates)"
}

run_facts v4 v6
