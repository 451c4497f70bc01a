#!/usr/bin/env python3
# toa.ko beside others that live on a TCP socket: MPTCP listeners, kernel TLS, sockmap, io_uring.
# suite: toa
import ctypes
import os
import socket
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from ktap import run, same
from toa import (CLIENT, CPORT, LIP, MPTCP, SERVER, TCP_ULP, Family, Peer, counted, end, is_mptcp, listen,
                 mptcp_connect, network, no_network, option, peername, server_sysctl, syscall, uring_accept, wait_for)

END = TOA = None


def setup():
    global END, TOA
    network()
    END, TOA = end(), Family()


def teardown():
    END.sock.close()
    no_network()


def test_an_mptcp_listener_and_a_plain_client():
    with listen(80, protocol=MPTCP) as l, counted(TOA, captured=1, answered=2):
        Peer(END, 80).connect(option())
        s, addr = l.accept()
        same((CLIENT, CPORT), addr)
        same((CLIENT, CPORT), s.getpeername())
        s.close()


def test_an_mptcp_listener_and_an_mptcp_client():
    for family, wanted in ((socket.AF_INET, CLIENT), (socket.AF_INET6, f"::ffff:{CLIENT}")):
        with listen(80, family, MPTCP) as l:
            before = TOA.stats()["entries"]
            p = mptcp_connect(END, 80, option())
            s, addr = l.accept()
            assert is_mptcp(s), "fell back to TCP"
            same((wanted, CPORT), addr[:2])
            same((wanted, CPORT), peername(s))
            assert s.getsockname()[0].endswith(SERVER)
            s.close()
            p.reset()
        wait_for(lambda: TOA.stats()["entries"] <= before)


def test_an_mptcp_connection_without_the_option_has_its_own_peer():
    with listen(80, protocol=MPTCP) as l, counted(TOA, no_option=1, unknown=1):
        p = mptcp_connect(END, 80, b"")
        s, addr = l.accept()
        assert is_mptcp(s)
        same((LIP, p.sport), addr)
        s.close()
        p.reset()


def test_mptcp_with_syn_cookies():
    server_sysctl("net.ipv4.tcp_syncookies", 2)
    try:
        with listen(80, protocol=MPTCP) as l:
            p = mptcp_connect(END, 80, option())
            s, addr = l.accept()
            same((CLIENT, CPORT), addr)
            s.close()
            p.reset()
    finally:
        server_sysctl("net.ipv4.tcp_syncookies", 1)


def test_kernel_tls():
    with listen(80) as l:
        p = Peer(END, 80)
        p.connect(option())
        s, _ = l.accept()
        s.setsockopt(socket.IPPROTO_TCP, TCP_ULP, b"tls")
        # TLS 1.2, AES-GCM-128: iv, key, salt, record number.
        keys = struct.pack("=HH", 0x0303, 51) + bytes(8) + b"k" * 16 + b"salt" + bytes(8)
        for direction in (1, 2):
            s.setsockopt(282, direction, keys)
        same((CLIENT, CPORT), s.getpeername())
        same(5, s.send(b"hello"))
        same(b"\x17\3\3", p.got("PA").l4.payload[:3], "a TLS record")
        before = TOA.stats()["entries"]
        s.close()
        p.reset()
        wait_for(lambda: TOA.stats()["entries"] == before - 1)


def bpf(command, layout, *values):
    attributes = ctypes.create_string_buffer(struct.pack(layout, *values), 128)
    return syscall(321, command, attributes, 128)


def test_sockmap():
    sockmap = bpf(0, "=IIII", 15, 4, 4, 8)  # BPF_MAP_CREATE, SOCKMAP of 8
    key, value = ctypes.create_string_buffer(4), None
    with listen(80) as l:
        p = Peer(END, 80)
        p.connect(option())
        s, _ = l.accept()
        value = ctypes.create_string_buffer(struct.pack("=I", s.fileno()), 4)
        bpf(2, "=IIQQQ", sockmap, 0, ctypes.addressof(key), ctypes.addressof(value), 0)  # BPF_MAP_UPDATE_ELEM
        same((CLIENT, CPORT), s.getpeername())
        p.send("PA", b"", b"hello")
        same(b"hello", s.recv(10))
        before = TOA.stats()["entries"]
        s.close()
        p.reset()
        wait_for(lambda: TOA.stats()["entries"] == before - 1)
    os.close(sockmap)


def test_io_uring():
    with listen(80) as l:
        l.setblocking(True)
        p = Peer(END, 80)
        p.connect(option())
        s, raw = uring_accept(l)
        same((CLIENT, CPORT), (socket.inet_ntoa(raw[4:8]), struct.unpack("!H", raw[2:4])[0]))
        s.close()


if __name__ == "__main__":
    run(globals())
