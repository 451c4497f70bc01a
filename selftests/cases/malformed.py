#!/usr/bin/env python3
# Packets that contradict themselves: nothing of them reaches a server, they are counted, and nothing else suffers.
# suite: wire
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from ktap import run, same, sh
from packet import Icmp, Packet, Tcp, Udp, mss
from wire import LIP1, RAW_CLIENT, RAW_S1, VIP, Flow, drops, fullnat

W = None


def setup():
    global W
    W = fullnat()


def nothing_comes_of(packets, end=None):
    W.drain()
    for p in packets:
        W.client.send(p)
    W.server.nothing(W.client)


def test_tcp_headers_cut_short():
    whole = Packet(RAW_CLIENT, VIP, Tcp(13001, 80, 1, 0, "S", options=mss(1460))).build()
    def cut(n):
        body = whole[20:20 + n]
        return Packet(RAW_CLIENT, VIP, body, proto=6)
    nothing_comes_of([cut(n) for n in range(0, 20)])


def test_a_data_offset_that_is_too_small_or_too_large():
    nothing_comes_of([Packet(RAW_CLIENT, VIP, Tcp(13002, 80, 1, 0, "S", doff=d)) for d in (0, 1, 4, 6, 15)])


def test_udp_headers_cut_short_or_with_a_wrong_length():
    def raw(length, body=b"abcd"):
        return Packet(RAW_CLIENT, VIP, struct.pack("!HHHH", 13003, 5000, length, 0) + body, proto=17)
    nothing_comes_of([Packet(RAW_CLIENT, VIP, b"\0" * n, proto=17) for n in range(0, 8)]
                     + [raw(n) for n in (0, 1, 7, 13, 65535)])


def test_an_ip_length_beyond_the_packet():
    p = Packet(RAW_CLIENT, VIP, Udp(13004, 5000, b"x"), total=200)
    nothing_comes_of([p])


def test_flags_that_start_nothing():
    # (SYN with other flags is a SYN for IPVS; these are not.)
    nothing_comes_of([Packet(RAW_CLIENT, VIP, Tcp(13005 + i, 80, 1, 1, f)) for i, f in enumerate(("", "F", "A", "R", "RA", "FA", "PUF", "SR"[1:]))])


def test_sources_that_cannot_be():
    nothing_comes_of([Packet(src, VIP, Udp(13006, 5000, b"x")) for src in ("0.0.0.0", "127.0.0.1", "255.255.255.255", "224.0.0.1", VIP, LIP1)])


def test_answers_that_nobody_asked_for():
    W.drain()
    for sport, dport in ((80, 1024), (80, 65535), (5000, 2000)):
        W.server.send(Packet(RAW_S1, LIP1, Tcp(sport, dport, 1, 1, "SA")))
        W.server.send(Packet(RAW_S1, LIP1, Udp(sport, dport, b"x")))
    W.client.nothing(W.server)


def test_icmp_errors_whose_inside_lies():
    f = Flow(W, 13007).established()
    sent = f.client_sends("PA", seq=2, ack=2, payload=b"x").build()
    W.drain()
    for at, value in ((0, 0x41), (0, 0x4f), (0, 0x65), (9, 99), (2, 0xff), (6, 0x1f)):
        inner = bytearray(sent[:40])
        inner[at] = value
        W.server.send(Packet(RAW_S1, f.lip, Icmp(3, 3, 0, bytes(inner)), df=False))
    got = [p for p in W.client.all_until_mark(W.server) if p.proto == 1]
    # A wrong header checksum inside is not ours to judge, but what comes out must be a sound packet about this flow.
    for p in got:
        same([], p.problems)


def test_ip_options_are_kept_or_refused_but_never_broken():
    p = Packet(RAW_CLIENT, VIP, Udp(13008, 5000, b"options"), options=b"\x07\x07\x04\0\0\0\0\0")
    W.drain()
    W.client.send(p)
    for got in W.server.all_until_mark(W.client):
        same([], got.problems)


def test_a_flow_still_works_afterwards():
    f = Flow(W, 13009).established()
    same(b"ok", f.client_sends("PA", seq=2, ack=2, payload=b"ok").l4.payload)


def test_they_were_counted():
    counted = {n: drops(n) for n in ("truncated", "bad_header")}
    assert sum(counted.values()) > 0, counted


run(globals())
