#!/usr/bin/env python3
# Every state a checksum can be in: complete, left to the device, absent (UDP), wrong. The ends verify what arrives.
# suite: wire
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from ktap import run, same
from packet import SACK_PERMITTED, Udp, mss, timestamps, wscale
from wire import BOTH, V4, Flow, fullnat


def setup():
    fullnat()


def udp(p):
    return isinstance(p.l4, Udp) and p.l4.dport != 9


def test_complete_checksums_are_right_afterwards(w):
    # recv refuses whatever does not verify; odd lengths and all-ones included.
    f = Flow(w, 7001).open(mss(1460) + SACK_PERMITTED + timestamps(1) + wscale(3))
    for n in range(0, 40):
        f.client_sends("PA", payload=b"\xff" * n)
        f.server_sends("A", ack=1, payload=b"")
    f.server_sends("PA", ack=1, payload=b"\xff" * 7)


def test_what_is_left_to_the_device_is_still_left_to_it(w):
    f = Flow(w, 7002).established()
    got = f.to_server(f.client_packet("PA", seq=2, ack=2, payload=b"partial"), partial=True)
    same((True, b"partial"), (got.partial, got.l4.payload))
    back = f.to_client(f.server_packet("PA", seq=2, ack=9, payload=b"back"), partial=True)
    same((True, b"back"), (back.partial, back.l4.payload))


def test_a_segment_that_grows_by_toa_with_its_checksum_left_to_the_device(w):
    f = Flow(w, 7003)
    p = f.client_packet("S", seq=0, options=mss(1460))
    w.client.send(p, partial=True)
    got = w.server.recv(lambda q: q.proto == 6)
    assert got.partial and got.l4.option(254), got


def test_udp_without_a_checksum_stays_without(w):
    # In IPv6 that is for the server to judge: only tunnels may do without (RFC 6936).
    w.client.send(w.Packet(w.client_addr, w.vip, Udp(7004, 5000, b"none", checksum=0)))
    got = w.server.recv(udp, sound=not w.is_v6)
    same((0, b"none"), (got.l4.checksum, got.l4.payload))
    w.server.send(w.Packet(w.s1, got.src, Udp(5000, got.l4.sport, b"none", checksum=0)))
    same(0, w.client.recv(udp, sound=not w.is_v6).l4.checksum)


def test_udp_with_a_checksum_never_comes_out_with_none(w):
    # Of 65,536 payloads one makes the sum zero after the change: it must leave as 0xffff. All are tried by changing
    # two payload bytes so that the sum runs through everything near it.
    w.client.send(w.Packet(w.client_addr, w.vip, Udp(7005, 5000, b"\0\0")))
    first = w.server.recv(udp)
    # ones-complement: adding the checksum to the payload makes the sum 0xffff, whose complement is 0.
    payload = first.l4.checksum.to_bytes(2, "big")
    for delta in (-1, 0, 1):
        value = (int.from_bytes(payload, "big") + delta) % 0x10000
        w.client.send(w.Packet(w.client_addr, w.vip, Udp(7005, 5000, value.to_bytes(2, "big"))))
        got = w.server.recv(udp)
        assert got.l4.checksum != 0, f"checksum 0 for payload {value:#x}"
        same(value.to_bytes(2, "big"), got.l4.payload)


def test_udp_left_to_the_device(w):
    w.client.send(w.Packet(w.client_addr, w.vip, Udp(7006, 5000, b"device")), partial=True)
    got = w.server.recv(udp)
    same((True, b"device"), (got.partial, got.l4.payload))


def test_a_wrong_checksum_is_not_repaired(w):
    # The change is incremental: what was damaged before the director is still seen to be damaged behind it, or it
    # is dropped there.
    f = Flow(w, 7007).established()
    p = f.client_packet("PA", seq=2, ack=2, payload=b"damaged")
    p.l4.checksum = 0x1111
    w.drain()
    w.client.send(p)
    for got in w.server.all_until_mark(w.client):
        assert "L4 checksum" in got.problems, f"repaired: {got}"


def test_a_wrong_ip_checksum_is_dropped():
    w = V4
    f = Flow(w, 7008).established()
    p = f.client_packet("PA", seq=2, ack=2, payload=b"damaged")
    p.header_checksum = 0x1111
    w.drain()
    w.client.send(p)
    w.server.nothing(w.client)


run(globals(), BOTH)
