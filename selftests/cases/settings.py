#!/usr/bin/env python3
# Settings that say what is done with packets which no connection is known of, as stock has them.
# suite: control
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from ktap import run, same, sh
from packet import Tcp, Udp
from wire import BOTH


def setup():
    rules = []
    for w in BOTH:
        flag = "-6 " if w.is_v6 else ""
        for protocol, port, method in (("-u", 5000, "-g"), ("-u", 5001, "-m"), ("-t", 80, "-m")):
            at = w.at(w.vip, port)
            rules.append(f"stock -A {protocol} {at} -s rr\nstock -a {protocol} {at} -r {w.at(w.s1, port)} {method}\n")
        rules.append(f"in_ns director ip {flag}route replace {w.client_addr} dev client\n")
    sh("topology; raw_ends; lvs_in\n" + "".join(rules) + "in_ns director sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0")
    for w in BOTH:
        w.open()


def setting(name, value):
    sh(f"vs_set {name} {value}")


def fresh(w, cport):
    """How many connections of that client's port are listed."""
    return int(sh(f"in_ns director cat /proc/net/ip_vs_conn | grep -ci ' {w.hex(w.client_addr)} {cport:04X} ' || true"))


def late(w, cport):
    """An error about a packet that the server sent to a client that nobody here knows."""
    sent = w.Packet(w.vip, w.client_addr, Udp(5000, cport, b"d" * 1200))
    return w.error(sent, w.router_c, w.vip, w.too_big, mtu=1300)


def test_an_error_without_a_connection_stays_here(w):
    w.client.send(late(w, 4001))
    w.server.nothing(w.client)
    same(0, fresh(w, 4001))


def test_schedule_icmp_gives_it_to_a_server(w):
    setting("schedule_icmp", 1)
    w.client.send(late(w, 4002))
    got = w.server.recv(w.is_error)
    same((w.router_c, w.vip, w.too_big, 1300), (got.src, got.dst, (got.l4.type, got.l4.code), got.l4.mtu))
    same(1, fresh(w, 4002))
    # The client's own packets are of that connection.
    w.client.send(w.Packet(w.client_addr, w.vip, Udp(4002, 5000, b"ping")))
    w.server.recv(lambda p: isinstance(p.l4, Udp) and p.l4.sport == 4002)
    same(1, fresh(w, 4002))
    setting("schedule_icmp", 0)


def lost(w, l4):
    return w.Packet(w.s1, w.client_addr, l4)


def test_a_reply_of_no_connection_passes(w):
    w.server.send(lost(w, Udp(5001, 4003, b"late")))
    got = w.client.recv(lambda p: isinstance(p.l4, Udp) and p.l4.dport == 4003)
    same(w.s1, got.src)


def test_nat_icmp_send_tells_the_server(w):
    setting("nat_icmp_send", 1)
    before = int(sh("drops lost_reply"))
    for l4 in (Udp(5001, 4004, b"late"), Tcp(80, 4004, flags="PA", payload=b"late")):
        w.server.send(lost(w, l4))
        got = w.server.recv(w.is_error)
        same((w.s1, w.port_unreachable), (got.dst, (got.l4.type, got.l4.code)))
        same(4004, struct.unpack("!H", got.embedded().l4[2:4])[0] if isinstance(got.embedded().l4, bytes) else got.embedded().l4.dport)
    w.client.nothing(w.server)
    same(2, int(sh("drops lost_reply")) - before, "drops")
    # Neither is a RST answered, nor what is sent from another port, or by a server of DR.
    for l4 in (Tcp(80, 4004, flags="R"), Udp(5009, 4004, b"other"), Udp(5000, 4004, b"own")):
        w.server.send(lost(w, l4))
        w.client.recv(lambda p: p.src == w.s1 and p.l4.dport == 4004)
    setting("nat_icmp_send", 0)


def test_expire_nodest_conn_ends_what_a_removed_server_has(w):
    at, server = w.at(w.vip, 5003), w.at(w.s1, 5003)
    sh(f"stock -A -u {at} -s rr -p 100")

    def orphan(cport):
        sh(f"stock -a -u {at} -r {server} -m")
        w.client.send(w.Packet(w.client_addr, w.vip, Udp(cport, 5003, b"ping")))
        w.server.recv(lambda p: isinstance(p.l4, Udp) and p.l4.sport == cport)
        sh(f"stock -d -u {at} -r {server}")
        return cport
    kept = orphan(4008)
    sh("sleep 2.5")
    same(1, fresh(w, kept), "connections that wait")
    setting("expire_nodest_conn", 1)
    ended = orphan(4009)
    # The one from before too, and what keeps the client there.
    sh(f"""
        left() {{ in_ns director cat /proc/net/ip_vs_conn | grep -ci ' {w.hex(w.client_addr)} \\({kept:04X}\\|{ended:04X}\\|0000\\) ' || true; }}
        wait_for is = 0 left
    """)
    setting("expire_nodest_conn", 0)
    sh(f"stock -D -u {at}")


run(globals(), BOTH)
