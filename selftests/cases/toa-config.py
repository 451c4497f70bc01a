#!/usr/bin/env python3
# toa.ko's settings: kinds, trusted sources, each namespace for itself, and what is refused.
# suite: toa
import errno
import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from ktap import run, same, sh, wait_for
from toa import CLIENT, CPORT, LIP, LIP2, Family, Peer, attr, counted, end, listen, network, no_network, option

END = END2 = TOA = None


def setup():
    global END, END2, TOA
    network()
    END, END2, TOA = end(), end(LIP2), Family()


def teardown():
    END.sock.close()
    END2.sock.close()
    no_network()


def name(options, e=None):
    with listen(80) as l:
        p = Peer(e or END, 80)
        p.connect(options)
        s, addr = l.accept()
        s.close()
        p.reset()
        return addr if addr[0] != p.end.addr else "itself"


def refused(number, pattern, call, *args, **how):
    try:
        call(*args, **how)
    except OSError as e:
        same(errno.errorcode[number], errno.errorcode[e.errno])
        assert pattern in str(e), f"refused with {e}"
    else:
        raise AssertionError("was not refused")


def test_as_loaded():
    same(([254, 253], []), TOA.config())
    assert "any source" in sh("dmesg"), "the log does not say that everyone is believed"


def test_kinds():
    TOA.set(kinds=[253, 77])
    same([253, 77], TOA.config()[0])
    same("itself", name(option()))
    same((CLIENT, CPORT), name(option(kind=77)))
    same((CLIENT, CPORT), name(option(kind=253)))
    TOA.set(kinds=[254, 253])


def test_impossible_kinds_are_refused_in_words():
    for kinds, why in (([], "no option kind"), ([254, 254], "twice"), ([8], "TCP itself"), ([0], "TCP itself")):
        refused(errno.EINVAL, why, TOA.set, kinds=kinds)
    refused(errno.ERANGE, "", TOA.set, kinds=[70, 71, 72, 73, 74])
    same(([254, 253], []), TOA.config())


def test_only_trusted_sources_are_believed():
    TOA.set(trusted=[(LIP2, 32), ("192.0.2.0", 24), ("2001:db8::", 32)])
    same([(LIP2, 32), ("192.0.2.0", 24), ("2001:db8::", 32)], TOA.config()[1])
    with counted(TOA, untrusted=1, unknown=1):
        same("itself", name(option()))
    same((CLIENT, CPORT), name(option(), END2))
    TOA.set(trusted=[("10.4.0.0", 16)])
    same((CLIENT, CPORT), name(option()))
    TOA.set(trusted=[("0.0.0.0", 0)])
    same((CLIENT, CPORT), name(option()))
    TOA.set(trusted=[("::", 0)])
    same("itself", name(option()))
    TOA.set(trusted=[])
    same((CLIENT, CPORT), name(option()))


def test_a_list_counts_for_open_connections_too():
    with listen(80) as l:
        p = Peer(END, 80)
        p.connect(option())
        s, addr = l.accept()
        same((CLIENT, CPORT), addr)
        TOA.set(trusted=[(LIP2, 32)])
        with counted(TOA, untrusted=1):
            same(LIP, s.getpeername()[0])
        TOA.set(trusted=[])
        same((CLIENT, CPORT), s.getpeername())
        s.close()
        p.reset()


def test_until_the_first_list_nobody_need_be_believed():
    global TOA
    sh("rmmod toa; modprobe toa trust_any=0")
    TOA = Family()
    same([("0.0.0.0", 32)], TOA.config()[1])
    same("itself", name(option()))
    TOA.set(trusted=[(LIP, 32)])
    same((CLIENT, CPORT), name(option()))
    sh("rmmod toa; modprobe toa")
    TOA = Family()
    same([], TOA.config()[1])


def test_impossible_sources_are_refused_and_nothing_is_half_done():
    TOA.set(trusted=[(LIP, 32)])
    refused(errno.EINVAL, "longer than the address", TOA.set, kinds=[77], trusted=[(LIP2, 32), (LIP, 33)])
    refused(errno.ENOSPC, "32", TOA.set, trusted=[(f"10.0.0.{n}", 32) for n in range(33)])
    refused(errno.EINVAL, "4 or 16", TOA.ask, 3, attr(3 | 0x8000, attr(1, b"\1\2\3")))
    refused(errno.EINVAL, "4 or 16", TOA.ask, 3, attr(3 | 0x8000, attr(2, b"\1")))
    refused(errno.EINVAL, "", TOA.ask, 3, attr(9, b""))
    refused(errno.EOPNOTSUPP, "", TOA.ask, 9)
    same(([254, 253], [(LIP, 32)]), TOA.config())
    TOA.set(trusted=[])


def test_each_namespace_has_its_own():
    other = Family("balancer")
    TOA.set(kinds=[77])
    same([254, 253], other.config()[0])
    other.set(trusted=[("192.0.2.1", 32)])
    same(([77], []), TOA.config())
    before = other.stats()
    same((CLIENT, CPORT), name(option(kind=77)))
    same(before, other.stats())
    TOA.set(kinds=[254, 253])


def test_anyone_reads_and_only_an_administrator_writes():
    pid = os.fork()
    if pid == 0:
        try:
            own = Family()
            os.setgroups([])
            os.setuid(65534)
            assert "captured" in own.stats()
            same(([254, 253], []), own.config())
            refused(errno.EPERM, "", own.set, kinds=[77])
            os._exit(0)
        except BaseException as e:
            print("  #", e, flush=True)
            os._exit(1)
    same(0, os.waitpid(pid, 0)[1])
    same(([254, 253], []), TOA.config())


def test_no_more_than_so_many_are_remembered():
    global TOA
    sh("rmmod toa; modprobe toa max_connections=2")
    TOA = Family()
    with listen(80) as l:
        def accepted():
            peer = Peer(END, 80)
            peer.connect(option())
            s, addr = l.accept()
            return peer, s, addr[0]

        open_ones = [accepted() for _ in range(3)]
        same([CLIENT, CLIENT, END.addr], [who for _, _, who in open_ones])
        stats = TOA.stats()
        same((2, 2, 1), (stats["entries"], stats["captured"], stats["table_full"]))
        peer, s, _ = open_ones[0]
        s.close()
        peer.reset()
        wait_for(lambda: TOA.stats()["entries"] == 1)
        open_ones.append(accepted())
        same(CLIENT, open_ones[-1][2], "once there is room")
        for peer, s, _ in open_ones[1:]:
            s.close()
            peer.reset()
    wait_for(lambda: TOA.stats()["entries"] == 0)
    sh("rmmod toa; modprobe toa")
    TOA = Family()


def test_a_namespace_can_go_with_connections_in_it():
    sh("""
        ns_add going; ip -n going link set lo up
        in_ns going python3 -c '
import socket
l = socket.create_server(("127.0.0.1", 80))
c = socket.create_connection(("127.0.0.1", 80)); s, _ = l.accept(); c.send(b"x"); s.recv(1); print(s.getpeername())'
        ip netns del going
    """)


if __name__ == "__main__":
    run(globals())
