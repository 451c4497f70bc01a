#!/usr/bin/env python3
# Datagrams in fragments belong to one connection, whichever fragment comes first; what is too big leaves in fragments.
# suite: wire
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from ktap import run, same
from packet import Udp, fragments
from wire import BOTH, Flow, fullnat

BIG = bytes(i % 251 for i in range(4000))


def setup():
    fullnat()


def gather(w, end):
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
    whole = w.Packet(first.src, first.dst, body, proto=17).build()
    p = w.Packet.parse(whole)
    assert not p.problems, p.problems
    return p


def size(w):
    """The most that fits in a fragment beside the headers of 1,500 bytes."""
    return 1448 if w.is_v6 else 1480


def ask(w, cport, payload=BIG, order=lambda parts: parts):
    for part in order(fragments(w.Packet(w.client_addr, w.vip, Udp(cport, 5000, payload), ident=cport), size(w))):
        w.client.send(part)
    return gather(w, w.server)


def test_fragments_to_the_server_arrive_as_one_datagram(w):
    got = ask(w, 6001)
    same((w.s1, 5000, BIG), (got.dst, got.l4.dport, got.l4.payload))


def test_in_any_order(w):
    same(BIG, ask(w, 6002, order=lambda parts: parts[::-1]).l4.payload)


def test_answers_in_fragments_come_from_the_vip(w):
    seen = ask(w, 6003)
    for part in fragments(w.Packet(w.s1, seen.src, Udp(5000, seen.l4.sport, BIG), ident=77), size(w)):
        w.server.send(part)
    got = gather(w, w.client)
    same((w.vip, 5000, 6003, BIG), (got.src, got.l4.sport, got.l4.dport, got.l4.payload))


def test_answers_in_fragments_backwards(w):
    seen = ask(w, 6004)
    for part in fragments(w.Packet(w.s1, seen.src, Udp(5000, seen.l4.sport, BIG), ident=78), size(w))[::-1]:
        w.server.send(part)
    same(BIG, gather(w, w.client).l4.payload)


def test_all_sizes_around_a_fragments_end(w):
    for n in (size(w) * k + d for k, d in ((1, -9), (1, -8), (1, -7), (1, -1), (1, 0), (1, 1), (2, -9), (2, -8), (2, -7))):
        same(BIG[:n], ask(w, 6005, BIG[:n]).l4.payload, f"{n} bytes")


def test_fragments_of_a_tcp_segment(w):
    f = Flow(w, 6006).established()
    parts = fragments(f.client_packet("PA", seq=2, ack=2, payload=BIG[:1400], ident=79), 720)
    for part in parts:
        w.client.send(part)
    got = w.server.recv(lambda p: p.proto == 6)
    if got.mf:
        body = got.l4 + w.server.recv(lambda p: p.proto == 6 and p.offset).l4
        got = w.Packet.parse(w.Packet(got.src, got.dst, body, proto=6).build())
        assert not got.problems, got.problems
    same(BIG[:1400], got.l4.payload)


def test_a_fragment_that_stays_alone_reaches_nobody(w):
    w.drain()
    part = fragments(w.Packet(w.client_addr, w.vip, Udp(6007, 5000, BIG), ident=80), size(w))[1]
    w.client.send(part)
    w.server.nothing(w.client)


run(globals(), BOTH)
