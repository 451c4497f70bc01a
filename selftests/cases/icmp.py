#!/usr/bin/env python3
# ICMP errors about a connection's packets reach the other end in its own terms: addresses, ports, sequence number, MTU.
# suite: wire
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from ktap import run, same, sh
from packet import Icmp, Packet, Udp, error_about
from wire import LIP1, RAW_CLIENT, RAW_S1, VIP, Flow, drops, fullnat, is_mark

W = None
ROUTER_S, ROUTER_C = "10.2.0.99", "10.1.0.99"  # routers on either side, which nobody is


def setup():
    global W
    W = fullnat()


def icmp(p):
    return isinstance(p.l4, Icmp)


def endpoints(packet):
    """(src, sport, dst, dport, first 4 bytes after the ports) of an embedded packet, of which 8 bytes are enough."""
    raw = packet.l4 if isinstance(packet.l4, bytes) else packet.l4.build(packet.src, packet.dst)
    sport, dport, number = struct.unpack("!HHI", raw[:8])
    return packet.src, sport, packet.dst, dport, number


def udp_seen(cport):
    W.client.send(Packet(RAW_CLIENT, VIP, Udp(cport, 5000, b"ping")))
    return W.server.recv(lambda p: isinstance(p.l4, Udp) and p.l4.dport == 5000)


def test_port_unreachable_of_a_server_reaches_the_client():
    seen = udp_seen(4001)
    W.server.send(error_about(seen, RAW_S1, seen.src, 3, 3))
    got = W.client.recv(icmp)
    same((VIP, RAW_CLIENT, 3, 3), (got.src, got.dst, got.l4.type, got.l4.code))
    same((RAW_CLIENT, 4001, VIP, 5000), endpoints(got.embedded())[:4])
    same([], got.embedded().problems, "embedded IP header")


def test_port_unreachable_of_a_client_reaches_the_server():
    seen = udp_seen(4002)
    W.server.send(Packet(RAW_S1, seen.src, Udp(5000, seen.l4.sport, b"pong")))
    back = W.client.recv(lambda p: isinstance(p.l4, Udp) and p.l4.sport == 5000)
    W.client.send(error_about(back, RAW_CLIENT, VIP, 3, 3))
    got = W.server.recv(icmp)
    same((LIP1, RAW_S1, 3, 3), (got.src, got.dst, got.l4.type, got.l4.code))
    same((RAW_S1, 5000, LIP1, seen.l4.sport), endpoints(got.embedded())[:4])


def test_frag_needed_of_a_router_behind_tells_the_client_its_own_number():
    f = Flow(W, 4003).established()
    sent = f.client_sends("PA", seq=2, ack=2, payload=b"d" * 1400)
    W.server.send(error_about(sent, ROUTER_S, f.lip, 3, 4, mtu=1300))
    got = W.client.recv(icmp)
    same((VIP, RAW_CLIENT, 3, 4, 1300), (got.src, got.dst, got.l4.type, got.l4.code, got.l4.mtu))
    same((RAW_CLIENT, 4003, VIP, 80, f.c_isn + 2), endpoints(got.embedded()))


def test_frag_needed_while_toa_is_inserted_leaves_room_for_it():
    f = Flow(W, 4004).open()
    sent = f.client_sends("PA", payload=b"d" * 1400)
    W.server.send(error_about(sent, ROUTER_S, f.lip, 3, 4, mtu=1300))
    same(1300 - 8, W.client.recv(icmp).l4.mtu)


def test_frag_needed_of_a_router_before_tells_the_server_its_own_number():
    f = Flow(W, 4005).established()
    back = f.server_sends("PA", seq=2, ack=2, payload=b"d" * 1400)
    W.client.send(error_about(back, ROUTER_C, VIP, 3, 4, mtu=1280))
    got = W.server.recv(icmp)
    same((RAW_S1, 3, 4, 1280), (got.dst, got.l4.type, got.l4.code, got.l4.mtu))
    same((RAW_S1, 80, f.lip, f.lport, f.s_isn + 2), endpoints(got.embedded()))


def test_time_exceeded_of_a_router_behind_reaches_the_client():
    f = Flow(W, 4006).established()
    sent = f.client_sends("PA", seq=2, ack=2, payload=b"x")
    W.server.send(error_about(sent, ROUTER_S, f.lip, 11, 0))
    got = W.client.recv(icmp)
    same((11, 0), (got.l4.type, got.l4.code))
    same((RAW_CLIENT, 4006, VIP, 80, f.c_isn + 2), endpoints(got.embedded()))


def test_a_long_quotation_is_translated_whole():
    f = Flow(W, 4007).established()
    sent = f.client_sends("PA", seq=2, ack=2, payload=b"payload of the packet")
    W.server.send(error_about(sent, ROUTER_S, f.lip, 3, 1, quote=1000))
    got = W.client.recv(icmp)
    inner = got.embedded()
    same((RAW_CLIENT, 4007, VIP, 80, f.c_isn + 2), endpoints(inner))
    same(b"payload of the packet", inner.l4.payload)


def test_an_error_about_nothing_we_know_goes_nowhere():
    W.drain()
    f = Flow(W, 4008).established()
    sent = f.client_packet("PA", seq=2, ack=2, payload=b"x")
    sent.src, sent.dst = LIP1, RAW_S1
    sent.l4.sport, sent.l4.dport = 999, 80
    W.server.send(error_about(sent, RAW_S1, LIP1, 3, 3))
    W.client.nothing(W.server)


def test_an_error_with_too_little_in_it_is_dropped():
    f = Flow(W, 4009).established()
    sent = f.client_sends("PA", seq=2, ack=2, payload=b"x")
    W.drain()
    for quote in (0, 10, 19, 20, 24, 27):
        W.server.send(error_about(sent, RAW_S1, f.lip, 3, 3, quote=quote))
    W.client.nothing(W.server)


def test_an_error_with_a_wrong_checksum_is_dropped():
    f = Flow(W, 4010).established()
    sent = f.client_sends("PA", seq=2, ack=2, payload=b"x")
    W.drain()
    bad = error_about(sent, RAW_S1, f.lip, 3, 3)
    bad.l4.checksum = 0x1234
    W.server.send(bad)
    W.client.nothing(W.server)


def test_the_vip_and_the_local_addresses_still_answer_pings():
    sh(f"in_ns client ping -c 1 -W 10 {VIP}; in_ns s1 ping -c 1 -W 10 {LIP1}")


run(globals())
