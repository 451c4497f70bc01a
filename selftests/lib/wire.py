"""Conversations made by hand: both ends are packet sockets, so that one test sends exactly what it wants at one
side of the director and sees exactly what leaves at the other.

The ends have addresses which nobody owns (lib/topology.sh: raw_ends), so no kernel answers for them. The process
stays on one CPU: there, a packet sent later cannot overtake one sent before, and a mark that arrives proves that
whatever has not arrived by then was dropped. No test waits for a time to pass.
"""
import fcntl
import os
import select
import socket
import struct
import time

from packet import Icmp, Packet, Tcp, Udp, checksum, pseudo
from packet6 import Icmp6, Packet6

ETH_P_IP, ETH_P_IPV6 = 0x0800, 0x86DD
CSUM_OFFSET = {6: 16, 17: 6, 58: 2}  # in the L4 header
SOL_PACKET, PACKET_VNET_HDR, PACKET_IGNORE_OUTGOING = 263, 15, 23
VNET_NEEDS_CSUM, VNET_DATA_VALID, VNET_GSO_TCPV4, VNET_GSO_TCPV6, VNET_GSO_UDP_L4 = 1, 2, 1, 4, 5
PATIENCE = 20.0  # seconds that something which must come may take under emulation
CLONE_NEWNET = 0x40000000

VIP, LIP1 = "10.1.0.100", "10.9.0.1"

os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


class inside:
    """`with inside("director"):` the sockets opened belong to that namespace."""

    def __init__(self, ns):
        self.path = f"/run/netns/{ns}"

    def __enter__(self):
        self.home = os.open("/proc/self/ns/net", os.O_RDONLY)
        fd = os.open(self.path, os.O_RDONLY)
        os.setns(fd, CLONE_NEWNET)
        os.close(fd)

    def __exit__(self, *_):
        os.setns(self.home, CLONE_NEWNET)
        os.close(self.home)


def mac_of(ns, dev):
    with inside(ns), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        return fcntl.ioctl(s, 0x8927, struct.pack("256s", dev.encode()))[18:24]


class Missing(AssertionError):
    """A packet that should have come did not."""


class End:
    """One end: an address, IPv4 or IPv6, in a namespace behind a device whose other end is the director's."""

    def __init__(self, ns, dev, addr, peer_dev, peer_ns="director"):
        self.name, self.addr = ns, addr
        self.kind, ether_type = (Packet6, ETH_P_IPV6) if ":" in addr else (Packet, ETH_P_IP)
        with inside(ns):
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ether_type))
            self.sock.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
            self.sock.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
            self.sock.bind((dev, ether_type))
        self.ether = mac_of(peer_ns, peer_dev) + mac_of(ns, dev) + struct.pack("!H", ether_type)

    def send(self, packet, gso_size=0, partial=False):
        """Sends a packet or bytes. With `partial` the L4 checksum is left to the device (CHECKSUM_PARTIAL);
        `gso_size` makes it one big packet of segments that size."""
        data = packet if isinstance(packet, bytes) else packet.build()
        vnet = bytes(10)
        if partial or gso_size:
            head, proto = packet.header_len, packet.l4.proto
            at = head + CSUM_OFFSET[proto]
            pseudo_sum = ~checksum(pseudo(packet.src, packet.dst, proto, len(data) - head)) & 0xFFFF
            data = data[:at] + struct.pack("!H", pseudo_sum) + data[at + 2:]
            hdr_len = 14 + head + ((data[head + 12] >> 4) * 4 if proto == 6 else 8)
            gso = self.gso_type(proto)
            vnet = struct.pack("<BBHHHH", VNET_NEEDS_CSUM, gso if gso_size else 0, hdr_len, gso_size,
                               14 + head, CSUM_OFFSET[proto])
        self.sock.send(vnet + self.ether + data)

    def gso_type(self, proto):
        return VNET_GSO_UDP_L4 if proto == 17 else VNET_GSO_TCPV4 if self.kind is Packet else VNET_GSO_TCPV6

    def _next(self, deadline):
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([self.sock], [], [], left)[0]:
            return None
        data = self.sock.recv(70000)
        flags, gso_type, _, gso_size, start, offset = struct.unpack("<BBHHHH", data[:10])
        partial = bool(flags & VNET_NEEDS_CSUM)
        p = self.kind.parse(data[24:], partial=partial)
        p.partial, p.gso_size = partial, gso_size if gso_type else 0
        if gso_type and gso_type & 0x7F != self.gso_type(p.proto):  # without ECN
            p.problems.append(f"GSO type {gso_type}")
        p.raw = finished(data[24:], start - 14, offset) if partial else data[24:]
        if partial and not isinstance(p.l4, bytes):
            head = p.header_len
            if (start, offset) != (14 + head, CSUM_OFFSET[p.proto]):
                p.problems.append(f"csum_start {start} offset {offset}")
        return p

    def recv(self, match=None, sound=True):
        """The next packet that matches (all do by default) and is for nobody else; its checksums and lengths have
        to be right unless `sound` is off."""
        deadline, others = time.monotonic() + PATIENCE, []
        while (p := self._next(deadline)) is not None:
            if (match(p) if match else p.dst == self.addr and not is_mark(p)):
                if sound and p.problems:
                    raise AssertionError(f"{self.name} got a packet with a bad {', '.join(p.problems)}: {p}")
                return p
            others.append(str(p))
        raise Missing(f"{self.name} got nothing that matches; it got: {others}")

    def all_until_mark(self, sender):
        """Everything for this end that was sent before now. `sender` is the end the packets come from; a mark is
        sent by plain forwarding and what came before it is returned."""
        mark = self.kind(sender.addr, self.addr, Udp(9, 9, b"mark%d" % time.monotonic_ns()))
        sender.send(mark)
        got, deadline = [], time.monotonic() + PATIENCE
        while (p := self._next(deadline)) is not None:
            if is_mark(p):
                if p.l4.payload == mark.l4.payload:
                    return got
            elif p.dst == self.addr:
                got.append(p)
        raise Missing(f"{self.name} did not get the mark")

    def nothing(self, sender):
        """Asserts that nothing came."""
        got = self.all_until_mark(sender)
        assert not got, f"{self.name} got what should have been dropped: {[str(p) for p in got]}"

    def drain(self):
        while select.select([self.sock], [], [], 0)[0]:
            self.sock.recv(70000)


def finished(data, start, offset):
    """The packet when a device has done what was left to it: the checksum of all from `start` on."""
    at = start + offset
    return data[:at] + struct.pack("!H", checksum(data[start:])) + data[at + 2:]


def is_mark(p):
    return isinstance(p.l4, Udp) and p.l4.dport == 9


class Wire:
    """The raw ends of the basic topology in one address family, and how that family says things."""

    def __init__(self, name, packet, icmp, net, **icmp_kinds):
        self.name, self.Packet, self.Icmp = name, packet, icmp
        self.af = socket.AF_INET6 if packet is Packet6 else socket.AF_INET
        self.is_v6 = packet is Packet6
        host = "::" if self.is_v6 else ".0."
        self.client_addr, self.s1, self.s2 = (f"{net}{n}{host}7" for n in (1, 2, 3))
        self.router_c, self.router_s = (f"{net}{n}{host}99" for n in (1, 2))  # routers on either side, which nobody is
        self.vip, self.lip1, self.lip2 = f"{net}1{host}100", f"{net}9{host}1", f"{net}9{host}2"
        # The length of TOA, and of the IP header.
        self.toa_len, self.head = (20, 40) if self.is_v6 else (8, 20)
        for kind, value in icmp_kinds.items():
            setattr(self, kind, value)

    def open(self):
        self.client = End("client", "eth0", self.client_addr, "client")
        self.server = End("s1", "eth0", self.s1, "s1")
        self.server2 = End("s2", "eth0", self.s2, "s2")

    def at(self, addr, port):
        """As a command line has it."""
        return f"[{addr}]:{port}" if self.is_v6 else f"{addr}:{port}"

    def hex(self, addr):
        """As /proc/net/ip_vs_conn has it."""
        raw = socket.inet_pton(self.af, addr).hex()
        return ":".join(raw[i:i + 4] for i in range(0, 32, 4)) if self.is_v6 else raw.upper()

    def error(self, packet, src, dst, kind, mtu=0, quote=None):
        """An ICMP error of src to dst which quotes the first `quote` bytes of a packet, by default 8 of its L4."""
        quote = self.head + 8 if quote is None else quote
        may = {} if self.is_v6 else {"df": False}
        return self.Packet(src, dst, self.Icmp(*kind, mtu, (packet if isinstance(packet, bytes) else packet.build())[:quote]), **may)

    def is_error(self, p):
        """An ICMP error, as opposed to neighbour discovery and the like."""
        return isinstance(p.l4, self.Icmp) and (p.l4.type < 128 if self.is_v6 else True)

    def drain(self):
        for end in (self.client, self.server, self.server2):
            end.drain()


# Both families in the same network: lib/topology.sh has the drawing.
V4 = Wire("v4", Packet, Icmp, "10.", host_unreachable=(3, 1), port_unreachable=(3, 3), too_big=(3, 4), time_exceeded=(11, 0),
          parameter_problem=(12, 0))
V6 = Wire("v6", Packet6, Icmp6, "fd00:", host_unreachable=(1, 3), port_unreachable=(1, 4), too_big=(2, 0), time_exceeded=(3, 0),
          parameter_problem=(4, 0))
BOTH = (V4, V6)


class Flow:
    """One TCP connection over the director. Sequence numbers of its methods are relative: 0 is the SYN, 1 the
    first byte of data, each end in its own numbers; `delta` is what the director adds to the client's."""

    def __init__(self, wire, cport, vport=80, c_isn=1_000_000, s_isn=7_000_000, client=None, vip=None):
        self.w, self.cport, self.vport, self.c_isn, self.s_isn = wire, cport, vport, c_isn, s_isn
        self.kind = wire.client.kind
        self.caddr, self.vip = client or wire.client_addr, vip or wire.vip
        self.lip = self.lport = self.rport = self.delta = None

    def client_packet(self, flags="A", seq=1, ack=1, payload=b"", options=b"", **ip):
        tcp = Tcp(self.cport, self.vport, self.c_isn + seq, (self.s_isn + ack) if "A" in flags else 0, flags,
                  options=options, payload=payload)
        return self.kind(self.caddr, self.vip, tcp, **ip)

    def server_packet(self, flags="A", seq=1, ack=1, payload=b"", options=b"", **ip):
        """What the server says: its acknowledgements are in the numbers it saw, that is with delta."""
        tcp = Tcp(self.rport, self.lport, self.s_isn + seq, (self.c_isn + self.delta + ack) if "A" in flags else 0,
                  flags, options=options, payload=payload)
        return self.kind(self.w.server.addr, self.lip, tcp, **ip)

    def to_server(self, packet, **how):
        self.w.client.send(packet, **how)
        # Its own port or, before that is known, a SYN: the director's own stack may have reset something else.
        return self.w.server.recv(lambda p: p.dst == self.w.server.addr and isinstance(p.l4, Tcp)
                                  and (p.l4.sport == self.lport if self.lport else "S" in p.l4.flags))

    def to_client(self, packet, **how):
        self.w.server.send(packet, **how)
        # The port, too: the director's own stack may have answered a stray packet of another port with a RST.
        return self.w.client.recv(lambda p: p.dst == self.caddr and isinstance(p.l4, Tcp) and p.l4.dport == self.cport)

    def client_sends(self, flags="A", seq=1, ack=1, payload=b"", options=b"", **ip):
        return self.to_server(self.client_packet(flags, seq, ack, payload, options, **ip))

    def server_sends(self, flags="A", seq=1, ack=1, payload=b"", options=b"", **ip):
        return self.to_client(self.server_packet(flags, seq, ack, payload, options, **ip))

    def syn(self, options=b""):
        """Sends the SYN; remembers the local address, port and delta it left with, and returns what left."""
        got = self.client_sends("S", seq=0, options=options)
        self.lip, self.lport, self.rport = got.src, got.l4.sport, got.l4.dport
        self.delta = (got.l4.seq - self.c_isn) % 2**32
        return got

    def syn_ack(self, options=b""):
        return self.server_sends("SA", seq=0, ack=1, options=options)

    def open(self, options=b"", server_options=b""):
        """The whole handshake."""
        self.syn(options)
        self.syn_ack(server_options)
        self.client_sends("A")
        return self

    def established(self, options=b"", server_options=b""):
        """The handshake and one byte each way, acknowledged: the phase in which TOA is inserted is over."""
        self.open(options, server_options)
        self.client_sends("PA", payload=b"c")
        self.server_sends("PA", ack=2, payload=b"s")
        self.client_sends("A", seq=2, ack=2)
        return self


def fullnat():
    """The director of a case made by hand: TCP 80 and UDP 5000 on the VIP of both families, a raw server behind each."""
    from ktap import sh
    services = [f"""
        family {w.name}
        service -t 80 {w.at(w.s1, 80)}
        service -u 5000 {w.at(w.s1, 5000)}
    """ for w in BOTH]
    sh("topology; raw_ends; lvs_in" + "".join(services))
    for w in BOTH:
        w.open()


def drops(name):
    """How often the director counted that reason or event."""
    from ktap import sh
    return int(sh(f"drops {name}"))
