#!/usr/bin/env python3
# The director is a hop: it takes one from the TTL, and says so when nothing is left.
# suite: wire
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from ktap import run, same
from packet import Udp
from wire import BOTH, Flow, drops, fullnat


def setup():
    fullnat()


def test_one_is_taken_both_ways(w):
    f = Flow(w, 5001).established()
    same(2 - 1, f.client_sends("A", seq=2, ack=2, ttl=2).ttl)
    same(255 - 1, f.server_sends("A", seq=2, ack=2, ttl=255).ttl)


def test_a_request_with_one_left_is_answered_with_time_exceeded(w):
    before = drops("ttl_exceeded")
    f = Flow(w, 5002).established()
    w.drain()
    w.client.send(f.client_packet("A", seq=2, ack=2, ttl=1))
    got = w.client.recv(w.is_error)
    same((w.time_exceeded, w.client_addr), ((got.l4.type, got.l4.code), got.dst))
    inner = got.embedded()
    same((w.client_addr, w.vip), (inner.src, inner.dst), "the client's own packet is quoted")
    w.server.nothing(w.client)
    same(before + 1, drops("ttl_exceeded"))


def test_an_answer_with_one_left_is_answered_with_time_exceeded(w):
    f = Flow(w, 5003).established()
    w.drain()
    w.server.send(f.server_packet("A", seq=2, ack=2, ttl=1))
    got = w.server.recv(w.is_error)
    same((w.time_exceeded, w.s1), ((got.l4.type, got.l4.code), got.dst))
    inner = got.embedded()
    same((w.s1, f.lip), (inner.src, inner.dst), "the server's own packet is quoted")
    w.client.nothing(w.server)


def test_udp_too(w):
    w.client.send(w.Packet(w.client_addr, w.vip, Udp(5004, 5000, b"x"), ttl=2))
    same(1, w.server.recv(lambda p: isinstance(p.l4, Udp) and p.l4.dport == 5000).ttl)
    w.client.send(w.Packet(w.client_addr, w.vip, Udp(5004, 5000, b"x"), ttl=1))
    same(w.time_exceeded[0], w.client.recv(w.is_error).l4.type)


run(globals(), BOTH)
