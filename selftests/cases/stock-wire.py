#!/usr/bin/env python3
# The yardstick for conversations made by hand: what the ends see of the kernel's own ip_vs with NAT is known, so the
# ends can be trusted. Each of them is also shown to notice what is wrong.
# suite: yardstick
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from ktap import run, same, sh
from packet import Udp, fragments, mss
from wire import BOTH, Flow


def setup():
    sh("topology; raw_ends; stock_in; servers_default_route" + "".join(f"""
        stock -A {o} {w.at(w.vip, port)} -s rr; stock -a {o} {w.at(w.vip, port)} -r {w.at(w.s1, port)} -m
    """ for w in BOTH for o, port in (("-t", 80), ("-u", 5000))))
    for w in BOTH:
        w.open()


def test_a_handshake_and_data_pass(w):
    f = Flow(w, 1001).established(options=mss(1460))
    same((w.client_addr, 1001, 0), (f.lip, f.lport, f.delta), "NAT keeps the client's address, port and numbers")
    same((b"data", 63), ((got := f.client_sends("PA", seq=2, ack=2, payload=b"data")).l4.payload, got.ttl))


def test_big_packets_stay_whole(w):
    f = Flow(w, 1002).established()
    got = f.to_server(f.client_packet("PA", seq=2, ack=2, payload=b"g" * 14000), gso_size=1400)
    same((14000, 1400, True), (len(got.l4.payload), got.gso_size, got.partial))


def test_fragments_and_icmp(w):
    for part in fragments(w.Packet(w.client_addr, w.vip, Udp(1003, 5000, b"f" * 3000)), 1448)[::-1]:
        w.client.send(part)
    got = w.server.recv(lambda p: p.proto == 17 and p.offset == 0)
    same(w.s1, got.dst)
    w.client.send(w.Packet(w.client_addr, w.vip, Udp(1004, 5000, b"x")))
    seen = w.server.recv(lambda p: isinstance(p.l4, Udp) and p.l4.sport == 1004)
    w.server.send(w.error(seen, w.s1, w.client_addr, w.port_unreachable))
    back = w.client.recv(w.is_error)
    same((w.vip, w.vip), (back.src, back.embedded().dst))


def test_what_must_not_come_is_noticed_when_it_comes(w):
    w.drain()
    w.client.send(w.Packet(w.client_addr, w.vip, Udp(1005, 5000, b"x")))
    try:
        w.server.nothing(w.client)
    except AssertionError:
        return
    raise AssertionError("a packet came and nothing() did not see it")


def test_a_wrong_checksum_is_noticed(w):
    w.drain()
    w.client.send(w.Packet(w.client_addr, w.vip, Udp(1006, 5000, b"x", checksum=0x1111)))
    got = w.server.recv(lambda p: isinstance(p.l4, Udp) and p.l4.sport == 1006, sound=False)
    same(["L4 checksum"], got.problems)


run(globals(), BOTH)
