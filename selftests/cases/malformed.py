#!/usr/bin/env python3
# Packets that contradict themselves: nothing of them reaches a server, they are counted, and nothing else suffers.
# suite: wire
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from ktap import run, same
from packet import Tcp, Udp, mss
from packet6 import DESTINATION, FRAGMENT, HOP_BY_HOP, PADDING, ROUTING
from wire import BOTH, V4, V6, Flow, drops, fullnat


def setup():
    fullnat()


def nothing_comes_of(w, packets):
    w.drain()
    for p in packets:
        w.client.send(p)
    w.server.nothing(w.client)


def test_tcp_headers_cut_short(w):
    whole = w.Packet(w.client_addr, w.vip, Tcp(13001, 80, 1, 0, "S", options=mss(1460))).build()
    def cut(n):
        body = whole[w.head:w.head + n]
        return w.Packet(w.client_addr, w.vip, body, proto=6)
    nothing_comes_of(w, [cut(n) for n in range(0, 20)])


def test_a_data_offset_that_is_too_small_or_too_large(w):
    nothing_comes_of(w, [w.Packet(w.client_addr, w.vip, Tcp(13002, 80, 1, 0, "S", doff=d)) for d in (0, 1, 4, 6, 15)])


def test_udp_headers_cut_short_or_with_a_wrong_length(w):
    def raw(length, body=b"abcd"):
        return w.Packet(w.client_addr, w.vip, struct.pack("!HHHH", 13003, 5000, length, 0) + body, proto=17)
    nothing_comes_of(w, [w.Packet(w.client_addr, w.vip, b"\0" * n, proto=17) for n in range(0, 8)]
                     + [raw(n) for n in (0, 1, 7, 13, 65535)])


def test_an_ip_length_beyond_the_packet(w):
    p = w.Packet(w.client_addr, w.vip, Udp(13004, 5000, b"x"), total=200)
    nothing_comes_of(w, [p])


def test_flags_that_start_nothing(w):
    # (SYN with other flags is a SYN for IPVS; these are not.)
    nothing_comes_of(w, [w.Packet(w.client_addr, w.vip, Tcp(13005 + i, 80, 1, 1, f)) for i, f in enumerate(("", "F", "A", "R", "RA", "FA", "PUF"))])


def test_sources_that_cannot_be(w):
    # Nobody has IPv6 routing ask whether this host's own addresses may come from outside.
    impossible = ("::", "::1", "ff02::1", "ff0e::1") if w.is_v6 else \
        ("0.0.0.0", "127.0.0.1", "255.255.255.255", "224.0.0.1", w.vip, w.lip1)
    for src in impossible:
        nothing_comes_of(w, [w.Packet(src, w.vip, Udp(13006, 5000, b"x")), w.Packet(src, w.vip, Tcp(13006, 80, 1, 0, "S"))])


def test_answers_that_nobody_asked_for(w):
    w.drain()
    for sport, dport in ((80, 1024), (80, 65535), (5000, 2000)):
        w.server.send(w.Packet(w.s1, w.lip1, Tcp(sport, dport, 1, 1, "SA")))
        w.server.send(w.Packet(w.s1, w.lip1, Udp(sport, dport, b"x")))
    w.client.nothing(w.server)


def test_icmp_errors_whose_inside_lies(w):
    f = Flow(w, 13007).established()
    sent = f.client_sends("PA", seq=2, ack=2, payload=b"x").build()
    w.drain()
    # Version, header length, protocol, length, fragment; in IPv6 the next header, the lengths, a chain that never ends.
    v4 = ((0, 0x41), (0, 0x4f), (0, 0x65), (9, 99), (2, 0xff), (6, 0x1f))
    v6 = ((0, 0x45), (0, 0x70), (4, 0xff), (5, 0), (6, 0), (6, 43), (6, 44), (6, 51), (6, 60), (6, 99))
    for at, value in v6 if w.is_v6 else v4:
        for quote in (w.head + 8, len(sent)):
            inner = bytearray(sent[:quote])
            inner[at] = value
            w.server.send(w.error(bytes(inner), w.s1, f.lip, w.port_unreachable, quote=quote))
    # A sound one at the end: the others have broken nothing.
    w.server.send(w.error(sent, w.s1, f.lip, w.port_unreachable, quote=len(sent)))
    got = [p for p in w.client.all_until_mark(w.server) if w.is_error(p)]
    assert got, "the sound one did not come"
    # A wrong header checksum inside is not ours to judge, but what comes out must be a sound packet about this flow.
    for p in got:
        same([], p.problems)


def test_ip_options_are_kept_or_refused_but_never_broken():
    w = V4
    p = w.Packet(w.client_addr, w.vip, Udp(13008, 5000, b"options"), options=b"\x07\x07\x04\0\0\0\0\0")
    w.drain()
    w.client.send(p)
    got = w.server.all_until_mark(w.client)
    same([(b"options", [])], [(each.l4.payload, each.problems) for each in got])


def test_extension_headers_that_contradict_themselves():
    """Chains that are longer than the packet, longer than is looked at, or nothing but headers."""
    w = V6
    segment = Tcp(13050, 80, 1, 0, "S")

    def chained(*headers, proto=6, l4=segment):
        return w.Packet(w.client_addr, w.vip, l4.build(w.client_addr, w.vip) if l4 else b"", headers=list(headers), proto=proto)

    long = (DESTINATION, b"\xff" + PADDING[1:])
    padding = (DESTINATION, PADDING)
    nothing_comes_of(w, [chained(long), chained((HOP_BY_HOP, b"\x40" + PADDING[1:])), chained((FRAGMENT, PADDING)),
                         chained((ROUTING, b"\1\0\1\0\0\0\0")), chained(padding, l4=None), chained(padding, proto=59),
                         chained(*[padding] * 8, proto=60, l4=None), chained(padding, proto=DESTINATION, l4=None),
                         chained(*[padding] * 12)]
                     + [chained(padding, l4=None, proto=6), chained(padding, l4=None, proto=17), chained(padding, l4=None, proto=58)])


def test_a_chain_longer_than_is_looked_at_does_not_pass_the_balancer_by():
    """The director's own stack would take it, and answer."""
    w = V6
    segment = Tcp(13051, 80, 1, 0, "S").build(w.client_addr, w.vip)
    before = drops("bad_header")
    w.drain()
    w.client.drain()
    w.client.send(w.Packet(w.client_addr, w.vip, segment, headers=[(DESTINATION, PADDING)] * 12, proto=6))
    w.server.nothing(w.client)
    w.client.nothing(w.server)
    same(before + 1, drops("bad_header"))


def test_a_flow_still_works_afterwards(w):
    f = Flow(w, 13009).established()
    same(b"ok", f.client_sends("PA", seq=2, ack=2, payload=b"ok").l4.payload)


def test_each_is_counted_by_what_is_wrong_with_it(w):
    whole = w.Packet(w.client_addr, w.vip, Tcp(13010, 80, 1, 0, "S")).build()
    cut = w.Packet(w.client_addr, w.vip, whole[w.head:w.head + 10], proto=6)
    small = w.Packet(w.client_addr, w.vip, Tcp(13011, 80, 1, 0, "S", doff=4))
    for packet, reason in ((cut, "truncated"), (small, "bad_header")):
        before = drops(reason)
        nothing_comes_of(w, [packet])
        same(before + 1, drops(reason), reason)


run(globals(), BOTH)
