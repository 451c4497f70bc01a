#!/usr/bin/env python3
# The director is a hop: it takes one from the TTL, and says so when nothing is left.
# suite: wire
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from ktap import run, same
from packet import Icmp, Packet, Tcp, Udp
from wire import RAW_CLIENT, RAW_S1, VIP, Flow, drops, fullnat

W = None


def setup():
    global W
    W = fullnat()


def test_one_is_taken_both_ways():
    f = Flow(W, 5001).established()
    same(2 - 1, f.client_sends("A", seq=2, ack=2, ttl=2).ttl)
    same(255 - 1, f.server_sends("A", seq=2, ack=2, ttl=255).ttl)


def test_a_request_with_one_left_is_answered_with_time_exceeded():
    before = drops("ttl_exceeded")
    f = Flow(W, 5002).established()
    W.drain()
    W.client.send(f.client_packet("A", seq=2, ack=2, ttl=1))
    got = W.client.recv(lambda p: isinstance(p.l4, Icmp))
    same((11, 0, RAW_CLIENT), (got.l4.type, got.l4.code, got.dst))
    inner = got.embedded()
    same((RAW_CLIENT, VIP), (inner.src, inner.dst), "the client's own packet is quoted")
    W.server.nothing(W.client)
    same(before + 1, drops("ttl_exceeded"))


def test_an_answer_with_one_left_is_answered_with_time_exceeded():
    f = Flow(W, 5003).established()
    W.drain()
    W.server.send(f.server_packet("A", seq=2, ack=2, ttl=1))
    got = W.server.recv(lambda p: isinstance(p.l4, Icmp))
    same((11, 0, RAW_S1), (got.l4.type, got.l4.code, got.dst))
    inner = got.embedded()
    same((RAW_S1, f.lip), (inner.src, inner.dst), "the server's own packet is quoted")
    W.client.nothing(W.server)


def test_udp_too():
    W.client.send(Packet(RAW_CLIENT, VIP, Udp(5004, 5000, b"x"), ttl=2))
    same(1, W.server.recv(lambda p: isinstance(p.l4, Udp) and p.l4.dport == 5000).ttl)
    W.client.send(Packet(RAW_CLIENT, VIP, Udp(5004, 5000, b"x"), ttl=1))
    same(11, W.client.recv(lambda p: isinstance(p.l4, Icmp)).l4.type)


run(globals())
