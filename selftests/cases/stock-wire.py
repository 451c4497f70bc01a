#!/usr/bin/env python3
# The yardstick for conversations made by hand: what the ends see of the kernel's own ip_vs with NAT is known, so the
# ends can be trusted. Each of them is also shown to notice what is wrong.
# suite: yardstick
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from ktap import run, same, sh
from packet import Icmp, Packet, Tcp, Udp, error_about, fragments, mss
from wire import RAW_CLIENT, RAW_S1, VIP, Flow, Wire

W = None


def setup():
    global W
    sh(f"""
        topology; raw_ends; stock_in
        ip -n s1 route replace default via 10.2.0.1
        for p in t:80 u:5000; do
            stock -A -${{p%:*}} $VIP:${{p#*:}} -s rr; stock -a -${{p%:*}} $VIP:${{p#*:}} -r {RAW_S1}:${{p#*:}} -m
        done
    """)
    W = Wire()


def test_a_handshake_and_data_pass():
    f = Flow(W, 1001).established(options=mss(1460))
    same((RAW_CLIENT, 1001, 0), (f.lip, f.lport, f.delta), "NAT keeps the client's address, port and numbers")
    same((b"data", 63), ((got := f.client_sends("PA", seq=2, ack=2, payload=b"data")).l4.payload, got.ttl))


def test_big_packets_stay_whole():
    f = Flow(W, 1002).established()
    got = f.to_server(f.client_packet("PA", seq=2, ack=2, payload=b"g" * 14000), gso_size=1400)
    same((14000, 1400, True), (len(got.l4.payload), got.gso_size, got.partial))


def test_fragments_and_icmp():
    for part in fragments(Packet(RAW_CLIENT, VIP, Udp(1003, 5000, b"f" * 3000)), 1480)[::-1]:
        W.client.send(part)
    got = W.server.recv(lambda p: p.proto == 17 and p.offset == 0)
    same(RAW_S1, got.dst)
    W.client.send(Packet(RAW_CLIENT, VIP, Udp(1004, 5000, b"x")))
    seen = W.server.recv(lambda p: isinstance(p.l4, Udp) and p.l4.sport == 1004)
    W.server.send(error_about(seen, RAW_S1, RAW_CLIENT, 3, 3))
    back = W.client.recv(lambda p: isinstance(p.l4, Icmp))
    same((VIP, VIP), (back.src, back.embedded().dst))


def test_what_must_not_come_is_noticed_when_it_comes():
    W.drain()
    W.client.send(Packet(RAW_CLIENT, VIP, Udp(1005, 5000, b"x")))
    try:
        W.server.nothing(W.client)
    except AssertionError:
        return
    raise AssertionError("a packet came and nothing() did not see it")


def test_a_wrong_checksum_is_noticed():
    W.drain()
    W.client.send(Packet(RAW_CLIENT, VIP, Udp(1006, 5000, b"x", checksum=0x1111)))
    got = W.server.recv(lambda p: isinstance(p.l4, Udp) and p.l4.sport == 1006, sound=False)
    same(["L4 checksum"], got.problems)


run(globals())
