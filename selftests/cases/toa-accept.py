#!/usr/bin/env python3
# toa.ko: everything that asks for the peer gets the client, whatever made the connection; counters say what happened.
# suite: toa
import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from ktap import run, same
from wire import inside
from toa import (CLIENT, CPORT, LIP, SERVER, TCP_DEFER_ACCEPT, TCP_FASTOPEN, Family, Peer, counted, end, libc, listen,
                 network, no_network, option, option6, peername, server_sysctl, wait_for)

END = TOA = None


def setup():
    global END, TOA
    network()
    END, TOA = end(), Family()


def teardown():
    END.sock.close()
    no_network()


def accepted(listener, options, **how):
    """A connection whose ACK has these options: (peer, accepted socket, address from accept)."""
    p = Peer(END, listener.getsockname()[1])
    p.connect(options, **how)
    s, addr = listener.accept()
    return p, s, addr[:2]


def test_accept_and_getpeername_give_the_client():
    with listen(80) as l, counted(TOA, captured=1, answered=3):
        p, s, addr = accepted(l, option())
        same((CLIENT, CPORT), addr, "accept")
        same((CLIENT, CPORT), s.getpeername(), "getpeername")
        same((CLIENT, CPORT), peername(s), "SO_PEERNAME")
        s.close()


def test_getsockname_is_unchanged():
    with listen(80) as l:
        p, s, _ = accepted(l, option())
        same((SERVER, 80), s.getsockname())
        s.close()


def test_a_connection_without_the_option_has_its_own_peer():
    with listen(80) as l, counted(TOA, no_option=1, unknown=2):
        p, s, addr = accepted(l, b"")
        same((LIP, p.sport), addr)
        same((LIP, p.sport), s.getpeername())
        s.close()


def test_a_listener_on_all_of_ipv6_gives_the_client_in_ipv6_form():
    with listen(80, socket.AF_INET6) as l:
        p, s, addr = accepted(l, option())
        same((f"::ffff:{CLIENT}", CPORT, 0, 0), s.getpeername())
        same((f"::ffff:{CLIENT}", CPORT), addr)
        same((f"::ffff:{CLIENT}", CPORT), peername(s))
        same((f"::ffff:{SERVER}", 80), s.getsockname()[:2])
        s.close()


def test_addrform_keeps_the_client():
    with listen(80, socket.AF_INET6) as l:
        p, s, _ = accepted(l, option())
        s.setsockopt(socket.IPPROTO_IPV6, 1, socket.AF_INET)  # IPV6_ADDRFORM
        same((CLIENT, CPORT), peername(s))
        s.close()


def test_an_ipv6_client_of_an_ipv6_socket():
    for kind in (254, 253):
        with listen(80, socket.AF_INET6) as l:
            p, s, addr = accepted(l, option6("2001:db8::7", 443, kind))
            same(("2001:db8::7", 443), addr)
            s.close()


def test_an_ipv6_client_has_no_room_in_an_ipv4_socket():
    with listen(80) as l, counted(TOA, captured=1, no_room=1):
        p, s, addr = accepted(l, option6("2001:db8::7", 443))
        same((LIP, p.sport), addr)
        s.close()


def test_the_first_data_segment_makes_the_connection_when_the_ack_is_lost():
    with listen(80) as l:
        p = Peer(END, 80)
        p.send("S")
        p.got("SA")
        p.send("PA", option(), b"GET")
        s, addr = l.accept()
        same((CLIENT, CPORT), addr)
        same(b"GET", s.recv(10))
        s.close()


def test_deferred_accept():
    def defer(s):
        s.setsockopt(socket.IPPROTO_TCP, TCP_DEFER_ACCEPT, 30)
    with listen(80, before=defer) as l, counted(TOA, captured=1, answered=1):
        p = Peer(END, 80)
        p.send("S", option())
        p.got("SA")
        p.send("A", option())
        p.send("PA", option(), b"GET")
        s, addr = l.accept()
        same((CLIENT, CPORT), addr)
        same(b"GET", s.recv(10))
        s.close()


def test_syn_cookies():
    server_sysctl("net.ipv4.tcp_syncookies", 2)
    try:
        for family, wanted in ((socket.AF_INET, CLIENT), (socket.AF_INET6, f"::ffff:{CLIENT}")):
            with listen(80, family) as l, counted(TOA, captured=1, answered=1):
                p, s, addr = accepted(l, option(), syn=option())
                same((wanted, CPORT), addr)
                s.close()
    finally:
        server_sysctl("net.ipv4.tcp_syncookies", 1)


def fast_open(options, payload, family=socket.AF_INET):
    # 0x200: data in a SYN is taken without a cookie.
    server_sysctl("net.ipv4.tcp_fastopen", 0x202)
    with listen(80, family, before=lambda s: s.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN, 5)) as l:
        p = Peer(END, 80)
        p.send("S", options, payload)
        s, addr = l.accept()
        with s:
            return p, addr[:2], s.recv(100) if payload else b""


def test_fast_open_gives_the_client_of_the_syn():
    with counted(TOA, captured=1, answered=1):
        p, addr, data = fast_open(option(), b"GET /")
        same((CLIENT, CPORT), addr)
        same(b"GET /", data)
    same((f"::ffff:{CLIENT}", CPORT), fast_open(option(), b"x", socket.AF_INET6)[1])


def test_a_port_that_reads_as_a_fast_open_cookie_is_no_client():
    p, addr, _ = fast_open(option(cport=0xF989), b"x")
    same((LIP, p.sport), addr)


def test_options_beside_it_do_not_matter():
    with listen(80) as l:
        for options in (b"\1\1" + option(), option() + b"\1\1\0\0", b"\5\x0a" + bytes(8) + b"\1\1" + option()):
            p, s, addr = accepted(l, options)
            same((CLIENT, CPORT), addr, options.hex())
            s.close()


def test_the_first_of_two_counts():
    with listen(80) as l:
        p, s, addr = accepted(l, option() + option("198.51.100.1", 1))
        same((CLIENT, CPORT), addr)
        s.close()


def test_a_malformed_option_is_counted_and_harmless():
    with listen(80) as l:
        for options in (b"\xfe\6\0\1\1\1", b"\xfd\x0c" + bytes(10), b"\1\1\1\xfe"):
            with counted(TOA, malformed=1, unknown=1):
                p, s, addr = accepted(l, options)
                same((LIP, p.sport), addr, options.hex())
                s.close()


def test_entries_go_with_their_sockets():
    with listen(80) as l:
        before = TOA.stats()["entries"]
        held = [accepted(l, option(cport=n + 1)) for n in range(20)]
        same(before + 20, TOA.stats()["entries"])
        for n, (p, s, addr) in enumerate(held):
            same((CLIENT, n + 1), addr)
            if n % 3 == 0:  # reset by the other end
                p.reset()
            elif n % 3 == 1:  # reset by this end: linger 0, which clears the addresses before the socket ends
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            s.close()
        # Those closed in order wait for their FIN's ACK.
        for n, (p, s, addr) in enumerate(held):
            p.reset()
        wait_for(lambda: TOA.stats()["entries"] == before)


def test_never_accepted_connections_are_forgotten():
    before = TOA.stats()["entries"]
    with listen(80) as l:
        Peer(END, 80).connect(option())
        wait_for(lambda: TOA.stats()["entries"] == before + 1)
    wait_for(lambda: TOA.stats()["entries"] == before)


def test_a_new_connection_between_the_same_ends_has_its_own_client():
    with listen(80) as l:
        p = Peer(END, 80, 19001)
        p.connect(option())
        held, addr = l.accept()
        same((CLIENT, CPORT), addr)
        p.reset()
        again = Peer(END, 80, 19001)
        again.connect(b"")
        s, addr = l.accept()
        same((LIP, 19001), addr)
        third = Peer(END, 80, 19001)
        again.reset()
        third.connect(option("198.51.100.3", 3))
        t, addr = l.accept()
        same(("198.51.100.3", 3), addr)
        for x in (held, s, t):
            x.close()


def test_a_socket_that_connects_elsewhere_has_its_new_peer():
    with listen(80) as l, listen(81):
        p, s, addr = accepted(l, option())
        same((CLIENT, CPORT), addr)
        same(0, libc.connect(s.fileno(), bytes(16), 16), "connect(AF_UNSPEC)")
        s.settimeout(20)
        s.connect((SERVER, 81))
        same((SERVER, 81), s.getpeername())
        s.close()


def test_active_connections_are_not_touched():
    with listen(80) as l, counted(TOA, no_option=1, unknown=2):
        with inside("server"):
            c = socket.socket()
        c.connect((SERVER, 80))
        same((SERVER, 80), c.getpeername())
        l.accept()[0].close()
        c.close()


if __name__ == "__main__":
    run(globals())
