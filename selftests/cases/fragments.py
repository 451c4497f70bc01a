#!/usr/bin/env python3
# Datagrams in fragments belong to one connection, whichever fragment comes first; what is too big leaves in fragments.
# suite: wire
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from ktap import run, same
from packet import Icmp, Packet, Udp, fragments
from wire import RAW_CLIENT, RAW_S1, VIP, Flow, fullnat

W = None
BIG = bytes(i % 251 for i in range(4000))


def setup():
    global W
    W = fullnat()


def gather(end):
    """The datagram that comes to an end in fragments or whole."""
    first = end.recv(lambda p: p.proto == 17 and p.dst == end.addr)
    if not first.mf and first.offset == 0:
        return first
    parts = {first.offset: first.l4}
    last = None if first.mf else first.offset + len(first.l4)
    while last is None or sum(map(len, parts.values())) < last:
        p = end.recv(lambda p: p.proto == 17 and p.dst == end.addr)
        parts[p.offset] = p.l4
        if not p.mf:
            last = p.offset + len(p.l4)
    body = b"".join(parts[o] for o in sorted(parts))
    whole = Packet(first.src, first.dst, body, proto=17).build()
    p = Packet.parse(whole)
    assert not p.problems, p.problems
    return p


def ask(cport, payload=BIG, order=lambda parts: parts, size=1480):
    for part in order(fragments(Packet(RAW_CLIENT, VIP, Udp(cport, 5000, payload), ident=cport), size)):
        W.client.send(part)
    return gather(W.server)


def test_fragments_to_the_server_arrive_as_one_datagram():
    got = ask(6001)
    same((RAW_S1, 5000, BIG), (got.dst, got.l4.dport, got.l4.payload))


def test_in_any_order():
    same(BIG, ask(6002, order=lambda parts: parts[::-1]).l4.payload)


def test_answers_in_fragments_come_from_the_vip():
    seen = ask(6003)
    for part in fragments(Packet(RAW_S1, seen.src, Udp(5000, seen.l4.sport, BIG), ident=77), 1480):
        W.server.send(part)
    got = gather(W.client)
    same((VIP, 5000, 6003, BIG), (got.src, got.l4.sport, got.l4.dport, got.l4.payload))


def test_answers_in_fragments_backwards():
    seen = ask(6004)
    for part in fragments(Packet(RAW_S1, seen.src, Udp(5000, seen.l4.sport, BIG), ident=78), 1480)[::-1]:
        W.server.send(part)
    same(BIG, gather(W.client).l4.payload)


def test_all_sizes_around_a_fragments_end():
    for n in (1471, 1472, 1473, 1479, 1480, 1481, 2951, 2952, 2953):
        same(BIG[:n], ask(6005, BIG[:n]).l4.payload, f"{n} bytes")


def test_fragments_of_a_tcp_segment():
    f = Flow(W, 6006).established()
    parts = fragments(f.client_packet("PA", seq=2, ack=2, payload=BIG[:1400], ident=79), 720)
    for part in parts:
        W.client.send(part)
    got = W.server.recv(lambda p: p.proto == 6)
    if got.mf:
        body = got.l4 + W.server.recv(lambda p: p.proto == 6 and p.offset).l4
        got = Packet.parse(Packet(got.src, got.dst, body, proto=6).build())
        assert not got.problems, got.problems
    same(BIG[:1400], got.l4.payload)


def test_a_fragment_that_stays_alone_reaches_nobody():
    W.drain()
    part = fragments(Packet(RAW_CLIENT, VIP, Udp(6007, 5000, BIG), ident=80), 1480)[1]
    W.client.send(part)
    W.server.nothing(W.client)


run(globals())
