#!/usr/bin/env python3
# Random socket options on sockets of every kind, by root and by nobody. lvs has none: stock's own (IP_VS_SO_SET_*,
# IP_VS_SO_GET_*) are refused as by a kernel without ip_vs, whatever comes with them. toa has one to read, 4096.
# suite: control
import collections
import errno
import os
import random
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from ktap import note, run, same, sh

BASE = 64 + 1024 + 64  # IP_VS_BASE_CTL
TOA = 4096
SET, GET = range(BASE, BASE + 16), range(BASE, BASE + 8)
ROUNDS = 4000
# How many bytes the answer to 4096 needs at least (rust/wire, Nat64Peer::MEANT).
ENOUGH = 18
NOBODY = 65534


def setup():
    sh("lvs_in; toa_in; ipvsadm-rs -A -t 192.0.2.1:80 -s rr; ipvsadm-rs -a -t 192.0.2.1:80 -r 127.0.0.1:80 -m")


def teardown():
    sh("ipvsadm-rs -C")


def sockets():
    """One of each kind, by name; those of a connection have a peer."""
    made = {
        "udp4": socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
        "udp6": socket.socket(socket.AF_INET6, socket.SOCK_DGRAM),
        "tcp4": socket.socket(socket.AF_INET, socket.SOCK_STREAM),
        "tcp6": socket.socket(socket.AF_INET6, socket.SOCK_STREAM),
        "raw": RAW,
        "listener": socket.create_server(("127.0.0.1", 0)),
    }
    made["peer"] = socket.create_connection(made["listener"].getsockname())
    made["accepted"] = made["listener"].accept()[0]
    return made


def attempt(call):
    try:
        call()
        return "ok"
    except OSError as e:
        return errno.errorcode[e.errno]


def options(seed):
    """What came of each: by what was tried and on what kind of socket."""
    rng, made, counts = random.Random(seed), sockets(), collections.Counter()
    for _ in range(ROUNDS):
        name, s = rng.choice(sorted(made.items()))
        value = rng.randbytes(rng.choice((0, 1, 3, 4, 8, 16, 17, 18, 24, 44, 68, 92, 512, 1024)))
        what = rng.choice(("set", "get", "toa", "set toa"))
        if what == "set":
            outcome = attempt(lambda: s.setsockopt(socket.IPPROTO_IP, rng.choice(SET), value))
        elif what == "get":
            outcome = attempt(lambda: s.getsockopt(socket.IPPROTO_IP, rng.choice(GET), len(value)))
        elif what == "set toa":
            outcome = attempt(lambda: s.setsockopt(socket.IPPROTO_IP, TOA, value))
        else:
            what = "toa, enough room" if len(value) >= ENOUGH else "toa"
            outcome = attempt(lambda: s.getsockopt(socket.IPPROTO_IP, TOA, len(value)))
        counts[what, name, outcome] += 1
    return counts


def expected(what, name):
    if not what.startswith("toa") or name in ("udp4", "udp6", "raw"):
        return "ENOPROTOOPT"
    if what == "toa":
        return "EINVAL"
    # Without a connection nobody is at the other end, and who is at the end of these is no client of NAT64.
    return "ENOENT" if name in ("peer", "accepted") else "ENOTCONN"


def check(counts):
    for what in ("set", "get", "toa", "toa, enough room", "set toa"):
        total = collections.Counter()
        for (tried, name, outcome), n in counts.items():
            if tried == what:
                total[outcome] += n
                same(expected(what, name), outcome, f"{what} on {name}")
        note(f"{what}: " + ", ".join(f"{outcome} {n}" for outcome, n in sorted(total.items())))
        assert total, what


def rules():
    return sh("ipvsadm-rs -Sn")


RAW = None


def test_as_root():
    global RAW
    RAW = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
    before = rules()
    check(options(1))
    same(before, rules(), "rules")


def test_as_nobody():
    before = rules()
    child = os.fork()
    if child == 0:
        ok = 1
        try:
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
            check(options(2))
            ok = 0
        except Exception as e:
            note(e)
        finally:
            sys.stdout.flush()
            os._exit(ok)
    _, status = os.waitpid(child, 0)
    same(0, os.waitstatus_to_exitcode(status), "exit of nobody")
    same(before, rules(), "rules")


run(globals())
