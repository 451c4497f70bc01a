#!/usr/bin/env python3
# toa.ko comes and goes under traffic, and cannot be switched off silently.
# suite: toa
import errno
import os
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from ktap import note, run, same, sh, skip
from toa import (CLIENT, CLIENT6, CPORT, LIP, LIP6, Family, Peer, end, listen, nat64_peer, network, no_network, option,
                 option6, run as command)
from wire import inside

END = END6 = None
ROUNDS = int(os.environ.get("ROUNDS", "8"))


def setup():
    global END, END6
    network()
    END, END6 = end(), end(LIP6)


def teardown():
    END.sock.close()
    END6.sock.close()
    no_network()


def test_without_the_module_nothing_is_left():
    with listen(80) as l:
        p = Peer(END, 80)
        p.connect(option())
        s, addr = l.accept()
        same((CLIENT, CPORT), addr)
        sh("rmmod toa")
        same((LIP, p.sport), s.getpeername())
        same("", sh("grep -wE 'inet6?_getname|tcp_child_process|tcp_init_transfer' "
                    "/sys/kernel/tracing/enabled_functions || true"))
        s.close()
        p = Peer(END, 80)
        p.connect(option())
        s, addr = l.accept()
        same((LIP, p.sport), addr)
        sh("toa_in")
        same((LIP, p.sport), s.getpeername(), "a connection from before the module")
        s.close()


def option_of(s):
    """What getsockopt 4096 says, or the name of its error."""
    try:
        return nat64_peer(s)
    except OSError as e:
        return errno.errorcode[e.errno]


def test_connections_over_ipv6_and_nat64_that_live_have_their_own_peer_again():
    with listen(80) as l, listen(81, socket.AF_INET6) as l6:
        peers = [Peer(e, port) for e, port in ((END, 80), (END, 81), (END6, 81))]
        held = []
        for p in peers:
            p.connect(option6())
            held.append((l if p.port == 80 else l6).accept()[0])
        nat64, mapped, real = held
        same((CLIENT6, 443), real.getpeername()[:2])
        same([(CLIENT6, 443), (CLIENT6, 443), "ENOENT"], [option_of(s) for s in held])
        sh("rmmod toa")
        own = [(LIP, peers[0].sport), (f"::ffff:{LIP}", peers[1].sport), (LIP6, peers[2].sport)]
        same(own, [s.getpeername()[:2] for s in held])
        same(["ENOPROTOOPT"] * 3, [option_of(s) for s in held])
        sh("toa_in")
        same(own, [s.getpeername()[:2] for s in held])
        same(["ENOENT"] * 3, [option_of(s) for s in held])
        for s, p in zip(held, peers):
            s.close()
            p.reset()
    same(0, Family().stats()["entries"])


def test_tracing_cannot_be_switched_off_under_it():
    """EBUSY because of the module; 7.3 and later switch it off for nobody (EOPNOTSUPP)."""
    r = command("sysctl", "-w", "kernel.ftrace_enabled=0")
    assert "busy" in r.stderr or "not supported" in r.stderr, f"wanted a refusal, got {r}"
    with listen(80) as l:
        Peer(END, 80).connect(option())
        s, addr = l.accept()
        same((CLIENT, CPORT), addr)
        s.close()


def test_with_tracing_off_it_says_so_and_does_not_load():
    sh("rmmod toa")
    try:
        r = command("sysctl", "-w", "kernel.ftrace_enabled=0")
        if r.returncode:
            skip("this kernel does not switch tracing off")
        r = command("modprobe", "toa")
        assert r.returncode and "busy" in r.stderr, r
        assert "ftrace_enabled" in sh("dmesg | tail -n 5")
    finally:
        sh("sysctl -qw kernel.ftrace_enabled=1 2>/dev/null || true; toa_in")


def test_beside_other_tracers():
    """All functions traced, and the same functions traced by others, before and after the module."""
    sh("""cd /sys/kernel/tracing; echo 'inet_getname tcp_child_process' >set_ftrace_filter; echo function >current_tracer
          echo 'r:lvs_test inet_getname' >kprobe_events; echo 1 >events/kprobes/lvs_test/enable
          echo 'f:lvs_test2 inet6_getname%return' >>dynamic_events; echo 1 >events/fprobes/lvs_test2/enable
          rmmod toa; modprobe toa""")
    try:
        with listen(80) as l:
            Peer(END, 80).connect(option())
            s, addr = l.accept()
            same((CLIENT, CPORT), addr)
            s.close()
        sh("rmmod toa; modprobe toa")
        sh("grep -q inet_getname /sys/kernel/tracing/trace")
    finally:
        sh("""cd /sys/kernel/tracing; echo 0 >events/enable; echo nop >current_tracer; echo >set_ftrace_filter
              echo >dynamic_events""")


class Traffic:
    """Connections through the server's loopback and askers of names, until told to stop."""

    def __init__(self):
        self.stop, self.made, self.asked, self.options, self.errors = False, 0, 0, 0, []
        with inside("server"):
            self.listener = socket.create_server(("127.0.0.1", 7000), backlog=64)
            self.clients = [socket.socket() for _ in range(2)]
        self.threads = [threading.Thread(target=t) for t in (self.serve, self.connect, self.ask, self.ask_option)]

    def guarded(self, work):
        try:
            while not self.stop:
                work()
        except BaseException as e:
            self.errors.append(e)

    def serve(self):
        self.listener.settimeout(1)

        def work():
            try:
                s, addr = self.listener.accept()
            except TimeoutError:
                return
            same("127.0.0.1", addr[0])
            s.close()
        self.guarded(work)

    def connect(self):
        def work():
            with inside("server"):  # of this thread alone
                c = socket.socket()
            c.connect(("127.0.0.1", 7000))
            c.close()
            self.made += 1
        self.guarded(work)

    def ask(self):
        with inside("server"):
            l = socket.create_server(("127.0.0.1", 7001))
            c = socket.create_connection(("127.0.0.1", 7001))

        def work():
            same(("127.0.0.1", 7001), c.getpeername())
            self.asked += 1
        self.guarded(work)

    def ask_option(self):
        with inside("server"):
            l = socket.create_server(("127.0.0.1", 7002))
            c = socket.create_connection(("127.0.0.1", 7002))

        def work():
            assert option_of(c) in ("ENOENT", "ENOPROTOOPT")
            self.options += 1
        self.guarded(work)

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        self.stop = True
        for t in self.threads:
            t.join()
        self.listener.close()
        assert not self.errors, self.errors


def test_comes_and_goes_under_traffic():
    with Traffic() as traffic:
        start = time.monotonic()
        for _ in range(ROUNDS):
            sh_quick("rmmod", "toa")
            sh_quick("modprobe", "toa")
        seconds = time.monotonic() - start
    note(f"{ROUNDS} times out and in in {seconds:.1f} s, with {traffic.made} connections, {traffic.asked} questions for "
         f"the peer and {traffic.options} for the option")
    assert min(traffic.made, traffic.asked, traffic.options) > ROUNDS


def sh_quick(*words):
    r = command(*words)
    assert r.returncode == 0, r


def test_still_works_afterwards():
    own = Family()
    same(0, own.stats()["entries"])
    with listen(80) as l:
        Peer(END, 80).connect(option())
        s, addr = l.accept()
        same((CLIENT, CPORT), addr)
        s.close()


if __name__ == "__main__":
    run(globals())
