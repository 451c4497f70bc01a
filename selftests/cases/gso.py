#!/usr/bin/env python3
# Big packets stay whole, and say rightly how they are to be cut.
# suite: wire
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from ktap import run, same, sh
from packet import NOP, SACK_PERMITTED, sack
from wire import BOTH, Flow, fullnat

DATA = bytes(i % 249 for i in range(14000))


def setup():
    fullnat()


def test_a_big_packet_leaves_whole_to_the_server(w):
    f = Flow(w, 8001).established()
    got = f.to_server(f.client_packet("PA", seq=2, ack=2, payload=DATA), gso_size=1400)
    same((DATA, 1400, True), (got.l4.payload, got.gso_size, got.partial))


def test_and_to_the_client(w):
    f = Flow(w, 8002).established()
    got = f.to_client(f.server_packet("PA", seq=2, ack=2, payload=DATA), gso_size=1468 - w.head)
    same((DATA, 1468 - w.head, True), (got.l4.payload, got.gso_size, got.partial))


def test_with_toa_it_stays_whole_and_every_segment_fits(w):
    f = Flow(w, 8003).open()
    size = 1500 - w.head - 20 - w.toa_len
    got = f.to_server(f.client_packet("PA", payload=DATA), gso_size=size)
    same(DATA, got.l4.payload)
    assert got.l4.option(254), "no TOA"
    same(size, got.gso_size, "IP 20 + TCP 28 + 1452, or 40 + 40 + 1420: 1500 fits as it is")


def test_the_segment_size_is_lowered_only_when_one_would_not_fit(w):
    f = Flow(w, 8004).open()
    got = f.to_server(f.client_packet("PA", payload=DATA), gso_size=1500 - w.head - 20)
    same(DATA, got.l4.payload)
    same(1500 - w.head - 20 - w.toa_len, got.gso_size)


def test_sack_in_a_big_acknowledgement(w):
    f = Flow(w, 8005).established(options=SACK_PERMITTED)
    d = f.c_isn + f.delta
    back = f.to_client(f.server_packet("PA", seq=2, ack=2, payload=DATA, options=NOP * 2 + sack((d + 9, d + 99))), gso_size=1400)
    same(([(f.c_isn + 9, f.c_isn + 99)], DATA), (back.l4.sacks(), back.l4.payload))


def test_at_the_end_of_the_length_it_goes_without_toa(w):
    # A device cuts what is longer than its gso_max_size, link header included: these must not.
    sh("for p in client:eth0 director:s1; do ip -n ${p%:*} link set dev ${p#*:} gso_max_size 80000 gso_ipv4_max_size 80000; done")
    f = Flow(w, 8006).open()
    # The length in an IPv6 header is that of what follows it.
    payload = b"L" * (65535 - (20 if w.is_v6 else 40))
    got = f.to_server(f.client_packet("PA", payload=payload), gso_size=1400)
    same((None, len(payload)), (got.l4.option(254), len(got.l4.payload)))


run(globals(), BOTH)
