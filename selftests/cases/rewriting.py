#!/usr/bin/env python3
# What FULLNAT changes in a TCP packet, and that it changes nothing else: both ends are made by hand.
# suite: wire
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from ktap import run, same
from packet import NOP, SACK_PERMITTED, Packet, Tcp, mss, sack, timestamps, wscale
from wire import LIP1, RAW_CLIENT, RAW_S1, VIP, Flow, fullnat

W = None


def setup():
    global W
    W = fullnat()


def test_syn_goes_from_the_local_address_to_the_server():
    f = Flow(W, 2001)
    got = f.syn()
    same((LIP1, RAW_S1, 80, "S"), (got.src, got.dst, got.l4.dport, got.l4.flags))
    assert got.l4.sport >= 1024, got.l4.sport


def test_everything_else_in_the_ip_header_is_kept_but_the_ttl():
    f = Flow(W, 2002).established()
    sent = f.client_packet("PA", seq=2, ack=2, payload=b"hello", ident=0x1234, tos=0x10, ttl=33, df=True)
    got = f.to_server(sent)
    same((0x1234, 0x10, 32, True), (got.ident, got.tos, got.ttl, got.df))
    sent = f.server_packet("PA", seq=2, ack=7, payload=b"world", ident=0x4321, tos=0x08, ttl=44, df=False)
    got = f.to_client(sent)
    same((0x4321, 0x08, 43, False), (got.ident, got.tos, got.ttl, got.df))


def test_sequence_numbers_move_by_one_delta_both_ways():
    f = Flow(W, 2003)
    f.syn()
    assert f.delta, "the SYN's own number went to the server"
    back = f.syn_ack()
    same((f.c_isn + 1, f.s_isn), (back.l4.ack, back.l4.seq), "SYN-ACK as the client sees it")
    got = f.client_sends("PA", payload=b"12345")
    same(((f.c_isn + 1 + f.delta) % 2**32, f.s_isn + 1, b"12345"), (got.l4.seq, got.l4.ack, got.l4.payload))
    back = f.server_sends("PA", ack=6, payload=b"abc")
    same((f.c_isn + 6, f.s_isn + 1, b"abc"), (back.l4.ack, back.l4.seq, back.l4.payload))


def test_answers_come_from_the_vip():
    f = Flow(W, 2004).open()
    back = f.server_sends("PA", payload=b"x")
    same((VIP, RAW_CLIENT, 80, 2004), (back.src, back.dst, back.l4.sport, back.l4.dport))


def test_a_repeated_syn_leaves_with_the_same_port_and_number():
    f = Flow(W, 2005)
    first, second = f.syn(), f.client_sends("S", seq=0)
    same((first.l4.sport, first.l4.seq), (second.l4.sport, second.l4.seq))


def test_sequence_numbers_wrap():
    f = Flow(W, 2006, c_isn=2**32 - 3, s_isn=2**32 - 2).open()
    got = f.client_sends("PA", payload=b"0123456789")
    same((2**32 - 2 + f.delta) % 2**32, got.l4.seq)
    back = f.server_sends("PA", ack=11, payload=b"y" * 9)
    same((8, 2**32 - 1), (back.l4.ack, back.l4.seq))


def test_sack_blocks_of_the_server_are_in_the_clients_numbers():
    f = Flow(W, 2007).established(options=SACK_PERMITTED)
    d = f.c_isn + f.delta
    back = f.server_sends("A", seq=2, ack=2, options=NOP * 2 + sack((d + 10, d + 20), (d + 30, d + 40), (d + 50, d + 60)))
    same([(f.c_isn + a, f.c_isn + b) for a, b in ((10, 20), (30, 40), (50, 60))], back.l4.sacks())


def test_sack_blocks_of_the_client_stay():
    f = Flow(W, 2008).established(options=SACK_PERMITTED)
    blocks = ((f.s_isn + 10, f.s_isn + 20), (f.s_isn + 30, f.s_isn + 40))
    got = f.client_sends("A", seq=2, ack=2, options=NOP * 2 + sack(*blocks))
    same(list(blocks), got.l4.sacks())


def test_other_options_of_an_established_flow_stay():
    f = Flow(W, 2009).established()
    options = NOP * 2 + timestamps(123456, 654321)
    same(options, f.client_sends("PA", seq=2, ack=2, payload=b"z", options=options).l4.options)
    same(options, f.server_sends("PA", seq=2, ack=3, payload=b"z", options=options).l4.options)


def test_urgent_window_and_flags_stay():
    f = Flow(W, 2010).established()
    p = f.client_packet("PAUEC", seq=2, ack=2, payload=b"!")
    p.l4.window = 4711
    got = f.to_server(p)
    same(("PAUEC", 4711), (got.l4.flags, got.l4.window))


def test_resets_pass_both_ways():
    f = Flow(W, 2011).established()
    got = f.client_sends("R", seq=2)
    same(((f.c_isn + 2 + f.delta) % 2**32, "R"), (got.l4.seq, got.l4.flags))
    g = Flow(W, 2012).established()
    back = g.server_sends("RA", seq=2, ack=2)
    same((g.s_isn + 2, g.c_isn + 2, "RA"), (back.l4.seq, back.l4.ack, back.l4.flags))


def test_a_server_that_refuses_is_heard():
    f = Flow(W, 2013)
    f.syn()
    back = f.server_sends("RA", seq=0, ack=1)
    same((f.c_isn + 1, "RA"), (back.l4.ack, back.l4.flags))


def test_a_segment_of_no_connection_reaches_no_server():
    W.drain()
    W.client.send(Packet(RAW_CLIENT, VIP, Tcp(2099, 80, 1, 1, "PA", payload=b"lost")))
    W.server.nothing(W.client)


def test_two_clients_never_share_a_port():
    ports = [Flow(W, 2100 + i) for i in range(50)]
    seen = {(f.syn().src, f.lport) for f in ports}
    same(50, len(seen), "distinct (local address, port)")


def test_whole_segments_of_every_length():
    f = Flow(W, 2014).established()
    seq = 2
    for n in (1, 2, 3, 7, 535, 536, 1447, 1448, 1459, 1460):
        payload = bytes(i * 7 % 256 for i in range(n))
        same(payload, f.client_sends("PA", seq=seq, ack=2, payload=payload).l4.payload)
        same(payload, f.server_sends("PA", seq=2, ack=seq + n, payload=payload).l4.payload)
        seq += n


run(globals())
