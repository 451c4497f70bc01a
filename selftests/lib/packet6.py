"""IPv6 packets as values, as packet.py has IPv4's: the same names wherever both have the same thing."""
import socket
import struct
from dataclasses import dataclass, field, replace

from packet import Icmp, Tcp, Udp, checksum, pseudo

HOP_BY_HOP, ROUTING, FRAGMENT, DESTINATION = 0, 43, 44, 60
# The bodies of extension headers of 8 bytes, without the first byte, which says what follows: nothing but padding; and
# an option that says it is to be skipped by who does not know it.
PADDING = b"\0\1\4\0\0\0\0"
UNKNOWN_SKIP = b"\0\x1e\4\0\0\0\0"


@dataclass
class Icmp6(Icmp):
    """ICMPv6. The MTU is all of `rest`."""
    proto = 58

    def build(self, src, dst):
        data = struct.pack("!BBHI", self.type, self.code, 0, self.rest) + self.payload
        c = self.checksum
        if c is None:
            c = checksum(pseudo(src, dst, 58, len(data)) + data)
        return data[:2] + struct.pack("!H", c) + data[4:]

    @property
    def mtu(self):
        return self.rest


@dataclass
class Packet6:
    """An IPv6 packet; `l4` is a Tcp, Udp, Icmp6, or bytes (a fragment or something unknown)."""
    src: str
    dst: str
    l4: object = b""
    ttl: int = 64
    ident: int = 0
    mf: bool = False
    offset: int = 0  # bytes
    tos: int = 0
    label: int = 0
    proto: int = None
    headers: list = field(default_factory=list)  # [(kind, body without its first byte)], the fragment header left out
    atomic: bool = False  # a fragment header though the packet is whole
    total: int = None  # of the payload; None: the right one
    problems: list = field(default_factory=list, compare=False)  # what parse found wrong
    gso_size: int = field(default=0, compare=False)
    partial: bool = field(default=False, compare=False)  # the L4 checksum is left to the device

    def build(self):
        body = self.l4 if isinstance(self.l4, bytes) else self.l4.build(self.src, self.dst)
        chain = list(self.headers)
        if self.offset or self.mf or self.atomic:
            chain.append((FRAGMENT, struct.pack("!BHI", 0, self.offset | self.mf, self.ident)))
        kinds = [kind for kind, _ in chain] + [self.proto if self.proto is not None else self.l4.proto]
        body = b"".join(bytes([after]) + rest for (_, rest), after in zip(chain, kinds[1:])) + body
        total = len(body) if self.total is None else self.total
        return struct.pack("!IHBB", 6 << 28 | self.tos << 20 | self.label, total, kinds[0], self.ttl) \
            + address(self.src) + address(self.dst) + body

    @classmethod
    def parse(cls, data, partial=False, embedded=False):
        """Reads a packet; `embedded` is one inside an ICMP error, which may be cut short."""
        first, total, proto, ttl = struct.unpack("!IHBB", data[:8])
        src, dst = (socket.inet_ntop(socket.AF_INET6, data[n:n + 16]) for n in (8, 24))
        problems, body, headers = [], data[40:40 + total], []
        if len(body) < total and not embedded:
            problems.append(f"IPv6 length {total} of {len(body)}")
        ident = offset = mf = 0
        fragment = False
        while proto in (HOP_BY_HOP, ROUTING, FRAGMENT, DESTINATION) and len(body) >= 8 and not offset:
            length = 8 if proto == FRAGMENT else 8 + body[1] * 8
            if proto == FRAGMENT:
                _, offset, ident = struct.unpack("!BHI", body[1:8])
                offset, mf, fragment = offset & ~7, offset & 1, True
            else:
                headers.append((proto, body[1:length]))
            proto, body = body[0], body[length:]
        p = cls(src, dst, body, ttl, ident, bool(mf), offset, first >> 20 & 0xFF, first & 0xFFFFF, proto, headers,
                fragment and not offset and not mf, total, problems)
        if not (offset or mf):
            p.read_upper(partial, embedded)
        return p

    def read_upper(self, partial, embedded):
        body, proto = self.l4, self.proto
        kind = {6: Tcp, 17: Udp, 58: Icmp6}.get(proto)
        if not kind or len(body) < (20 if proto == 6 else 8):
            return
        if not embedded:
            total = checksum(pseudo(self.src, self.dst, proto, len(body)) + body)
            if partial:
                at = {6: 16, 17: 6, 58: 2}[proto]
                wanted = ~checksum(pseudo(self.src, self.dst, proto, len(body))) & 0xFFFF
                if struct.unpack("!H", body[at:at + 2])[0] != wanted:
                    self.problems.append("pseudo header sum")
            elif proto == 17 and body[6:8] == b"\0\0":
                self.problems.append("UDP checksum of zero")
            elif total:
                self.problems.append("ICMP checksum" if proto == 58 else "L4 checksum")
        self.l4 = kind.parse(body)

    @property
    def header_len(self):
        return 40 + sum(1 + len(body) for _, body in self.headers) + (8 if self.atomic or self.mf or self.offset else 0)

    def with_l4(self, **changes):
        return replace(self, l4=replace(self.l4, **changes))

    def embedded(self):
        """The packet inside an ICMP error. Its L4 header may be 8 bytes only: then `l4` is those."""
        return Packet6.parse(self.l4.payload, embedded=True)

    def __str__(self):
        return f"{self.src} > {self.dst} ttl {self.ttl} {self.l4 if not isinstance(self.l4, bytes) else self.l4[:40]}"


def address(text):
    return socket.inet_pton(socket.AF_INET6, text)
