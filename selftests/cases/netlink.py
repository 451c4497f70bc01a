#!/usr/bin/env python3
# Generic netlink with impossible messages: each is refused with the errno that the kernel's own ip_vs has for it, in words
# where the protocol has room for them, and nothing of it stays.
# suite: control
import errno
import os
import random
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from genl import Genl, Refused, addr, attr, be16, parse, u16
from ipvs import (DEL_DAEMON, DEL_DEST, DEL_LADDR, DEL_SERVICE, FLUSH, GET_CONFIG, GET_DAEMON, GET_DEST, GET_INFO,
                  GET_SERVICE, NEW_DAEMON, NEW_DEST, NEW_LADDR, NEW_SERVICE, SET_CONFIG, SET_DEST, SET_INFO,
                  SET_SERVICE, ZERO, dest, full, ident, local)
from ktap import run, same, sh, wait_for
from wire import LIP1, VIP

IPVS = LVS = None


def setup():
    global IPVS, LVS
    sh("topology; lvs_in")
    IPVS, LVS = Genl("IPVS"), Genl("LVS")


def refused(wanted, family, command, payload, dump=False, words=False):
    try:
        family.ask(command, payload, dump=dump)
    except Refused as e:
        same(errno.errorcode[wanted], errno.errorcode.get(e.errno, e.errno), "errno")
        if words:
            assert len(e.text.split()) >= 3, f"refused without words: {e.text!r}"
        return e
    raise AssertionError(f"command {command} was not refused")


def rules():
    return sh("in_ns director ipvsadm-rs -Sn")


def unchanged(function):
    before = rules()
    function()
    same(before, rules(), "rules")


def test_the_family_is_described_as_stocks():
    same((1, 0, 6), (IPVS.described["version"], IPVS.described["hdrsize"], IPVS.described["maxattr"]), "version, hdrsize, maxattr")
    same(set(range(1, 14)) | {15, 16, 17}, set(IPVS.described["ops"]), "commands")


def test_services_that_lack_something():
    def check():
        refused(errno.EINVAL, IPVS, NEW_SERVICE, b"")
        refused(errno.EINVAL, IPVS, NEW_SERVICE, attr(1, []))
        for missing in (1, 2, 3, 4, 6, 7, 8, 9):
            left = [a for a in full() if struct.unpack("=H", a[2:4])[0] != missing]
            refused(errno.EINVAL, IPVS, NEW_SERVICE, attr(1, left))
    unchanged(check)


def test_services_that_cannot_be():
    def check():
        refused(errno.EAFNOSUPPORT, IPVS, NEW_SERVICE, attr(1, full(af=99)))
        refused(errno.ENOENT, IPVS, NEW_SERVICE, attr(1, full(sched="nosuch")))
        refused(errno.ESRCH, IPVS, SET_SERVICE, attr(1, full(port=4444)))
        refused(errno.ESRCH, IPVS, DEL_SERVICE, attr(1, ident(4444)))
        refused(errno.ESRCH, IPVS, GET_SERVICE, attr(1, ident(4444)))
        refused(errno.ESRCH, IPVS, ZERO, attr(1, ident(4444)))
    unchanged(check)


def test_attributes_of_a_wrong_length():
    def check():
        for bad in (attr(1, b"\2"), attr(4, b"\0"), attr(8, b"\0\0"), attr(6, b"x" * 40)):
            kind = struct.unpack("=H", bad[2:4])[0]
            refused(errno.EINVAL, IPVS, NEW_SERVICE,
                    attr(1, [a for a in full() if struct.unpack("=H", a[2:4])[0] != kind] + [bad]))
    unchanged(check)


def test_destinations():
    IPVS.ask(NEW_SERVICE, attr(1, full()))
    refused(errno.EEXIST, IPVS, NEW_SERVICE, attr(1, full()))
    s = attr(1, ident())

    def check():
        refused(errno.EINVAL, IPVS, NEW_DEST, s)
        for missing in (1, 2, 3, 4, 5, 6):
            refused(errno.EINVAL, IPVS, NEW_DEST, s + attr(2, [a for a in dest() if struct.unpack("=H", a[2:4])[0] != missing]))
        refused(errno.ERANGE, IPVS, NEW_DEST, s + attr(2, dest(weight=-1)))
        refused(errno.ERANGE, IPVS, NEW_DEST, s + attr(2, dest(u=5, l=6)))
        refused(errno.EINVAL, IPVS, NEW_DEST, s + attr(2, dest(a="224.0.0.5")))
        refused(errno.ENOENT, IPVS, SET_DEST, s + attr(2, dest(port=99)))
        refused(errno.ENOENT, IPVS, DEL_DEST, s + attr(2, dest(port=99)))
        refused(errno.ESRCH, IPVS, NEW_DEST, attr(1, ident(4444)) + attr(2, dest()))
    unchanged(check)
    IPVS.ask(NEW_DEST, s + attr(2, dest()))
    unchanged(lambda: refused(errno.EEXIST, IPVS, NEW_DEST, s + attr(2, dest())))


LIP2 = "10.9.0.2"
VIP6, S6, LIP6 = "fd00:1::100", "fd00:2::2", "fd00:9::1"


def full6(a=VIP6, **kw):
    return full(af=10, a=a, **kw)


def local6(a, af=10):
    return local(a, af)


def test_services_of_ipv6():
    s = attr(1, ident(af=10, a=VIP6))

    def check():
        # Addresses of the other length, and prefixes that no address has.
        refused(errno.EINVAL, IPVS, NEW_SERVICE, attr(1, full6(a=VIP)), words=True)
        refused(errno.EINVAL, IPVS, NEW_SERVICE, attr(1, ident()[:2] + [attr(3, b"\1\2\3")] + full()[3:]), words=True)
        for prefix in (0, 129, 0xFFFFFFFF):
            refused(errno.EINVAL, IPVS, NEW_SERVICE, attr(1, full6(mask=prefix)), words=True)
    unchanged(check)
    IPVS.ask(NEW_SERVICE, attr(1, full6()))
    refused(errno.EEXIST, IPVS, NEW_SERVICE, attr(1, full6()))

    def check_dests():
        # From one family into the other lead tunnels and, from IPv6 clients to IPv4 servers alone, FULLNAT.
        refused(errno.EINVAL, IPVS, NEW_DEST, s + attr(2, dest(method=3) + [attr(11, u16(2))]), words=True)
        refused(errno.EINVAL, IPVS, NEW_DEST, attr(1, ident()) + attr(2, dest(a=S6) + [attr(11, u16(10))]), words=True)
        for bad in ("::", "ff02::1", "fe80::1"):
            refused(errno.EINVAL, IPVS, NEW_DEST, s + attr(2, dest(a=bad) + [attr(11, u16(10))]))
    unchanged(check_dests)
    IPVS.ask(NEW_DEST, s + attr(2, dest() + [attr(11, u16(2))]))
    IPVS.ask(DEL_DEST, s + attr(2, dest() + [attr(11, u16(2))]))
    IPVS.ask(NEW_DEST, s + attr(2, dest(a=S6) + [attr(11, u16(10))]))
    # Without a family of its own a destination is of its service's, as older tools say it.
    refused(errno.EEXIST, IPVS, NEW_DEST, s + attr(2, dest(a=S6)))
    [(_, reply)] = IPVS.ask(GET_DEST, s, dump=True)
    d = dict(parse(dict(reply)[2]))
    same((addr(S6), u16(10)), (d[1], d[11]), "address and family")
    [(_, reply)] = IPVS.ask(GET_SERVICE, s)
    d = dict(parse(dict(reply)[1]))
    same((u16(10), addr(VIP6), struct.pack("=I", 128)), (d[1], d[3], d[9]), "family, address and prefix")


def test_local_addresses_of_ipv6():
    s = attr(1, ident(af=10, a=VIP6))

    LVS.ask(NEW_LADDR, s + local6(LIP6))

    def check():
        refused(errno.EEXIST, LVS, NEW_LADDR, s + local6(LIP6), words=True)
        refused(errno.ENOENT, LVS, DEL_LADDR, s + local6("fd00:9::77"), words=True)
        refused(errno.EINVAL, LVS, NEW_LADDR, s + local6(LIP1, af=10), words=True)
        # IPv4 clients have no IPv6 servers; the other way round is taken, below.
        refused(errno.EINVAL, LVS, NEW_LADDR, attr(1, ident()) + local6(LIP6), words=True)
        refused(errno.EADDRINUSE, LVS, NEW_LADDR, s + local6(VIP6), words=True)
        for bad in ("::", "::1", "ff02::1", "fe80::1", "::ffff:10.9.0.1"):
            refused(errno.EINVAL, LVS, NEW_LADDR, s + local6(bad), words=True)
    unchanged(check)
    LVS.ask(NEW_LADDR, s + local6(LIP1, af=2))
    LVS.ask(DEL_LADDR, s + local6(LIP1, af=2))
    LVS.ask(DEL_LADDR, s + local6(LIP6))
    IPVS.ask(DEL_SERVICE, s)


def test_methods_are_taken_or_refused_in_words():
    s = attr(1, ident())
    for method in (0, 1, 2, 3):
        IPVS.ask(NEW_DEST, s + attr(2, dest(port=1000 + method, method=method)))
        told = [dict(parse(dict(reply)[2])) for _, reply in IPVS.ask(GET_DEST, s, dump=True)]
        same([struct.pack("=I", method)], [d[3] for d in told if d[2] == be16(1000 + method)], f"method {method} as it is told")
        IPVS.ask(DEL_DEST, s + attr(2, dest(port=1000 + method)))
    # Stock takes 4, by which it means that there is no server, and 6 and 7, which it sends nothing by.
    for method in (4, 6, 7):
        refused(errno.EINVAL, IPVS, NEW_DEST, s + attr(2, dest(port=1000 + method, method=method)), words=True)


def test_there_is_no_sync_daemon():
    whole = [attr(1, 1), attr(2, "lo"), attr(3, 7)]
    refused(errno.EOPNOTSUPP, IPVS, NEW_DAEMON, attr(3, whole), words=True)
    refused(errno.EINVAL, IPVS, NEW_DAEMON, attr(3, []), words=True)
    for missing in range(3):
        refused(errno.EINVAL, IPVS, NEW_DAEMON, attr(3, whole[:missing] + whole[missing + 1:]), words=True)
    for state in (1, 2):
        refused(errno.ESRCH, IPVS, DEL_DAEMON, attr(3, [attr(1, state), attr(3, 7)]), words=True)
    refused(errno.EINVAL, IPVS, DEL_DAEMON, attr(3, [attr(1, 3)]), words=True)
    same([], IPVS.ask(GET_DAEMON, dump=True), "daemons")


def test_attributes_that_come_twice_or_that_nobody_knows():
    """As the kernel reads them: the last one counts, and what is unknown is passed over, as in stock."""
    IPVS.ask(NEW_SERVICE, attr(1, [attr(4, be16(4001)), attr(6, "nosuch")] + full(4002) + [attr(99, b"?"), attr(200, 7)]) + attr(77, b"!"))
    told = [dict(parse(dict(reply)[1])) for _, reply in IPVS.ask(GET_SERVICE, dump=True)]
    same(1, [s.get(4) for s in told].count(be16(4002)), "services on the last port")
    same(0, [s.get(4) for s in told].count(be16(4001)), "services on the first port")
    refused(errno.ENOENT, IPVS, NEW_SERVICE, attr(1, full(4003) + [attr(6, "nosuch")]))
    IPVS.ask(DEL_SERVICE, attr(1, ident(4001) + [attr(4, be16(4002))]))
    # LVS is strict: it has no former clients.
    s = attr(1, ident())

    def check():
        refused(errno.EINVAL, LVS, NEW_LADDR, s + attr(3, [attr(1, u16(2)), attr(2, addr(LIP1)), attr(99, b"?")]))
        refused(errno.EINVAL, LVS, NEW_LADDR, s + local(LIP1) + attr(77, b"!"))
    unchanged(check)


def test_method_5_is_fullnat_and_reads_as_0():
    s = attr(1, ident())
    IPVS.ask(NEW_DEST, s + attr(2, dest(port=85, method=5)))
    for _, reply in IPVS.ask(GET_DEST, s, dump=True):
        d = dict(parse(dict(reply)[2]))
        if d[2] == be16(85):
            same(struct.pack("=I", 0), d[3], "method as IPVS tells it")
            break
    else:
        raise AssertionError("not listed")
    assert "85 --fullnat" in rules() or "85 -b" in rules(), rules()
    IPVS.ask(DEL_DEST, s + attr(2, dest(port=85)))


def test_replies_have_exactly_stocks_attributes():
    [(command, reply)] = IPVS.ask(GET_SERVICE, attr(1, ident()))
    same(NEW_SERVICE, command, "command of the reply")
    kinds = [k for k, _ in parse(dict(reply)[1])]
    same([1, 2, 3, 4, 6, 7, 8, 9, 10, 12], kinds, "attributes of a service, in order")
    [(command, reply)] = IPVS.ask(GET_DEST, attr(1, ident()), dump=True)
    same(NEW_DEST, command)
    same([1, 2, 3, 4, 13, 14, 15, 5, 6, 7, 8, 9, 11, 10, 12], [k for k, _ in parse(dict(reply)[2])], "attributes of a destination, in order")
    [(command, reply)] = IPVS.ask(GET_INFO)
    same((SET_INFO, struct.pack("=I", 0x010201)), (command, dict(reply)[1]))


def test_an_unknown_service_has_no_destinations():
    same([], IPVS.ask(GET_DEST, attr(1, ident(4444)), dump=True))


def test_timeouts_that_cannot_be():
    before = IPVS.ask(GET_CONFIG)
    for kind in (4, 5, 6):
        refused(errno.EINVAL, IPVS, SET_CONFIG, attr(kind, 0x7FFFFFFF))
    IPVS.ask(SET_CONFIG)
    IPVS.ask(SET_CONFIG, attr(4, 0) + attr(5, 0) + attr(6, 0))
    same(before, IPVS.ask(GET_CONFIG))


def test_commands_the_family_lacks():
    for command in (0, 14, 18, 200):
        refused(errno.EOPNOTSUPP, IPVS, command, b"")
    for command in (GET_DEST, GET_DAEMON):
        refused(errno.EOPNOTSUPP, IPVS, command, attr(1, ident()))
    refused(errno.EOPNOTSUPP, IPVS, NEW_SERVICE, attr(1, full(81)), dump=True)


def test_local_addresses():
    s = attr(1, ident())
    LVS.ask(NEW_LADDR, s + local(LIP1))

    def check():
        refused(errno.EEXIST, LVS, NEW_LADDR, s + local(LIP1), words=True)
        refused(errno.ENOENT, LVS, DEL_LADDR, s + local("10.9.0.77"), words=True)
        for bad in (b"", attr(3, []), attr(3, [attr(1, u16(2))]), attr(3, [attr(2, addr(LIP1))])):
            refused(errno.EINVAL, LVS, NEW_LADDR, s + bad, words=True)
        refused(errno.EAFNOSUPPORT, LVS, NEW_LADDR, s + local(LIP1, af=77), words=True)
        for bad in ("0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255"):
            assert refused_any(LVS, NEW_LADDR, s + local(bad)).text, bad
    unchanged(check)
    LVS.ask(DEL_LADDR, s + local(LIP1))


def refused_any(family, command, payload):
    try:
        family.ask(command, payload)
    except Refused as e:
        return e
    raise AssertionError(f"command {command} was not refused")


def test_a_vip_that_is_also_a_local_address():
    refused(errno.EADDRINUSE, LVS, NEW_LADDR, attr(1, ident()) + local(VIP), words=True)
    refused(errno.EADDRINUSE, LVS, NEW_LADDR, local(VIP), words=True)
    # The other way round: before there is the service.
    refused(errno.EADDRINUSE, LVS, NEW_LADDR, attr(1, ident(a=LIP1)) + local(LIP1), words=True)
    LVS.ask(NEW_LADDR, local(LIP1))
    refused(errno.EADDRINUSE, IPVS, NEW_SERVICE, attr(1, full(a=LIP1)), words=True)
    LVS.ask(DEL_LADDR, local(LIP1))
    # And when it is another service's.
    IPVS.ask(NEW_SERVICE, attr(1, full(a=LIP2)))
    refused(errno.EADDRINUSE, LVS, NEW_LADDR, attr(1, ident()) + local(LIP2), words=True)
    IPVS.ask(DEL_SERVICE, attr(1, ident(a=LIP2)))
    LVS.ask(NEW_LADDR, attr(1, ident()) + local(LIP2))
    refused(errno.EADDRINUSE, IPVS, NEW_SERVICE, attr(1, full(a=LIP2)), words=True)
    LVS.ask(DEL_LADDR, attr(1, ident()) + local(LIP2))
    IPVS.ask(NEW_SERVICE, attr(1, full(a=LIP2)))
    IPVS.ask(DEL_SERVICE, attr(1, ident(a=LIP2)))


def test_what_is_refused_or_undone_keeps_no_memory():
    """Each names another service that there is not, in a namespace where nothing runs that would tidy up."""
    def general():
        return int(sh("slab_objects $GENERAL"))
    IPVS.ask(FLUSH)
    before = general()
    for port in range(1000, 5000):
        s = attr(1, ident(port))
        if port % 2:
            refused(errno.ENOENT, LVS, DEL_LADDR, s + local(LIP1))
            refused(errno.EINVAL, LVS, NEW_LADDR, s + local("127.0.0.1"))
        else:
            LVS.ask(NEW_LADDR, s + local(LIP1))
            LVS.ask(DEL_LADDR, s + local(LIP1))
    wait_for(lambda: general() < before + 1000)


def test_every_message_cut_anywhere():
    """All prefixes of a right message, and 2,000 with bytes changed: no answer but an error or success, no report."""
    right = struct.pack("=BBH", NEW_DEST, 1, 0) + attr(1, ident(4444)) + attr(2, dest())
    before = rules()
    for n in range(0, len(right)):
        try:
            IPVS.ask(0, raw=right[:n])
        except Refused:
            pass
    same(before, rules(), "rules")
    rng = random.Random(20)
    laddr = struct.pack("=BBH", NEW_LADDR, 1, 0) + attr(1, ident(4444)) + local(LIP1)
    conn = struct.pack("=BBH", 8, 1, 0) + attr(7, [attr(1, u16(6)), attr(3, addr(VIP))])
    six = struct.pack("=BBH", NEW_DEST, 1, 0) + attr(1, ident(4444, af=10, a=VIP6)) + attr(2, dest(a=S6) + [attr(11, u16(10))])
    for family, message, dump in ((IPVS, right, False), (IPVS, six, False), (LVS, laddr, False), (LVS, conn, True)):
        for _ in range(600):
            bad = bytearray(message)
            for _ in range(rng.randrange(1, 4)):
                bad[rng.randrange(4, len(bad))] = rng.randrange(256)
            try:
                family.ask(0, raw=bytes(bad), dump=dump)
            except Refused:
                pass
    sh("adm -C; adm -Sn >/dev/null")


def test_without_privilege():
    child = os.fork()
    if child == 0:
        ok = 1
        try:
            family, own = Genl("IPVS"), Genl("LVS")
            os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)
            for f, c, payload in ((family, FLUSH, b""), (family, GET_INFO, b""), (own, NEW_LADDR, local(LIP1))):
                try:
                    f.ask(c, payload)
                    os._exit(2)
                except Refused as e:
                    if e.errno != errno.EPERM:
                        os._exit(3)
            own.ask(1); own.ask(7, dump=True); own.ask(9)
            ok = 0
        finally:
            os._exit(ok)
    _, status = os.waitpid(child, 0)
    same(0, os.waitstatus_to_exitcode(status), "exit of the unprivileged child")


run(globals())
