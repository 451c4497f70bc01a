"""IPv6 packets as values, as packet.py has IPv4's. Headers between IPv6's and the upper layer's are not read."""
import socket
import struct
from dataclasses import dataclass, field

from packet import Tcp, Udp, checksum, pseudo


@dataclass
class Packet6:
    """An IPv6 packet; `l4` is a Tcp, Udp or bytes."""
    src: str
    dst: str
    l4: object = b""
    hops: int = 64
    proto: int = None
    problems: list = field(default_factory=list, compare=False)  # what parse found wrong
    gso_size: int = field(default=0, compare=False)
    partial: bool = field(default=False, compare=False)  # the L4 checksum is left to the device
    header_len = 40

    def build(self):
        body = self.l4 if isinstance(self.l4, bytes) else self.l4.build(self.src, self.dst)
        proto = self.proto if self.proto is not None else self.l4.proto
        return struct.pack("!IHBB", 6 << 28, len(body), proto, self.hops) + address(self.src) + address(self.dst) + body

    @classmethod
    def parse(cls, data, partial=False):
        _, length, proto, hops = struct.unpack("!IHBB", data[:8])
        src, dst = (socket.inet_ntop(socket.AF_INET6, data[n:n + 16]) for n in (8, 24))
        body = l4 = data[40:40 + length]
        problems = [] if len(body) == length else [f"IPv6 length {length} of {len(data) - 40}"]
        if proto in (6, 17) and not partial and checksum(pseudo(src, dst, proto, len(body)) + body):
            problems.append("L4 checksum")
        kind = {6: Tcp, 17: Udp}.get(proto)
        if kind and len(body) >= (20 if proto == 6 else 8):
            l4 = kind.parse(body)
        return cls(src, dst, l4, hops, proto, problems)

    def __str__(self):
        return f"{self.src} > {self.dst} {self.l4 if not isinstance(self.l4, bytes) else self.l4[:40]}"


def address(text):
    return socket.inet_pton(socket.AF_INET6, text)
