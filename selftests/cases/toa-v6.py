#!/usr/bin/env python3
# toa.ko with IPv6: clients and balancers of either family, whatever asks; NAT64 by getsockopt 4096.
# suite: toa
import ctypes
import errno
import os
import socket
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from ktap import run, same
from wire import inside
from toa import (CLIENT, CLIENT6, CPORT, LIP, LIP6, MPTCP, SERVER6, TCP_DEFER_ACCEPT, TCP_FASTOPEN, TOA_SO_GET_LOOKUP,
                 Family, Peer, counted, end, is_mptcp, libc, listen, mptcp_connect, nat64_peer, network, no_network,
                 option, option6, peername, server_sysctl, syscall, uring_accept, wait_for)

V4, V6 = socket.AF_INET, socket.AF_INET6
END = END6 = TOA = None


def setup():
    global END, END6, TOA
    network()
    END, END6, TOA = end(), end(LIP6), Family()


def teardown():
    END.sock.close()
    END6.sock.close()
    no_network()


def accepted(listener, options, e=None, **how):
    """A connection over IPv6, or over the end given: (peer, accepted socket, address from accept)."""
    p = Peer(e or END6, listener.getsockname()[1])
    p.connect(options, **how)
    s, addr = listener.accept()
    return p, s, addr[:2]


def test_accept_and_getpeername_give_the_client_in_both_kinds():
    for kind in (254, 253):
        with listen(80, V6) as l, counted(TOA, captured=1, answered=3):
            p, s, addr = accepted(l, option6(kind=kind))
            same((CLIENT6, 443), addr, f"accept, kind {kind}")
            same((CLIENT6, 443, 0, 0), s.getpeername(), "getpeername")
            same((CLIENT6, 443), peername(s), "SO_PEERNAME")
            s.close()


def test_getsockname_is_unchanged():
    with listen(80, V6) as l:
        p, s, _ = accepted(l, option6())
        same((SERVER6, 80, 0, 0), s.getsockname())
        s.close()


def read_name(raw):
    family, port, flow, addr, scope = struct.unpack("=H2sI16sI", raw[:28])
    return family, socket.inet_ntop(V6, addr), struct.unpack("!H", port)[0], flow, scope


def test_the_system_calls_accept_accept4_and_io_uring():
    def by_call(number, *flags):
        def accept(listener):
            addr, length = ctypes.create_string_buffer(b"\xaa" * 28, 28), ctypes.c_uint32(28)
            s = socket.socket(fileno=syscall(number, listener.fileno(), addr, ctypes.byref(length), *flags))
            same(28, length.value)
            return s, addr.raw
        return accept

    with listen(80, V6) as l:
        l.setblocking(True)
        for name, accept in (("accept", by_call(43)), ("accept4", by_call(288, os.O_CLOEXEC)), ("io_uring", uring_accept)):
            for options, client, port in ((option6(), CLIENT6, 443), (option(), f"::ffff:{CLIENT}", CPORT)):
                Peer(END6, 80).connect(options)
                s, raw = accept(l)
                same((V6, client, port, 0, 0), read_name(raw), name)
                s.close()


def test_a_v4_client_over_ipv6_is_given_in_ipv6_form():
    with listen(80, V6) as l, counted(TOA, captured=1, answered=3):
        p, s, addr = accepted(l, option())
        same((f"::ffff:{CLIENT}", CPORT), addr)
        same((f"::ffff:{CLIENT}", CPORT, 0, 0), s.getpeername())
        same((f"::ffff:{CLIENT}", CPORT), peername(s))
        same((SERVER6, 80), s.getsockname()[:2])
        s.close()


def test_a_connection_without_the_option_has_its_own_peer():
    with listen(80, V6) as l, counted(TOA, no_option=1, unknown=3):
        p, s, addr = accepted(l, b"")
        same((LIP6, p.sport), addr)
        same((LIP6, p.sport), s.getpeername()[:2])
        same((LIP6, p.sport), peername(s))
        s.close()


def test_one_listener_for_all_combinations():
    """What nginx opens for `listen [::]:80 ipv6only=off`, and Go and Java for :80."""
    with listen(80, V6) as l:
        held = []
        for e, own in ((END, f"::ffff:{LIP}"), (END6, LIP6)):
            for options, wanted in ((option6(), (CLIENT6, 443)), (option(), (f"::ffff:{CLIENT}", CPORT)), (b"", None)):
                p, s, addr = accepted(l, options, e)
                held.append((s, wanted or (own, p.sport)))
                same(wanted or (own, p.sport), addr, f"{options.hex()} from {e.addr}")
        for s, wanted in held:
            same(wanted, s.getpeername()[:2])
            s.close()


def test_the_first_data_segment_makes_the_connection_when_the_ack_is_lost():
    with listen(80, V6) as l:
        p = Peer(END6, 80)
        p.send("S")
        p.got("SA")
        p.send("PA", option6(), b"GET")
        s, addr = l.accept()
        same((CLIENT6, 443), addr[:2])
        same(b"GET", s.recv(10))
        s.close()


def test_deferred_accept():
    def defer(s):
        s.setsockopt(socket.IPPROTO_TCP, TCP_DEFER_ACCEPT, 30)
    with listen(80, V6, before=defer) as l, counted(TOA, captured=1, answered=1):
        p, s, addr = accepted(l, option6(), syn=option6(), data=b"GET")
        same((CLIENT6, 443), addr)
        same(b"GET", s.recv(10))
        s.close()


def test_syn_cookies():
    server_sysctl("net.ipv4.tcp_syncookies", 2)
    try:
        for options, wanted in ((option6(), (CLIENT6, 443)), (option(), (f"::ffff:{CLIENT}", CPORT))):
            with listen(80, V6) as l, counted(TOA, captured=1, answered=1):
                p, s, addr = accepted(l, options, syn=options)
                same(wanted, addr)
                s.close()
    finally:
        server_sysctl("net.ipv4.tcp_syncookies", 1)


def test_fast_open_gives_the_client_of_the_syn():
    # 0x200: data in a SYN is taken without a cookie.
    server_sysctl("net.ipv4.tcp_fastopen", 0x202)
    with listen(80, V6, before=lambda s: s.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN, 5)) as l:
        with counted(TOA, captured=1, answered=1):
            p = Peer(END6, 80)
            p.send("S", option6(), b"GET /")
            s, addr = l.accept()
            same((CLIENT6, 443), addr[:2])
            same(b"GET /", s.recv(100))
            s.close()


def test_mptcp_listeners():
    for e in (END6, END):
        for options, wanted in ((option6(), (CLIENT6, 443)), (option(), (f"::ffff:{CLIENT}", CPORT))):
            with listen(80, V6, MPTCP) as l:
                before = TOA.stats()["entries"]
                plain, t, addr = accepted(l, options, e)
                same(wanted, addr, "a plain client")
                assert not is_mptcp(t)
                p = mptcp_connect(e, 80, options)
                s, addr = l.accept()
                assert is_mptcp(s), "fell back to TCP"
                same(wanted, addr[:2], "an MPTCP client")
                same(wanted, s.getpeername()[:2])
                same(wanted, peername(s))
                if e is END6:
                    same((SERVER6, 80), s.getsockname()[:2])
                for x in (s, t, p, plain):
                    x.close() if hasattr(x, "close") else x.reset()
            wait_for(lambda: TOA.stats()["entries"] <= before)


def test_only_trusted_sources_are_believed():
    claims = (
        ([("2001:db8::", 32), (LIP, 32), ("0.0.0.0", 0)], False),
        ([("fd00:4::8", 128)], False), ([("fd00:4::8", 125)], False), ([("fd00:4::", 125)], True),
        ([("fd00:4::", 64)], True), ([(LIP6, 128)], True), ([("::", 0)], True), ([], True),
    )
    with listen(80, V6) as l:
        for trusted, wanted in claims:
            TOA.set(trusted=trusted)
            counts = dict(captured=1, answered=1) if wanted else dict(untrusted=1, unknown=1)
            with counted(TOA, **counts):
                p, s, addr = accepted(l, option6())
                same((CLIENT6, 443) if wanted else (LIP6, p.sport), addr, trusted)
                s.close()


def test_a_malformed_option_is_counted_and_harmless():
    with listen(80, V6) as l:
        for options in (b"\xfe\x13" + bytes(17) + b"\1", b"\xfd\x12" + bytes(16) + b"\1\1", b"\1\1\1\xfd"):
            with counted(TOA, malformed=1, unknown=1):
                p, s, addr = accepted(l, options)
                same((LIP6, p.sport), addr, options.hex())
                s.close()


def test_entries_go_with_their_sockets():
    with listen(80, V6) as l:
        before = TOA.stats()["entries"]
        held = [accepted(l, option6(cport=n + 1)) for n in range(9)]
        same(before + 9, TOA.stats()["entries"])
        for n, (p, s, addr) in enumerate(held):
            same((CLIENT6, n + 1), addr)
            if n % 3 == 0:  # reset by the other end
                p.reset()
            elif n % 3 == 1:  # reset by this end
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            s.close()
        for p, _, _ in held:
            p.reset()
        wait_for(lambda: TOA.stats()["entries"] == before)


def test_a_socket_that_connects_elsewhere_has_its_new_peer():
    with listen(80, V6) as l, listen(81, V6), counted(TOA, captured=1, answered=1, no_option=1, changed=1):
        p, s, addr = accepted(l, option6())
        same((CLIENT6, 443), addr)
        same(0, libc.connect(s.fileno(), bytes(28), 28), "connect(AF_UNSPEC)")
        s.settimeout(20)
        s.connect((SERVER6, 81))
        same((SERVER6, 81), s.getpeername()[:2])
        s.close()


def test_active_connections_are_not_touched():
    with listen(80, V6) as l, counted(TOA, no_option=1, unknown=2):
        with inside("server"):
            c = socket.socket(V6)
        c.connect((SERVER6, 80))
        same((SERVER6, 80), c.getpeername()[:2])
        l.accept()[0].close()
        c.close()


# NAT64: the connection is IPv4, its client IPv6.


def refused(number, call, *args):
    try:
        call(*args)
    except OSError as e:
        same(errno.errorcode[number], errno.errorcode[e.errno])
    else:
        raise AssertionError(f"wanted {errno.errorcode[number]}, was not refused")


def ask(s, length=18, level=socket.IPPROTO_IP):
    return s.getsockopt(level, TOA_SO_GET_LOOKUP, length)


def test_nat64_on_an_ipv4_socket_is_told_by_the_option():
    for kind in (254, 253):
        with listen(80) as l:
            with counted(TOA, captured=1, no_room=2, answered_nat64=2):
                p, s, addr = accepted(l, option6(kind=kind), END)
                same((LIP, p.sport), addr)
                same((LIP, p.sport), s.getpeername())
                same((CLIENT6, 443), nat64_peer(s))
                same((CLIENT6, 443), nat64_peer(s, 18))
            s.close()


def raw_getsockopt(s, room, wanted=0):
    """(what is in 64 bytes of 0xaa afterwards, the length): system calls, as C programs do."""
    buffer, length = ctypes.create_string_buffer(b"\xaa" * 64, 64), ctypes.c_int32(room)
    result = libc.getsockopt(s.fileno(), 0, TOA_SO_GET_LOOKUP, buffer, ctypes.byref(length))
    same(wanted, ctypes.get_errno() if result else 0)
    return buffer.raw, length.value


def test_the_answer_is_as_long_as_the_structure_and_no_longer():
    with listen(80) as l:
        p, s, _ = accepted(l, option6(), END)
        whole = socket.inet_pton(V6, CLIENT6) + struct.pack("!H", 443) + b"\0\0"
        for room, written in ((18, 18), (19, 19), (20, 20), (64, 20)):
            same((whole[:written] + b"\xaa" * (64 - written), written), raw_getsockopt(s, room), room)
        for room in (0, 1, 16, 17, -1, -2**31):
            same((b"\xaa" * 64, room), raw_getsockopt(s, room, errno.EINVAL), room)
        length = ctypes.c_int32(20)
        same(-1, libc.getsockopt(s.fileno(), 0, TOA_SO_GET_LOOKUP, None, ctypes.byref(length)))
        same(errno.EFAULT, ctypes.get_errno())
        s.close()


def test_nat64_on_an_ipv6_socket_fits_in_its_peer_and_is_told_by_the_option_too():
    with listen(80, V6) as l, counted(TOA, captured=1, answered=2, answered_nat64=1):
        p, s, addr = accepted(l, option6(), END)
        same((CLIENT6, 443), addr)
        same((CLIENT6, 443), s.getpeername()[:2])
        same((CLIENT6, 443), nat64_peer(s))
        s.close()


def test_nat64_after_addrform():
    with listen(80, V6) as l:
        p, s, _ = accepted(l, option6(), END)
        s.setsockopt(socket.IPPROTO_IPV6, 1, V4)  # IPV6_ADDRFORM
        with counted(TOA, no_room=1, answered_nat64=1):
            same((LIP, p.sport), peername(s))
            same((CLIENT6, 443), nat64_peer(s))
        s.close()


def test_nat64_and_mptcp():
    """A plain client of an MPTCP listener has the option. An MPTCP connection has not: the kernel refuses it before
    anybody is asked."""
    with listen(80, V4, MPTCP) as l:
        p, s, addr = accepted(l, option6(), END)
        same((LIP, p.sport), addr)
        same((CLIENT6, 443), nat64_peer(s))
        s.close()
        p = mptcp_connect(END, 80, option6())
        s, addr = l.accept()
        assert is_mptcp(s)
        same((LIP, p.sport), addr)
        refused(errno.EOPNOTSUPP, ask, s)
        s.close()
        p.reset()


def test_without_such_a_client_the_option_says_so_and_counts_nothing():
    with listen(80) as l, listen(81, V6) as l6, counted(TOA, captured=3, no_option=2, answered=3, unknown=2):
        for listener, e, options in ((l, END, b""), (l, END, option()), (l6, END, option()), (l6, END6, b""),
                                     (l6, END6, option6())):
            p, s, _ = accepted(listener, options, e)
            refused(errno.ENOENT, ask, s)
            refused(errno.EINVAL, ask, s, 17)
            s.close()


def test_sockets_without_a_peer_and_other_sockets():
    with inside("server"):
        others = [socket.socket(f, t) for f in (V4, V6) for t in (socket.SOCK_STREAM, socket.SOCK_DGRAM)]
    for s in others:
        refused(errno.ENOTCONN if s.type == socket.SOCK_STREAM else errno.ENOPROTOOPT, ask, s)
        s.close()
    with listen(80) as l:
        refused(errno.ENOTCONN, ask, l)
        p, s, _ = accepted(l, option6(), END)
        refused(errno.ENOPROTOOPT, s.setsockopt, 0, TOA_SO_GET_LOOKUP, b"x" * 20)
        for number in (TOA_SO_GET_LOOKUP - 1, TOA_SO_GET_LOOKUP + 1):
            refused(errno.ENOPROTOOPT, s.getsockopt, 0, number, 20)
        p.reset()
        wait_for(lambda: s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1) == b"\7")  # CLOSE
        refused(errno.ENOTCONN, ask, s)
        s.close()
    with listen(80, V6) as l:
        p, s, _ = accepted(l, option6(), END)
        refused(errno.ENOPROTOOPT, ask, s, 20, socket.IPPROTO_IPV6)
        s.close()


def test_a_nat64_socket_that_connects_elsewhere_has_no_such_client():
    with listen(80) as l, listen(81):
        p, s, _ = accepted(l, option6(), END)
        same((CLIENT6, 443), nat64_peer(s))
        same(0, libc.connect(s.fileno(), bytes(16), 16), "connect(AF_UNSPEC)")
        refused(errno.ENOTCONN, ask, s)
        s.settimeout(20)
        s.connect(("10.4.0.1", 81))
        refused(errno.ENOENT, ask, s)
        s.close()


def test_nat64_from_an_untrusted_source():
    TOA.set(trusted=[("fd00:4::", 64), ("2001:db8::", 32)])
    try:
        with listen(80) as l, counted(TOA, untrusted=1, unknown=1):
            p, s, addr = accepted(l, option6(), END)
            same((LIP, p.sport), addr)
            refused(errno.ENOENT, ask, s)
            s.close()
    finally:
        TOA.set(trusted=[])


if __name__ == "__main__":
    run(globals())
