#!/usr/bin/env python3
# Listings that take several datagrams: everything is in them once, in their order, also while the table changes.
# suite: control
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from genl import Genl, attr, parse
from ipvs import (DEL_DEST, DEL_LADDR, DEL_SERVICE, FULLNAT, GET_CONN, GET_DEST, GET_LADDR, GET_SERVICE, LVS_GET_DEST,
                  LVS_GET_SERVICE, NEW_DEST, NEW_LADDR, NEW_SERVICE, UDP, dest, full, ident, local)
from ktap import run, same, sh, wait_for
from wire import VIP

COUNT = 300
PORTS = list(range(2000, 2000 + COUNT))
LADDRS = [f"10.9.{n >> 8}.{n & 255}" for n in range(256, 256 + COUNT)]
BUSY = 5000
SERVICE, DEST, LADDR, CONN = 1, 2, 3, 4
IPVS = LVS = None


def setup():
    global IPVS, LVS
    sh("topology; lvs_in")
    IPVS, LVS = Genl("IPVS"), Genl("LVS")
    for port in PORTS:
        IPVS.ask(NEW_SERVICE, attr(SERVICE, full(port)))
    one = attr(SERVICE, full(BUSY, proto=UDP))
    IPVS.ask(NEW_SERVICE, one)
    for port in PORTS:
        IPVS.ask(NEW_DEST, one + attr(DEST, dest(port, method=FULLNAT)))
    for each in LADDRS:
        LVS.ask(NEW_LADDR, attr(SERVICE, ident(BUSY, proto=UDP)) + local(each))


def teardown():
    # A namespace that a socket is in stays, with all that was set.
    sh("adm -C")
    for family in (IPVS, LVS):
        family.sock.close()


def number(kind, index):
    """What a message of a listing is known by: the port in attribute `index` of its nest `kind`."""
    return lambda message: struct.unpack("!H", dict(parse(dict(message[1])[kind]))[index])[0]


def address(message):
    return ".".join(map(str, dict(parse(dict(message[1])[LADDR]))[2][:4]))


def listed(family, command, payload, what):
    """What a listing has, which takes more than one datagram."""
    datagrams = [[what(each) for each in datagram] for datagram in family.listing(command, payload)]
    assert datagrams[0] and datagrams[1], "it came in one datagram"
    return [each for datagram in datagrams for each in datagram]


BUSY_SERVICE = attr(SERVICE, ident(BUSY, proto=UDP))


def test_services():
    for family, command in ((IPVS, GET_SERVICE), (LVS, LVS_GET_SERVICE)):
        same([*PORTS, BUSY], sorted(listed(family, command, b"", number(SERVICE, 4))), "ports")


def test_destinations_newest_first_as_stock_has_them():
    for family, command, port in ((IPVS, GET_DEST, 2), (LVS, LVS_GET_DEST, 3)):
        same(PORTS[::-1], listed(family, command, BUSY_SERVICE, number(DEST, port)), "ports")


def test_local_addresses_in_the_order_in_which_they_came():
    same(LADDRS, listed(LVS, GET_LADDR, BUSY_SERVICE, address), "addresses")


def test_connections():
    sh(f"""in_ns client python3 -ISc "
import socket
for port in range(30000, {30000 + COUNT}):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(('', port)); s.sendto(b'x', ('{VIP}', {BUSY}))
" """)
    clients = list(range(30000, 30000 + COUNT))
    wait_for(lambda: len(LVS.ask(GET_CONN, dump=True)) >= COUNT)
    same(clients, sorted(listed(LVS, GET_CONN, b"", number(CONN, 4))), "ports")
    for file, column in (("ip_vs_conn", 2), ("lvs_conn", None)):
        lines = sh(f"in_ns director cat /proc/net/{file}").splitlines()[1:]
        ports = [int(line.split()[column], 16) for line in lines] if column else [int(line.split()[1].rsplit(":", 1)[1]) for line in lines]
        same(clients, sorted(ports), file)


def test_the_table_as_a_file():
    lines = sh("in_ns director cat /proc/net/ip_vs").splitlines()
    ports = [int(line.split()[1].split(":")[1], 16) for line in lines if line.startswith(("TCP ", "UDP "))]
    same([*PORTS, BUSY], sorted(ports), "services")
    ports = [int(line.split()[1].split(":")[1], 16) for line in lines[3:] if line.startswith("  ->")]
    same(PORTS[::-1], ports, "destinations")


def amid(family, command, payload, what, all, remove):
    """A listing of which the first datagram is taken before some of `all` are removed, each by `remove`: what was
    removed, and what was listed before and afterwards."""
    listing = family.listing(command, payload)
    first = [what(each) for each in next(listing)]
    left = [each for each in all if each not in first]
    # Some that were listed, and every third of the others: the next one among them.
    gone = [*first[-3:], *left[::3], left[-1]]
    for each in gone:
        remove(each)
    return gone, first, [what(each) for datagram in listing for each in datagram]


def test_services_that_go_and_come_amid_a_listing():
    new = max(PORTS) + 1
    with Genl("IPVS") as other:
        def remove(port):
            other.ask(DEL_SERVICE, attr(SERVICE, ident(port)))
            if port == PORTS[-1]:
                other.ask(NEW_SERVICE, attr(SERVICE, full(new)))
        gone, first, rest = amid(IPVS, GET_SERVICE, b"", number(SERVICE, 4), PORTS, remove)
        once(first, rest, stay={*PORTS, BUSY} - set(gone), may={*PORTS, BUSY, new})
        for port in gone:
            other.ask(NEW_SERVICE, attr(SERVICE, full(port)))
        other.ask(DEL_SERVICE, attr(SERVICE, ident(new)))


def test_destinations_that_go_amid_a_listing():
    with Genl("IPVS") as other:
        def remove(port):
            other.ask(DEL_DEST, BUSY_SERVICE + attr(DEST, dest(port, method=FULLNAT)))
        gone, first, rest = amid(IPVS, GET_DEST, BUSY_SERVICE, number(DEST, 2), PORTS, remove)
    once(first, rest, stay=set(PORTS) - set(gone), may=set(PORTS))


def test_local_addresses_that_go_amid_a_listing():
    with Genl("LVS") as other:
        def remove(each):
            other.ask(DEL_LADDR, BUSY_SERVICE + local(each))
        gone, first, rest = amid(LVS, GET_LADDR, BUSY_SERVICE, address, LADDRS, remove)
    # They have connections: those that are removed come again, as ones that leave.
    once(first, [each for each in rest if each not in gone], stay=set(LADDRS) - set(gone), may=set(LADDRS))
    same(set(), set(gone) - set(rest), "removed with connections, and not listed")


def once(first, rest, stay, may):
    """What stayed is listed, all else may be, and nothing twice."""
    both = first + rest
    assert rest and len(set(both)) == len(both), f"listed twice: {sorted(each for each in set(both) if both.count(each) > 1)}"
    same(set(), stay - set(both), "not listed")
    same(set(), set(both) - may, "listed for nothing")


run(globals())
