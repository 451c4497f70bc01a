#!/bin/bash
# TCP Fast Open through the director. A server makes its cookies of the address that it sees, which is the local one: so by default
# there is none, and if it is let in, data comes in the SYN, beside the cookie and TOA.
# suite: traffic
. "${0%/*}/../lib/all.sh"

setup() {
    topology
    lvs_in; toa_in
    same 0 "$(vs_get fullnat_fast_open_entry)" "the default"
    local ns
    for ns in client s1; do in_ns $ns sysctl -qw net.ipv4.tcp_fastopen=3; done
    background s1 server python3 -ISc "
import socket, threading
def serve(s):
    while True:
        c, peer = s.accept()
        # TCPI_OPT_SYN_DATA: what came with the SYN was taken.
        early = bool(c.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)[5] & 32)
        c.sendall(f'{peer[0]} {early} '.encode() + c.recv(100))
        c.close()
for family, address in ((socket.AF_INET, '0.0.0.0'), (socket.AF_INET6, '::')):
    s = socket.socket(family)
    if family == socket.AF_INET6: s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 16)
    s.bind((address, 7000)); s.listen(16)
    threading.Thread(target=serve, args=(s,)).start()"
    wait_for listens s1 tcp 7000
    both serve
}

serve() { service -t 7000 "$s1:7000"; }

# early: sends a word with the SYN if it may; prints what the server saw: whom, and whether it took it.
early() { in_ns client timeout 20 python3 -ISc "
import socket
s = socket.socket(socket.AF_INET6 if ':' in '$VIP' else socket.AF_INET)
s.sendto(b'word', socket.MSG_FASTOPEN, ('$VIP', 7000))
print(s.recv(100).decode())"; }

test_if_it_is_not_let_in_the_handshake_comes_first() {
    vs_set fullnat_fast_open_entry 1
    early >/dev/null
    vs_set fullnat_fast_open_entry 0
    local before; before=$(drops fast_open_stripped)
    # The client has a cookie, sends it, and the server does not get it.
    same "$CLIENT False word" "$(early)"
    same $((before + 1)) "$(drops fast_open_stripped)"
    # It has kept it.
    vs_set fullnat_fast_open_entry 1
    same "$CLIENT True word" "$(early)"
    ip -n client "-${IP#v}" tcp_metrics flush
}

test_the_first_connection_gets_a_cookie_and_the_next_are_early() {
    same "$CLIENT False word" "$(early)" "without a cookie"
    local i
    for i in 1 2 3; do same "$CLIENT True word" "$(early)" "with one"; done
}

# The cookie is of another address: the handshake goes as ever, and nothing is lost.
test_from_another_local_address_the_cookie_is_not_taken() {
    adm -P -t "$vip:7000" -z "$LIP2"
    adm -Q -t "$vip:7000" -z "$LIP1"
    same "$CLIENT False word" "$(early)" "with the cookie of another local address"
    # It has brought the right one.
    same "$CLIENT True word" "$(early)"
    adm -P -t "$vip:7000" -z "$LIP1"
    adm -Q -t "$vip:7000" -z "$LIP2"
}

test_without_timestamps_too() {
    in_ns client sysctl -qw net.ipv4.tcp_timestamps=0
    early >/dev/null
    same "$CLIENT True word" "$(early)"
    in_ns client sysctl -qw net.ipv4.tcp_timestamps=1
}

run_facts v4 v6
