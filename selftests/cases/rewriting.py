#!/usr/bin/env python3
# What FULLNAT changes in a TCP packet, and that it changes nothing else: both ends are made by hand.
# suite: wire
import os
import sys
from dataclasses import replace

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from genl import Genl, attr
from ipvs import DEL_SERVICE, NEW_SERVICE, full, ident
from ktap import run, same, sh
from packet import NOP, SACK_PERMITTED, Tcp, mss, sack, timestamps
from packet6 import DESTINATION, HOP_BY_HOP, PADDING, UNKNOWN_SKIP
from wire import BOTH, V6, Flow, fullnat

def setup():
    fullnat()


def test_syn_goes_from_the_local_address_to_the_server(w):
    f = Flow(w, 2001)
    got = f.syn()
    same((w.lip1, w.s1, 80, "S"), (got.src, got.dst, got.l4.dport, got.l4.flags))
    assert got.l4.sport >= 1024, got.l4.sport


def test_everything_else_in_the_ip_header_is_kept_but_the_ttl(w):
    f = Flow(w, 2002).established()
    # The flow label belongs to the sender's flow, of which there is one here as there.
    kept = ("tos", "label") if w.is_v6 else ("tos", "ident", "df")
    for sent, send in ((f.client_packet("PA", seq=2, ack=2, payload=b"hello", tos=0x10, ttl=33), f.to_server),
                       (f.server_packet("PA", seq=2, ack=7, payload=b"world", tos=0x08, ttl=44), f.to_client)):
        for name, value in ({"label": 0x54321} if w.is_v6 else {"ident": 0x4321, "df": send == f.to_server}).items():
            setattr(sent, name, value)
        got = send(sent)
        same([getattr(sent, name) for name in kept] + [sent.ttl - 1], [getattr(got, name) for name in kept] + [got.ttl])


def test_sequence_numbers_move_by_one_delta_both_ways(w):
    f = Flow(w, 2003)
    f.syn()
    assert f.delta, "the SYN's own number went to the server"
    back = f.syn_ack()
    same((f.c_isn + 1, f.s_isn), (back.l4.ack, back.l4.seq), "SYN-ACK as the client sees it")
    got = f.client_sends("PA", payload=b"12345")
    same(((f.c_isn + 1 + f.delta) % 2**32, f.s_isn + 1, b"12345"), (got.l4.seq, got.l4.ack, got.l4.payload))
    back = f.server_sends("PA", ack=6, payload=b"abc")
    same((f.c_isn + 6, f.s_isn + 1, b"abc"), (back.l4.ack, back.l4.seq, back.l4.payload))


def test_answers_come_from_the_vip(w):
    f = Flow(w, 2004).open()
    back = f.server_sends("PA", payload=b"x")
    same((w.vip, w.client_addr, 80, 2004), (back.src, back.dst, back.l4.sport, back.l4.dport))


def test_a_repeated_syn_leaves_with_the_same_port_and_number(w):
    f = Flow(w, 2005)
    first, second = f.syn(), f.client_sends("S", seq=0)
    same((first.l4.sport, first.l4.seq), (second.l4.sport, second.l4.seq))


def test_sequence_numbers_wrap(w):
    f = Flow(w, 2006, c_isn=2**32 - 3, s_isn=2**32 - 2).open()
    got = f.client_sends("PA", payload=b"0123456789")
    same((2**32 - 2 + f.delta) % 2**32, got.l4.seq)
    back = f.server_sends("PA", ack=11, payload=b"y" * 9)
    same((8, 2**32 - 1), (back.l4.ack, back.l4.seq))


def test_sack_blocks_of_the_server_are_in_the_clients_numbers(w):
    f = Flow(w, 2007).established(options=SACK_PERMITTED)
    d = f.c_isn + f.delta
    back = f.server_sends("A", seq=2, ack=2, options=NOP * 2 + sack((d + 10, d + 20), (d + 30, d + 40), (d + 50, d + 60)))
    same([(f.c_isn + a, f.c_isn + b) for a, b in ((10, 20), (30, 40), (50, 60))], back.l4.sacks())


def test_sack_blocks_of_the_client_stay(w):
    f = Flow(w, 2008).established(options=SACK_PERMITTED)
    blocks = ((f.s_isn + 10, f.s_isn + 20), (f.s_isn + 30, f.s_isn + 40))
    got = f.client_sends("A", seq=2, ack=2, options=NOP * 2 + sack(*blocks))
    same(list(blocks), got.l4.sacks())


def test_other_options_of_an_established_flow_stay(w):
    f = Flow(w, 2009).established()
    options = NOP * 2 + timestamps(123456, 654321)
    same(options, f.client_sends("PA", seq=2, ack=2, payload=b"z", options=options).l4.options)
    same(options, f.server_sends("PA", seq=2, ack=3, payload=b"z", options=options).l4.options)


def test_urgent_window_and_flags_stay(w):
    f = Flow(w, 2010).established()
    p = f.client_packet("PAUEC", seq=2, ack=2, payload=b"!")
    p.l4.window = 4711
    got = f.to_server(p)
    same(("PAUEC", 4711), (got.l4.flags, got.l4.window))


def test_resets_pass_both_ways(w):
    f = Flow(w, 2011).established()
    got = f.client_sends("R", seq=2)
    same(((f.c_isn + 2 + f.delta) % 2**32, "R"), (got.l4.seq, got.l4.flags))
    g = Flow(w, 2012).established()
    back = g.server_sends("RA", seq=2, ack=2)
    same((g.s_isn + 2, g.c_isn + 2, "RA"), (back.l4.seq, back.l4.ack, back.l4.flags))


def test_a_server_that_refuses_is_heard(w):
    f = Flow(w, 2013)
    f.syn()
    back = f.server_sends("RA", seq=0, ack=1)
    same((f.c_isn + 1, "RA"), (back.l4.ack, back.l4.flags))


def test_a_segment_of_no_connection_reaches_no_server(w):
    w.drain()
    w.client.send(w.Packet(w.client_addr, w.vip, Tcp(2099, 80, 1, 1, "PA", payload=b"lost")))
    w.server.nothing(w.client)


def test_two_clients_never_share_a_port(w):
    ports = [Flow(w, 2100 + i) for i in range(50)]
    seen = {(f.syn().src, f.lport) for f in ports}
    same(50, len(seen), "distinct (local address, port)")


def test_whole_segments_of_every_length(w):
    f = Flow(w, 2014).established()
    seq = 2
    for n in [1, 2, 3, 7, 535, 536] + [1500 - w.head - 20 - less for less in (13, 12, 1, 0)]:
        payload = bytes(i * 7 % 256 for i in range(n))
        same(payload, f.client_sends("PA", seq=seq, ack=2, payload=payload).l4.payload)
        same(payload, f.server_sends("PA", seq=2, ack=seq + n, payload=payload).l4.payload)
        seq += n


def test_a_service_for_every_port(w):
    # The command lines add one with persistence only.
    IPVS, service = Genl("IPVS"), {"port": 0, "af": w.af, "a": w.vip}
    IPVS.ask(NEW_SERVICE, attr(1, full(**service)))
    try:
        sh(f"family {w.name}; adm -P -t $vip:0 -z $LIP2; adm -a -t $vip:0 -r $raw_s2:0 --fullnat")
        f = Flow(w, 2017, vport=4711)
        w.client.send(f.client_packet("S", seq=0))
        got = w.server2.recv(lambda p: p.proto == 6)
        same((w.lip2, w.s2, 4711), (got.src, got.dst, got.l4.dport))
        w.server2.send(w.Packet(w.s2, got.src, Tcp(4711, got.l4.sport, 1, got.l4.seq + 1, "SA")))
        back = w.client.recv(lambda p: p.proto == 6 and p.l4.dport == 2017)
        same((w.vip, 4711, f.c_isn + 1), (back.src, back.l4.sport, back.l4.ack))
        same((w.lip1, w.s1), ((own := Flow(w, 2018).syn()).src, own.dst), "the service of port 80")
    finally:
        IPVS.ask(DEL_SERVICE, attr(1, ident(**service)))


def test_extension_headers_are_kept():
    w = V6
    f = Flow(w, 2015)
    headers = [(HOP_BY_HOP, PADDING), (DESTINATION, UNKNOWN_SKIP)]
    def kept(send, packet):
        got = send(replace(packet, headers=headers))
        same(headers, got.headers)
        return got
    got = kept(f.to_server, f.client_packet("S", seq=0, options=mss(1440)))
    f.lip, f.lport, f.rport, f.delta = got.src, got.l4.sport, got.l4.dport, (got.l4.seq - f.c_isn) % 2**32
    assert got.l4.option(254), "no TOA behind the headers"
    kept(f.to_client, f.server_packet("SA", seq=0))
    same(b"hello", kept(f.to_server, f.client_packet("PA", payload=b"hello")).l4.payload)
    same(b"world", kept(f.to_client, f.server_packet("PA", ack=6, payload=b"world")).l4.payload)


def test_a_fragment_header_of_a_whole_packet():
    # RFC 6946: it is neither collected nor waited for.
    w = V6
    f = Flow(w, 2016).established()
    got = f.to_server(f.client_packet("PA", seq=2, ack=2, payload=b"atomic", atomic=True, ident=5))
    same(b"atomic", got.l4.payload)
    same(b"back", f.to_client(f.server_packet("PA", seq=2, ack=8, payload=b"back", atomic=True, ident=6)).l4.payload)


run(globals(), BOTH)
