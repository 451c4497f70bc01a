#!/usr/bin/env python3
# ICMP errors about a connection's packets reach the other end in its own terms: addresses, ports, sequence number, MTU.
# suite: wire
import os
import struct
import sys
from dataclasses import replace

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from ktap import run, same, sh
from packet import Udp
from packet6 import DESTINATION, HOP_BY_HOP, PADDING
from wire import BOTH, V6, Flow, drops, fullnat


def setup():
    fullnat()


def endpoints(packet):
    """(src, sport, dst, dport, first 4 bytes after the ports) of an embedded packet, of which 8 bytes are enough."""
    raw = packet.l4 if isinstance(packet.l4, bytes) else packet.l4.build(packet.src, packet.dst)
    sport, dport, number = struct.unpack("!HHI", raw[:8])
    return packet.src, sport, packet.dst, dport, number


def udp_seen(w, cport):
    w.client.send(w.Packet(w.client_addr, w.vip, Udp(cport, 5000, b"ping")))
    return w.server.recv(lambda p: isinstance(p.l4, Udp) and p.l4.dport == 5000)


def test_port_unreachable_of_a_server_reaches_the_client(w):
    seen = udp_seen(w, 4001)
    w.server.send(w.error(seen, w.s1, seen.src, w.port_unreachable))
    got = w.client.recv(w.is_error)
    same((w.vip, w.client_addr, w.port_unreachable), (got.src, got.dst, (got.l4.type, got.l4.code)))
    same((w.client_addr, 4001, w.vip, 5000), endpoints(got.embedded())[:4])
    same([], got.embedded().problems, "embedded IP header")


def test_port_unreachable_of_a_client_reaches_the_server(w):
    seen = udp_seen(w, 4002)
    w.server.send(w.Packet(w.s1, seen.src, Udp(5000, seen.l4.sport, b"pong")))
    back = w.client.recv(lambda p: isinstance(p.l4, Udp) and p.l4.sport == 5000)
    w.client.send(w.error(back, w.client_addr, w.vip, w.port_unreachable))
    got = w.server.recv(w.is_error)
    same((w.lip1, w.s1, w.port_unreachable), (got.src, got.dst, (got.l4.type, got.l4.code)))
    same((w.s1, 5000, w.lip1, seen.l4.sport), endpoints(got.embedded())[:4])


def test_too_big_of_a_router_behind_tells_the_client_its_own_number(w):
    f = Flow(w, 4003).established()
    sent = f.client_sends("PA", seq=2, ack=2, payload=b"d" * 1400)
    w.server.send(w.error(sent, w.router_s, f.lip, w.too_big, mtu=1300))
    got = w.client.recv(w.is_error)
    same((w.vip, w.client_addr, w.too_big, 1300), (got.src, got.dst, (got.l4.type, got.l4.code), got.l4.mtu))
    same((w.client_addr, 4003, w.vip, 80, f.c_isn + 2), endpoints(got.embedded()))


def test_too_big_while_toa_is_inserted_leaves_room_for_it(w):
    f = Flow(w, 4004).open()
    sent = f.client_sends("PA", payload=b"d" * 1400)
    w.server.send(w.error(sent, w.router_s, f.lip, w.too_big, mtu=1300))
    same(1300 - w.toa_len, w.client.recv(w.is_error).l4.mtu)


def test_too_big_of_a_router_before_tells_the_server_its_own_number(w):
    f = Flow(w, 4005).established()
    back = f.server_sends("PA", seq=2, ack=2, payload=b"d" * 1400)
    w.client.send(w.error(back, w.router_c, w.vip, w.too_big, mtu=1280))
    got = w.server.recv(w.is_error)
    same((w.s1, w.too_big, 1280), (got.dst, (got.l4.type, got.l4.code), got.l4.mtu))
    same((w.s1, 80, f.lip, f.lport, f.s_isn + 2), endpoints(got.embedded()))


def test_time_exceeded_of_a_router_behind_reaches_the_client(w):
    f = Flow(w, 4006).established()
    sent = f.client_sends("PA", seq=2, ack=2, payload=b"x")
    w.server.send(w.error(sent, w.router_s, f.lip, w.time_exceeded))
    got = w.client.recv(w.is_error)
    same(w.time_exceeded, (got.l4.type, got.l4.code))
    same((w.client_addr, 4006, w.vip, 80, f.c_isn + 2), endpoints(got.embedded()))


def test_a_long_quotation_is_translated_whole(w):
    f = Flow(w, 4007).established()
    sent = f.client_sends("PA", seq=2, ack=2, payload=b"payload of the packet")
    w.server.send(w.error(sent, w.router_s, f.lip, w.host_unreachable, quote=1000))
    got = w.client.recv(w.is_error)
    inner = got.embedded()
    same((w.client_addr, 4007, w.vip, 80, f.c_isn + 2), endpoints(inner))
    same(b"payload of the packet", inner.l4.payload)


def test_every_kind_of_error_keeps_its_words(w):
    # Type, code and the 32 bits after them, which the parameter problem's pointer is in, are the sender's.
    f = Flow(w, 4011).established()
    sent = f.client_sends("PA", seq=2, ack=2, payload=b"x")
    back = f.server_sends("PA", seq=2, ack=3, payload=b"y")
    kinds = [w.host_unreachable, w.port_unreachable, w.time_exceeded, w.parameter_problem, (w.time_exceeded[0], 1)]
    for kind in kinds + ([(1, n) for n in range(7)] + [(4, 1), (4, 2)] if w.is_v6 else [(3, n) for n in (0, 2, 9, 10, 13)]):
        rest = (40 if w.is_v6 else 9 << 24) if kind[0] == w.parameter_problem[0] else 0
        w.server.send(w.error(sent, w.router_s, f.lip, kind, rest))
        got = w.client.recv(w.is_error)
        same((kind, rest, w.client_addr), ((got.l4.type, got.l4.code), got.l4.rest, got.dst), "to the client")
        same((w.client_addr, 4011, w.vip, 80, f.c_isn + 2), endpoints(got.embedded()))
        w.client.send(w.error(back, w.router_c, w.vip, kind, rest))
        got = w.server.recv(w.is_error)
        same((kind, rest, w.s1), ((got.l4.type, got.l4.code), got.l4.rest, got.dst), "to the server")
        same((w.s1, 80, f.lip, f.lport, f.s_isn + 2), endpoints(got.embedded()))


def test_an_error_about_nothing_we_know_goes_nowhere(w):
    w.drain()
    f = Flow(w, 4008).established()
    sent = f.client_packet("PA", seq=2, ack=2, payload=b"x")
    sent.src, sent.dst = w.lip1, w.s1
    sent.l4.sport, sent.l4.dport = 999, 80
    w.server.send(w.error(sent, w.s1, w.lip1, w.port_unreachable))
    w.client.nothing(w.server)


def test_an_error_with_too_little_in_it_is_dropped(w):
    f = Flow(w, 4009).established()
    sent = f.client_sends("PA", seq=2, ack=2, payload=b"x")
    w.drain()
    before = drops("bad_icmp")
    quotes = (0, 10, w.head - 1, w.head, w.head + 4, w.head + 7)
    for quote in quotes:
        w.server.send(w.error(sent, w.s1, f.lip, w.port_unreachable, quote=quote))
    w.client.nothing(w.server)
    # Without ports nobody can say that it is about a connection of ours: the stack has those.
    with_ports = [quote for quote in quotes if quote >= w.head + 4]
    same(before + len(with_ports), drops("bad_icmp"), "bad_icmp")


def test_an_error_with_a_wrong_checksum_is_dropped(w):
    f = Flow(w, 4010).established()
    sent = f.client_sends("PA", seq=2, ack=2, payload=b"x")
    w.drain()
    bad = w.error(sent, w.s1, f.lip, w.port_unreachable)
    bad.l4.checksum = 0x1234
    before = drops("bad_checksum")
    w.server.send(bad)
    w.client.nothing(w.server)
    same(before + 1, drops("bad_checksum"), "bad_checksum")


def test_the_vip_and_the_local_addresses_still_answer_pings(w):
    sh(f"in_ns client ping -c 1 -W 10 {w.vip}; in_ns s1 ping -c 1 -W 10 {w.lip1}")


def test_an_error_behind_extension_headers_about_a_packet_with_some():
    w = V6
    f = Flow(w, 4012).established()
    sent = f.client_sends("PA", seq=2, ack=2, payload=b"x")
    quoted = replace(sent, headers=[(DESTINATION, PADDING)])
    error = w.error(quoted, w.router_s, f.lip, w.host_unreachable, quote=56)
    error.headers = [(HOP_BY_HOP, PADDING)]
    w.server.send(error)
    got = w.client.recv(w.is_error)
    same((w.client_addr, 4012, w.vip, 80, f.c_isn + 2), endpoints(got.embedded()))


run(globals(), BOTH)
