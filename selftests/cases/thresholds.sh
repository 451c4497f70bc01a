#!/bin/bash
# What limits or changes who gets a connection besides the scheduler: thresholds, one-packet services, conn_max,
# sloppy_tcp, expire_nodest_conn, conn_reuse_mode.
# suite: services
. "${0%/*}/../lib/all.sh"
. "$LIB/direct.sh"

setup() {
    topology
    direct_servers
    modprobe ipip; modprobe ip6_tunnel
    local ns
    for ns in s1 s2; do
        printf 'link set %s up\n' tunl0 ip6tnl0 | batch $ns
        reverse_path_off $ns tunl0
        echo_tcp $ns 80
        # At the VIP only: answers to datagrams come from it, too.
        background $ns "udp-$ns" python3 -IS "$LIB/echo.py" udp 5000 $ns 10.1.0.100 fd00:1::100
        wait_for listens_at $ns udp fd00:1::100 5000
        wait_for listens_at $ns udp 10.1.0.100 5000
    done
    cat >"$TMP/hold.py" <<'PY'
import socket, sys
held = []
for line in sys.stdin:
    if line == "close\n":
        held.pop(0).close()
        continue
    try:
        held.append(socket.create_connection((sys.argv[1], 80), timeout=15))
        print(held[-1].recv(100).split()[0].decode(), flush=True)
    except OSError as e:
        print(type(e).__name__, flush=True)
PY
    lvs_in
}

# one [PORT]: who answers one connection.
one() { in_ns client bash -ec "exec 3<>/dev/tcp/$VIP/${1:-80}; read -r line <&3; echo \${line%% *}"; }

# holder: a client that keeps its connections; what came of each is a line of $TMP/holder.log.
holder() {
    rm -f "$TMP/orders"; mkfifo "$TMP/orders"
    background client holder bash -c "exec python3 -IS '$TMP/hold.py' '$VIP' <'$TMP/orders'"
    exec 4>"$TMP/orders"
}
# opened WHO...: it opens that many connections, and these answer.
opened() {
    local who before; before=$(wc -l <"$TMP/holder.log")
    for who; do echo open; done >&4
    wait_for is = $((before + $#)) sed -n '$=' "$TMP/holder.log"
    same "$*" "$(tail -n $# "$TMP/holder.log" | paste -sd' ')" "answers"
}
# closed LEFT: it closes its oldest; the director has that many left.
closed() { echo close >&4; wait_for is = "$1" conns; }

test_a_server_at_its_upper_threshold_gets_no_more() {
    fresh
    stock -R <<<"-A -t $vip:80 -s fo
-a -t $vip:80 -r $s1:80 -g -w 2 -x 2 -y 1
-a -t $vip:80 -r $s2:80 -g -w 1"
    holder
    opened s1 s1 s2 s2 s2 s2
    has "$(stock -Ln --thresholds)" "^  -> $(rx "$s1"):80 +2 +1 +2 +0"
}

# What is said of the lower threshold of 2 with an upper one of 3.
lower_threshold() {
    # What is closed is gone after a second.
    stock --set 0 1 0
    stock -A -t "$vip:80" -s rr
    stock -a -t "$vip:80" -r "$s1:80" -g -x 3 -y 2
    holder
    opened s1 s1 s1 ConnectionRefusedError
    closed 2; opened ConnectionRefusedError
    closed 1; opened s1
}
test_and_gets_one_again_below_the_lower() {
    fresh
    lower_threshold
    # A SYN whose error comes while connect() still has the socket is sent again.
    at_least 2 "$(drops no_destination)"
}
test_v4_and_so_does_stock() {
    modules_out; stock_in
    lower_threshold
    modules_out; lvs_in
}

# four: who answers four datagrams of one source port.
four() {
    in_ns client python3 -ISc "
import socket
s = socket.socket(socket.AF_INET6 if ':' in '$VIP' else socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(15)
s.connect(('$VIP', 5000))
for _ in range(4):
    s.send(b'x')
    print(s.recv(100).split()[0].decode(), end=' ')"
}

one_packet() {
    stock -C
    stock -R <<<"-A -u $vip:5000 -s rr $*
-a -u $vip:5000 -r $s1:5000 $how
-a -u $vip:5000 -r $s2:5000 $how"
}

test_each_datagram_of_a_one_packet_service_is_scheduled() {
    fresh
    local how
    for how in -g -i; do
        one_packet --ops
        has "$(four)" '^(s1 s2 s1 s2|s2 s1 s2 s1) $' "servers with one packet, $how"
        same 0 "$(conns)" "connections left, $how"
        has "$(stock -Ln --stats)" "^UDP +$(rx "$vip"):5000 +4 +4 "
    done
    has "$(stock -Ln)" "^UDP +$(rx "$vip"):5000 rr ops"
    one_packet
    has "$(four)" '^(s1 s1 s1 s1|s2 s2 s2 s2) $' "servers without one packet"
    same 1 "$(conns)"
}

test_conn_max() {
    fresh
    local how=-g
    one_packet
    vs_set conn_max 2
    local n; for n in 1 2; do ask_udp client "$VIP" 5000 hello "400$n" >/dev/null; done
    same 0 "$(drops too_many_connections)"
    refused 'no answer' env ASK_SECONDS=1 nsenter --net=/run/netns/client python3 -IS "$LIB/ask.py" "$VIP" 5000 hello 4003
    same 1 "$(drops too_many_connections)"
    same 2 "$(conns)"
    vs_set conn_max $((1 << 30))
    ask_udp client "$VIP" 5000 hello 4003 >/dev/null
}

# midway: a segment of a connection that nobody knows; who gets it resets it.
midway() {
    in_ns client python3 -ISc "
import socket
s = socket.socket(socket.AF_INET6 if ':' in '$VIP' else socket.AF_INET)
s.settimeout(15)
TCP_REPAIR, ON, OFF = 19, 1, 0
s.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, ON)
s.connect(('$VIP', 80))
s.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, OFF)
try:
    s.recv(1)
except ConnectionResetError:
    print('reset')"
}

test_sloppy_tcp() {
    fresh
    stock -A -t "$vip:80" -s rr; stock -a -t "$vip:80" -r "$s1:80" -g
    same reset "$(midway)"
    same 0 "$(conns)"
    vs_set sloppy_tcp 1
    same reset "$(midway)"
    same 1 "$(conns)"
}

# A NAT service on port 81.
translated() {
    fresh
    answer_through s1; answer_through s2
    stock -A -t "$vip:81" -s rr
    local server; for server; do stock -a -t "$vip:81" -r "$server:80" -m; done
}

# talk NAME: a connection to port 81, on which each line of $TMP/NAME.in is sent; what came of it is in $TMP/NAME.log.
talk() {
    rm -f "$TMP/$1.in"; mkfifo "$TMP/$1.in"
    background client "$1" python3 -ISc "
import socket
s = socket.create_connection(('$VIP', 81))
print(s.recv(100).decode(), flush=True)
s.settimeout(15)
for line in open('$TMP/$1.in'):
    s.send(line.encode())
    try:
        print('got', s.recv(100).decode(), flush=True)
    except OSError as e:
        print('failed', type(e).__name__, flush=True)"
    wait_for grep -q '^s' "$TMP/$1.log"
}

test_a_removed_servers_connection_is_kept_or_ended() {
    translated "$s1"
    talk t
    stock -d -t "$vip:81" -r "$s1:80"; stock -a -t "$vip:81" -r "$s2:80" -m
    exec 5>"$TMP/t.in"
    echo one >&5
    wait_for is -ge 1 drops destination_gone
    same 1 "$(conns)" "connections"
    has_not "$(cat "$TMP/t.log")" 'got|failed'
    # The client asks again, and this host, which knows nothing of the connection, resets it.
    vs_set expire_nodest_conn 1
    wait_for says 'failed ConnectionResetError' "$TMP/t.log"
    same 0 "$(conns)" "connections"
    exec 5>&-
    same s2 "$(one 81)"
}

test_a_port_that_is_used_again() {
    cat >"$TMP/again.py" <<'PY'
import socket, sys
for _ in range(2):
    s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("", int(sys.argv[2])))
    s.connect((sys.argv[1], 81))
    print(s.recv(100).split()[0].decode(), end=" ")
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    s.close()
PY
    translated "$s1" "$s2"
    has "$(in_ns client python3 -IS "$TMP/again.py" "$VIP" 5001)" '^(s1 s2|s2 s1) $' "servers with conn_reuse_mode 1"
    vs_set conn_reuse_mode 0
    has "$(in_ns client python3 -IS "$TMP/again.py" "$VIP" 5002)" '^(s1 s1|s2 s2) $' "servers with conn_reuse_mode 0"
    answer_directly s1; answer_directly s2
}

run_facts v4 v6
