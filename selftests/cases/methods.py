#!/usr/bin/env python3
# What each forwarding method makes of a packet, seen on the wire: addresses, TTL, the headers of tunnels and their
# checksums, and what its sender is told. The kernel's own ip_vs does the same, and is asked first.
# suite: methods
import os
import socket
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from ktap import run, same, sh
from packet import Tcp, Udp, checksum, fragments
from wire import BOTH, V4, drops, finished

GUE_PORT = 6080
WRAPPINGS = {
    "ipip": "",
    "gre": "--tun-type gre",
    "gre-csum": "--tun-type gre --tun-csum",
    "gue": f"--tun-type gue --tun-port {GUE_PORT} --tun-nocsum",
    "gue-csum": f"--tun-type gue --tun-port {GUE_PORT} --tun-csum",
    "gue-remcsum": f"--tun-type gue --tun-port {GUE_PORT} --tun-remcsum",
}
BETWEEN = {"ipip": 0, "gre": 4, "gre-csum": 8, "gue": 12, "gue-csum": 12, "gue-remcsum": 12}  # bytes between the IP headers


class Cell:
    """A method, towards a server of a family, as a service on a port of its own."""

    def __init__(self, module, w, port, method, outer=None):
        self.w, self.port, self.method, self.outer = w, port, method, outer
        self.tunnel = method in WRAPPINGS
        self.name = f"{method} in {outer.name}" if outer else method
        self.overhead = outer.head + BETWEEN[method] if outer else 0
        # Room for the place of the checksum, which stock's ip_vs leaves only when it is needed.
        if method == "gue-remcsum" and module == "lvs":
            self.overhead += 8

    @property
    def server(self):
        return (self.outer or self.w).server

    def rules(self):
        for proto in "tu":
            at = self.w.at(self.w.vip, self.port)
            yield f"-A -{proto} {at} -s rr"
            if self.method == "fullnat":
                yield f"-P -{proto} {at} -z {self.w.lip1}"
            how = {"nat": "-m", "fullnat": "--fullnat", "dr": "-g"}.get(self.method) or f"-i {WRAPPINGS[self.method]}"
            # Only what is translated may get another port.
            wire = self.outer or self.w
            yield f"-a -{proto} {at} -r {wire.at(wire.s1, self.port)} {how}"


class Director:
    """One of the modules, and one family of services."""

    def __init__(self, module, w):
        self.module, self.w, self.name = module, w, f"{module}_{w.name}"
        methods = ["nat", "dr"] + (["fullnat"] if module == "lvs" else [])
        tunnels = [(method, outer) for outer in BOTH for method in WRAPPINGS]
        self.cells = [Cell(module, w, 1000 + n, *what) for n, what in enumerate([(m,) for m in methods] + tunnels)]

    def __iter__(self):
        return iter(self.cells)


def setup():
    sh("topology; raw_ends")
    sh("""
        in_ns director sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0
        for m in ipip ip_gre fou fou6 sit ip6_tunnel ip6_gre; do modprobe $m; done
    """)
    for w in BOTH:
        w.open()


def each(director, fact):
    """Tries a fact in all cells, and says of which of them it is false."""
    false = []
    for cell in director:
        cell.w.client.drain()
        cell.server.drain()
        try:
            fact(cell)
        except AssertionError as e:
            false.append(f"{cell.name}: {e}")
    assert not false, "\n".join(false)


def request(cell, cport, payload=b"hello", **ip):
    return cell.w.Packet(cell.w.client_addr, cell.w.vip, Udp(cport, cell.port, payload), **ip)


def arrived(cell):
    """The next packet of a cell that arrives at its server, as it is on the wire there."""
    def mine(p):
        if cell.method == "dr":
            return p.dst == cell.w.vip
        return p.dst == cell.server.addr and p.proto in (4, 6, 17, 41, 47)
    p = cell.server.recv(mine, sound=False)
    whole = type(p).parse(p.raw)
    whole.raw = p.raw
    return whole


def unwrapped(cell, outer):
    """The packet inside, after its outer headers have been found right."""
    body = outer.l4
    # Without a checksum is what the receiver of a tunnel may be told to take.
    same(["UDP checksum of zero"] if cell.method == "gue" and cell.outer.is_v6 else [], outer.problems, "problems of the outer header")
    same("10.2.0.1" if cell.outer is V4 else "fd00:2::1", outer.src, "source of the outer header")
    inner_proto = 41 if cell.w.is_v6 else 4
    if cell.method == "ipip":
        same(inner_proto, outer.proto)
    elif cell.method.startswith("gre"):
        same(47, outer.proto)
        flags, kind = struct.unpack("!HH", body[:4])
        same((0x8000 if cell.method == "gre-csum" else 0, 0x86DD if cell.w.is_v6 else 0x0800), (flags, kind), "GRE header")
        if flags:
            same((0, 0), (checksum(body), struct.unpack("!H", body[6:8])[0]), "GRE checksum and reserved")
        body = body[8 if flags else 4:]
    else:
        same((17, GUE_PORT), (outer.proto, outer.l4.dport))
        same(cell.method in ("gue-csum", "gue-remcsum"), outer.l4.checksum != 0, "UDP checksum present")
        body = outer.l4.payload
        control, proto, flags = struct.unpack("!BBH", body[:4])
        same((0, inner_proto), (control >> 5, proto), "GUE header")
        options, body = body[4:4 + (control & 31) * 4], body[4 + (control & 31) * 4:]
        if options:
            same(("gue-remcsum", 1, 8), (cell.method, flags, len(options)))
            private, start, place = struct.unpack("!IHH", options)
            same(1 << 31, private, "private flags")
            body = finished(body, start, place - start)
    inner = cell.w.Packet.parse(body)
    same([], inner.problems, "problems of the packet inside")
    return inner


def inside(cell):
    outer = arrived(cell)
    return unwrapped(cell, outer) if cell.tunnel else outer


def wanted(cell, sent, **changes):
    """Compares a packet that came with the one that was sent, one hop earlier."""
    got = inside(cell)
    to = cell.server.addr if cell.method in ("nat", "fullnat") else cell.w.vip
    origin = cell.w.lip1 if cell.method == "fullnat" else cell.w.client_addr
    same((origin, to, sent.ttl - 1, sent.tos), (got.src, got.dst, got.ttl, got.tos), "addresses, TTL and TOS")
    same((cell.port, sent.l4.payload), (got.l4.dport, got.l4.payload))
    if cell.method != "fullnat":
        same(sent.l4.sport, got.l4.sport)
    return got


def test_prepare(director):
    rules = "\n".join(rule for cell in director for rule in cell.rules())
    tool = "ipvsadm-rs" if director.module == "lvs" else "ipvsadm"
    sh(f"""
        modules_out
        {'lvs_in' if director.module == 'lvs' else 'stock_in'}
        in_ns director {tool} -R <<'RULES'
{rules}
RULES
        same {2 * len(director.cells)} "$(stock -Ln | grep -c -- '->.*:1[0-9][0-9][0-9] ')"
    """)


def test_a_datagram_arrives(director):
    def fact(cell):
        sent = request(cell, 3000, ttl=10, tos=0x28)
        cell.w.client.send(sent)
        wanted(cell, sent)
    each(director, fact)


def test_a_checksum_left_to_the_device_is_made(director):
    def fact(cell):
        sent = request(cell, 3001, b"partial" * 9)
        cell.w.client.send(sent, partial=True)
        wanted(cell, sent)
    each(director, fact)


def test_a_tcp_connection_opens_with_the_clients_own_numbers(director):
    def fact(cell):
        if cell.method == "fullnat":
            return
        sent = cell.w.Packet(cell.w.client_addr, cell.w.vip, Tcp(3002, cell.port, 12345, 0, "S"))
        cell.w.client.send(sent)
        got = wanted(cell, sent)
        same((12345, "S", b""), (got.l4.seq, got.l4.flags, got.l4.options))
    each(director, fact)


def test_big_tcp_packets_stay_whole(director):
    def fact(cell):
        # No device can cut what has its checksum elsewhere.
        if cell.method in ("fullnat", "gue-remcsum"):
            return
        data = bytes(i % 251 for i in range(5000))
        sent = cell.w.Packet(cell.w.client_addr, cell.w.vip, Tcp(3002, cell.port, 12346, 1, "PA", payload=data))
        cell.w.client.send(sent, gso_size=1200)
        p = cell.server.recv(lambda p: p.gso_size, sound=False)
        same(1200, p.gso_size)
        assert p.raw[-5000:] == data, "the payload is another one"
    each(director, fact)


def test_outer_headers_take_after_the_one_inside(director):
    def fact(cell):
        if not cell.tunnel:
            return
        # ECN's "experienced" is not copied outwards.
        for tos, outside in ((0x28, 0x28), (0x2A, 0x2A), (0x2B, 0x2A)):
            cell.w.client.send(request(cell, 3003, ttl=33, tos=tos))
            outer = arrived(cell)
            unwrapped(cell, outer)
            same((32, outside), (outer.ttl, outer.tos), f"outer TTL and TOS for TOS {tos:#x}")
        if cell.outer is V4:
            for df in (True, False) if cell.w is V4 else (None,):
                cell.w.client.send(request(cell, 3003, **({} if df is None else {"df": df})))
                same(bool(df), arrived(cell).df, f"outer DF for inner {df}")
    each(director, fact)


def test_with_one_hop_left_the_client_is_told(director):
    def fact(cell):
        cell.w.client.send(request(cell, 3004, ttl=1))
        got = cell.w.client.recv(cell.w.is_error)
        same((cell.w.time_exceeded, cell.w.client_addr), ((got.l4.type, got.l4.code), got.dst))
        quoted = got.embedded()
        same((cell.w.client_addr, cell.w.vip), (quoted.src, quoted.dst), "quoted")
        sent = request(cell, 3004, ttl=2)
        cell.w.client.send(sent)
        wanted(cell, sent)
    each(director, fact)


def connected(cell, cport):
    """What makes segments of a connection that has been opened."""
    def segment(payload=b"", flags="PA", seq=1001, **ip):
        return cell.w.Packet(cell.w.client_addr, cell.w.vip, Tcp(cport, cell.port, seq, 1, flags, payload=payload), **ip)
    cell.w.client.send(segment(flags="S", seq=1000))
    arrived(cell)
    return segment


def test_what_does_not_fit_with_its_headers_is_reported_and_what_does_arrives(director):
    sh("ip -n director link set s1 mtu 1400")

    def refused_and_taken(cell, packet, head, room):
        payload = bytes(room - cell.w.head - head)
        cell.w.client.send(packet(payload + b"x"))
        got = cell.w.client.recv(cell.w.is_error)
        same((cell.w.too_big, room), ((got.l4.type, got.l4.code), got.l4.mtu))
        quoted = got.embedded()
        same((cell.w.client_addr, cell.w.vip), (quoted.src, quoted.dst), "quoted")
        sent = packet(payload)
        cell.w.client.send(sent)
        wanted(cell, sent)

    def fact(cell):
        room = 1400 - cell.overhead
        refused_and_taken(cell, lambda payload: request(cell, 3005, payload), 8, room)
        # Until the server has answered, segments need room for the option.
        toa = cell.w.toa_len if cell.method == "fullnat" else 0
        refused_and_taken(cell, connected(cell, 3009), 20, room - toa)
    try:
        each(director, fact)
    finally:
        sh("ip -n director link set s1 mtu 1500")


def gathered(cell):
    """A packet that arrives in fragments or whole."""
    first = arrived(cell)
    if not first.mf and not first.offset:
        return first
    parts, last = {first.offset: first.l4}, None
    while last is None or sum(map(len, parts.values())) < last:
        p = arrived(cell)
        parts[p.offset] = p.l4
        if not p.mf:
            last = p.offset + len(p.l4)
    body = b"".join(parts[o] for o in sorted(parts))
    kind = type(first)
    whole = kind(first.src, first.dst, body, ttl=first.ttl, tos=first.tos, proto=first.proto)
    return kind.parse(whole.build())


def cut_and_gathered(cell, packet):
    """Sends a packet in fragments, and returns it as the server puts it together."""
    for part in fragments(packet, 1200):
        cell.w.client.send(part)
    got = gathered(cell)
    if cell.tunnel and not cell.w.is_v6:
        return unwrapped(cell, got)
    if cell.tunnel:
        # Each of IPv6's pieces may be wrapped by itself.
        got = unwrapped(cell, got)
        parts = {got.offset: got.l4}
        while got.mf or got.offset and 0 not in parts:
            got = unwrapped(cell, gathered(cell))
            parts[got.offset] = got.l4
        if len(parts) > 1:
            body = b"".join(parts[o] for o in sorted(parts))
            return cell.w.Packet.parse(cell.w.Packet(got.src, got.dst, body, proto=packet.l4.proto).build())
    return got


def test_a_datagram_in_fragments_arrives(director):
    def fact(cell):
        data = bytes(i % 251 for i in range(4000))
        got = cut_and_gathered(cell, request(cell, 3006, data, ident=0x1234 + cell.port))
        assert got.l4.payload == data, f"{len(got.l4.payload)} bytes came"
    each(director, fact)


def test_what_no_outer_header_can_say_the_length_of_is_dropped(director):
    def fact(cell):
        # An IPv6 header does not count itself.
        if not cell.tunnel or cell.w.is_v6 or cell.name == "ipip in v6":
            return
        before = drops("too_long")
        for part in fragments(request(cell, 3014, bytes(65535 - 20 - 8), ident=0x3456), 1480):
            cell.w.client.send(part)
        sent = request(cell, 3014)
        cell.w.client.send(sent)
        wanted(cell, sent)
        same(before + 1, drops("too_long"))
    if director.module == "lvs":
        each(director, fact)


def test_a_segment_in_fragments_arrives(director):
    def fact(cell):
        data = bytes(i % 251 for i in range(4000))
        got = cut_and_gathered(cell, connected(cell, 3008)(data, ident=0x2345 + cell.port))
        assert got.l4.payload == data, f"{len(got.l4.payload)} bytes came"
        same([], got.problems)
    each(director, fact)


def test_a_datagram_without_a_checksum_stays_so(director):
    def fact(cell):
        if cell.w.is_v6:
            return
        sent = cell.w.Packet(cell.w.client_addr, cell.w.vip, Udp(3010, cell.port, b"unsummed", checksum=0))
        cell.w.client.send(sent)
        got = wanted(cell, sent)
        # Stock's NAT makes one. It costs a walk over the datagram, and nobody has asked for it.
        makes_one = director.module == "stock" and cell.method == "nat"
        same(makes_one, got.l4.checksum != 0, "a checksum")
        if cell.method not in ("nat", "fullnat"):
            return
        answer(cell, got, b"reply", checksum=0)
        same(makes_one, cell.w.client.recv().l4.checksum != 0, "a checksum of the reply")
    each(director, fact)


def test_a_recorded_route_is_in_the_checksum(director):
    """The stack writes the address that was asked into the option before the packet is ours."""
    def fact(cell):
        if cell.w.is_v6:
            return
        sent = request(cell, 3013, options=b"\x07\x07\x04" + bytes(5))
        cell.w.client.send(sent)
        got = wanted(cell, sent)
        same([], got.problems)
        same(b"\x07\x07\x08" + socket.inet_aton(cell.w.vip) + b"\0", got.options)
    each(director, fact)


def answer(cell, got, payload, checksum=None, partial=False, **ip):
    """What the server of a translating method says to a datagram that came."""
    packet = cell.w.Packet(got.dst, got.src, Udp(got.l4.dport, got.l4.sport, payload, checksum=checksum), **ip)
    cell.server.send(packet, partial=partial)
    return packet


def test_replies_that_pass_come_from_the_vip(director):
    def fact(cell):
        if cell.method not in ("nat", "fullnat"):
            return
        sent = request(cell, 3011)
        cell.w.client.send(sent)
        came = wanted(cell, sent)
        for partial in (False, True):
            answer(cell, came, b"reply" * 9, partial=partial, ttl=20, tos=0x28)
            got = cell.w.client.recv()
            same((cell.w.vip, cell.w.client_addr, 19, 0x28), (got.src, got.dst, got.ttl, got.tos), "addresses, TTL and TOS")
            same((cell.port, 3011, b"reply" * 9), (got.l4.sport, got.l4.dport, got.l4.payload))
    each(director, fact)


def test_an_error_about_a_packet_harms_nobody(director):
    def fact(cell):
        w = cell.w
        sent = request(cell, 3012)
        w.client.send(sent)
        came = arrived(cell)
        if cell.tunnel:
            # The director is told, whose packet it was. It may tell the client.
            outer = cell.outer
            cell.server.send(outer.error(came.raw, outer.router_s, came.src, outer.host_unreachable, quote=len(came.raw)))
        else:
            w.server.send(w.error(came.raw, w.router_s if cell.method == "dr" else w.server.addr, came.src, w.port_unreachable,
                                  quote=len(came.raw)))
            got = w.client.recv(w.is_error)
            same((w.port_unreachable, w.client_addr), ((got.l4.type, got.l4.code), got.dst))
            if cell.method != "dr":
                same(w.vip, got.src, "sender of the error")
            quoted = got.embedded()
            same((w.client_addr, w.vip), (quoted.src, quoted.dst), "quoted")
            same(struct.pack("!HH", 3012, cell.port), quoted.build()[w.head:w.head + 4], "quoted ports")
        w.client.send(sent)
        wanted(cell, sent)
    each(director, fact)


def test_without_pmtu_disc_a_tunnel_cuts_what_does_not_fit(director):
    def fact(cell):
        if not cell.tunnel or cell.w.is_v6:
            return
        data = bytes(i % 251 for i in range(1472))
        cell.w.client.send(request(cell, 3007, data))
        got = unwrapped(cell, gathered(cell))
        assert got.l4.payload == data, f"{len(got.l4.payload)} bytes came"
    sh("vs_set pmtu_disc 0")
    try:
        each(director, fact)
    finally:
        sh("vs_set pmtu_disc 1")


def test_every_connection_is_listed_with_its_server(director):
    if director.module != "lvs":
        return
    rows = sh("adm -Lnc --conn-legs").splitlines()

    def fact(cell):
        server = (cell.outer or cell.w).at(cell.server.addr, cell.port)
        assert any(cell.w.at(cell.w.vip, cell.port) in row and server in row for row in rows), f"{server} is not there"
    each(director, fact)


run(globals(), [Director(module, w) for module in ("stock", "lvs") for w in BOTH])
