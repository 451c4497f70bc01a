"""IPv4 packets as values: every field can be set wrong, every checksum is verified when parsed.

Written out rather than taken from scapy because importing scapy under emulation costs more than a case.
Numbers are host order, addresses are dotted strings.
"""
import socket
import struct
from dataclasses import dataclass, field, replace

FLAGS = "FSRPAUEC"


def checksum(data):
    """RFC 1071 over the data, complemented."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def pseudo(src, dst, proto, length):
    if ":" in src:
        both = b"".join(socket.inet_pton(socket.AF_INET6, a) for a in (src, dst))
        return both + struct.pack("!IHBB", length, 0, 0, proto)
    return socket.inet_aton(src) + socket.inet_aton(dst) + struct.pack("!BBH", 0, proto, length)


@dataclass
class Tcp:
    sport: int
    dport: int
    seq: int = 0
    ack: int = 0
    flags: str = "A"
    window: int = 65535
    options: bytes = b""
    payload: bytes = b""
    checksum: int = None  # None: the right one
    doff: int = None  # None: the right one
    proto = 6

    def build(self, src, dst):
        options = self.options + b"\1" * (-len(self.options) % 4)
        doff = 5 + len(options) // 4 if self.doff is None else self.doff
        bits = sum(1 << FLAGS.index(f) for f in self.flags)
        head = struct.pack("!HHIIBBHHH", self.sport, self.dport, self.seq % 2**32, self.ack % 2**32, (doff & 15) << 4, bits, self.window, 0, 0)
        data = head + options + self.payload
        c = self.checksum
        if c is None:
            c = checksum(pseudo(src, dst, 6, len(data)) + data)
        return data[:16] + struct.pack("!H", c) + data[18:]

    @classmethod
    def parse(cls, data):
        sport, dport, seq, ack, doff, bits, window, c, _ = struct.unpack("!HHIIBBHHH", data[:20])
        end = (doff >> 4) * 4
        flags = "".join(f for i, f in enumerate(FLAGS) if bits >> i & 1)
        return cls(sport, dport, seq, ack, flags, window, data[20:end], data[end:], c, doff >> 4)

    def parsed_options(self):
        """[(kind, body)], without padding."""
        out, o = [], self.options
        while o and o[0]:
            if o[0] == 1:
                o = o[1:]
                continue
            out.append((o[0], o[2:o[1]]))
            o = o[o[1]:]
        return out

    def option(self, kind):
        """The body of the first option of that kind, or None."""
        return next((b for k, b in self.parsed_options() if k == kind), None)

    def sacks(self):
        b = self.option(5) or b""
        return [struct.unpack("!II", b[i:i + 8]) for i in range(0, len(b), 8)]


@dataclass
class Udp:
    sport: int
    dport: int
    payload: bytes = b""
    checksum: int = None  # None: the right one
    proto = 17

    def build(self, src, dst):
        data = struct.pack("!HHHH", self.sport, self.dport, 8 + len(self.payload), 0) + self.payload
        c = self.checksum
        if c is None:
            c = checksum(pseudo(src, dst, 17, len(data)) + data) or 0xFFFF
        return data[:6] + struct.pack("!H", c) + data[8:]

    @classmethod
    def parse(cls, data):
        sport, dport, length, c = struct.unpack("!HHHH", data[:8])
        return cls(sport, dport, data[8:length], c)


@dataclass
class Icmp:
    type: int
    code: int = 0
    rest: int = 0  # the 32 bits after the checksum; the MTU is in the low 16
    payload: bytes = b""
    checksum: int = None
    proto = 1

    def build(self, _src, _dst):
        data = struct.pack("!BBHI", self.type, self.code, 0, self.rest) + self.payload
        c = checksum(data) if self.checksum is None else self.checksum
        return data[:2] + struct.pack("!H", c) + data[4:]

    @classmethod
    def parse(cls, data):
        t, code, c, rest = struct.unpack("!BBHI", data[:8])
        return cls(t, code, rest, data[8:], c)

    @property
    def mtu(self):
        return self.rest & 0xFFFF


@dataclass
class Packet:
    """An IPv4 packet; `l4` is a Tcp, Udp, Icmp, or bytes (a fragment or something unknown)."""
    src: str
    dst: str
    l4: object = b""
    ttl: int = 64
    ident: int = 0
    df: bool = True
    mf: bool = False
    offset: int = 0  # bytes
    tos: int = 0
    proto: int = None
    options: bytes = b""
    total: int = None  # None: the right one
    header_checksum: int = None
    problems: list = field(default_factory=list, compare=False)  # what parse found wrong
    gso_size: int = field(default=0, compare=False)
    partial: bool = field(default=False, compare=False)  # the L4 checksum is left to the device

    def build(self):
        body = self.l4 if isinstance(self.l4, bytes) else self.l4.build(self.src, self.dst)
        proto = self.proto if self.proto is not None else self.l4.proto
        ihl = 5 + (len(self.options) + 3) // 4
        options = self.options.ljust((ihl - 5) * 4, b"\0")
        total = len(body) + ihl * 4 if self.total is None else self.total
        frag = self.df << 14 | self.mf << 13 | self.offset // 8
        head = struct.pack("!BBHHHBBH4s4s", 4 << 4 | ihl, self.tos, total, self.ident, frag, self.ttl, proto, 0,
                           socket.inet_aton(self.src), socket.inet_aton(self.dst)) + options
        c = checksum(head) if self.header_checksum is None else self.header_checksum
        return head[:10] + struct.pack("!H", c) + head[12:] + body

    @classmethod
    def parse(cls, data, partial=False, embedded=False):
        """Reads a packet; `embedded` is one inside an ICMP error, which may be cut short and whose L4 checksum
        therefore is not looked at."""
        v, tos, total, ident, frag, ttl, proto, c, src, dst = struct.unpack("!BBHHHBBH4s4s", data[:20])
        head = (v & 15) * 4
        src, dst = socket.inet_ntoa(src), socket.inet_ntoa(dst)
        problems = []
        if checksum(data[:head]):
            problems.append("IP header checksum")
        if total > len(data) and not embedded:
            problems.append(f"IP length {total} of {len(data)}")
        body = data[head:total]
        fragment = bool(frag & 0x3FFF)
        l4 = body
        if not fragment:
            if proto in (6, 17) and not partial and not embedded and not (proto == 17 and body[6:8] == b"\0\0"):
                if checksum(pseudo(src, dst, proto, len(body)) + body):
                    problems.append("L4 checksum")
            if partial and proto in (6, 17):
                # What is left to the device must be the folded pseudo header sum, L4 length included.
                at = 16 if proto == 6 else 6
                wanted = ~checksum(pseudo(src, dst, proto, len(body))) & 0xFFFF
                if struct.unpack("!H", body[at:at + 2])[0] != wanted:
                    problems.append("pseudo header sum")
            if proto == 1 and checksum(body):
                problems.append("ICMP checksum")
            kind = {6: Tcp, 17: Udp, 1: Icmp}.get(proto)
            if kind and len(body) >= (20 if proto == 6 else 8):
                l4 = kind.parse(body)
        return cls(src, dst, l4, ttl, ident, bool(frag & 0x4000), bool(frag & 0x2000), (frag & 0x1FFF) * 8, tos,
                   proto, data[20:head], total, c, problems)

    @property
    def header_len(self):
        return 20 + len(self.options)

    def with_l4(self, **changes):
        return replace(self, l4=replace(self.l4, **changes))

    def embedded(self):
        """The packet inside an ICMP error. Its L4 header may be 8 bytes only: then `l4` is those."""
        return Packet.parse(self.l4.payload, embedded=True)

    def __str__(self):
        return f"{self.src} > {self.dst} ttl {self.ttl} {self.l4 if not isinstance(self.l4, bytes) else self.l4[:40]}"


# TCP options.
NOP = b"\1"
def mss(n): return struct.pack("!BBH", 2, 4, n)
def wscale(n): return struct.pack("!BBB", 3, 3, n)
SACK_PERMITTED = b"\4\2"
def timestamps(value, echo=0): return struct.pack("!BBII", 8, 10, value, echo)
def sack(*blocks): return struct.pack("!BB", 5, 2 + 8 * len(blocks)) + b"".join(struct.pack("!II", a % 2**32, b % 2**32) for a, b in blocks)
def toa(addr, port, kind=254):
    body = socket.inet_pton(socket.AF_INET6 if ":" in addr else socket.AF_INET, addr)
    return struct.pack("!BBH", kind, 4 + len(body), port) + body


def fragments(packet, size):
    """The packet in fragments of `size` payload bytes (a multiple of 8)."""
    body = packet.l4.build(packet.src, packet.dst)
    may = {"df": False} if isinstance(packet, Packet) else {}
    out = []
    for at in range(0, len(body), size):
        out.append(replace(packet, l4=body[at:at + size], proto=packet.l4.proto, offset=at, mf=at + size < len(body), **may))
    return out
