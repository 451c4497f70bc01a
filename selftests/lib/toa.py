"""A real server's view, without a director: two namespaces, `balancer` and `server`, joined by a veth pair, with IPv4
and IPv6.

The balancer's side is made by hand: connections come from an address that nobody owns, with the TOA option where the
test wants it. The server's side is real sockets. `Family` speaks the netlink family TOA.
"""
import ctypes
import mmap
import os
import socket
import struct
import subprocess
import time

from ktap import same, sh, wait_for
from packet import Tcp, toa
from wire import End, inside, mac_of

LIP, LIP2, SERVER = "10.4.0.7", "10.4.0.8", "10.4.0.1"
LIP6, SERVER6 = "fd00:4::7", "fd00:4::1"
CLIENT, CPORT = "203.0.113.9", 40001
CLIENT6 = "2001:db8::7"
TOA_SO_GET_LOOKUP = 4096  # the number that DPVS gave it
MPTCP, TCP_ULP, TCP_FASTOPEN, TCP_DEFER_ACCEPT, SO_PEERNAME = 262, 31, 23, 9, 28


def network():
    """Both namespaces, and the module."""
    sh(f"""
        topology_down
        ip netns list | grep -qw balancer && ip netns del balancer; ip netns list | grep -qw server && ip netns del server
        ns_add balancer server
        link balancer eth0 10.4.0.2/24 server eth0 {SERVER}/24
        toa_in
    """)
    mac = mac_of("balancer", "eth0").hex(":")
    for lip in (LIP, LIP2, LIP6):
        sh(f"ip -n server neigh add {lip} lladdr {mac} dev eth0 nud permanent")


def no_network():
    sh("ip netns del balancer; ip netns del server")


def server_sysctl(name, value):
    sh(f"in_ns server sysctl -qw {name}={value}")


def end(lip=LIP):
    return End("balancer", "eth0", lip, "eth0", "server")


def listen(port, family=socket.AF_INET, protocol=0, before=None):
    """A listening socket in the server; `before` is called with it before it listens."""
    with inside("server"):
        s = socket.socket(family, socket.SOCK_STREAM, protocol)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.settimeout(20)
    s.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", port))
    if before:
        before(s)
    s.listen(64)
    return s


class Peer:
    """One connection from the balancer, made by hand."""

    ports = iter(range(20000, 60000))

    def __init__(self, end, port, sport=None):
        self.end, self.port, self.sport = end, port, sport or next(Peer.ports)
        self.seq, self.ack = 1000, 0

    def send(self, flags, options=b"", payload=b""):
        tcp = Tcp(self.sport, self.port, self.seq, self.ack, flags, options=options, payload=payload)
        self.end.send(self.end.kind(self.end.addr, SERVER6 if ":" in self.end.addr else SERVER, tcp))
        self.seq += len(payload) + ("S" in flags) + ("F" in flags)

    def got(self, flags):
        """The next segment with these flags; acknowledged by what is sent next."""
        p = self.end.recv(lambda p: p.proto == 6 and p.l4.dport == self.sport and p.l4.flags == flags, sound=False)
        self.ack = p.l4.seq + len(p.l4.payload) + ("S" in flags) + ("F" in flags)
        return p

    def connect(self, options=b"", syn=b"", data=b""):
        """Shakes hands; the ACK has these options, and so has data if there is any."""
        self.send("S", syn)
        synack = self.got("SA")
        self.send("A", options)
        if data:
            self.send("PA", options, data)
        return synack

    def reset(self):
        self.send("RA")


CAPABLE = b"\x1e\4\1\1"  # MP_CAPABLE version 1, HMAC-SHA256


def mptcp_connect(end, port, options, data=b""):
    """The handshake of RFC 8684 section 3.1; with data, the ACK that makes the connection carries it."""
    p = Peer(end, port)
    p.send("S", CAPABLE + b"\2\4\5\xb4")
    theirs = p.got("SA").l4.option(30)
    assert theirs and len(theirs) == 10, f"the listener does not speak MPTCP: {theirs}"
    keys = b"\x11" * 8 + theirs[2:10]
    if data:
        p.send("PA", b"\x1e\x16\1\1" + keys + struct.pack("!H", len(data)) + b"\1\1" + options, data)
    else:
        p.send("A", b"\x1e\x14\1\1" + keys + options)
    return p


def is_mptcp(s):
    return s.getsockopt(socket.SOL_SOCKET, 38) == MPTCP  # SO_PROTOCOL


def option(client=CLIENT, cport=CPORT, kind=254):
    return toa(client, cport, kind)


def option6(client=CLIENT6, cport=443, kind=254):
    return struct.pack("!BBH", kind, 20, cport) + socket.inet_pton(socket.AF_INET6, client)


def peername(s):
    """What getsockopt(SO_PEERNAME) says: (address, port)."""
    # Asking for more than the address has is EINVAL; s.family is stale after IPV6_ADDRFORM.
    domain = s.getsockopt(socket.SOL_SOCKET, 39)  # SO_DOMAIN
    raw = s.getsockopt(socket.SOL_SOCKET, SO_PEERNAME, 16 if domain == socket.AF_INET else 28)
    family, port = struct.unpack("=H", raw[:2])[0], struct.unpack("!H", raw[2:4])[0]
    addr = raw[4:8] if family == socket.AF_INET else raw[8:24]
    return socket.inet_ntop(family, addr), port


def nat64_peer(s, length=20):
    """What getsockopt(IPPROTO_IP, 4096) says: (address, port)."""
    raw = s.getsockopt(socket.IPPROTO_IP, TOA_SO_GET_LOOKUP, length)
    assert len(raw) == length and not any(raw[18:]), raw
    return socket.inet_ntop(socket.AF_INET6, raw[:16]), struct.unpack("!H", raw[16:18])[0]


def uring_accept(listener):
    """One IORING_OP_ACCEPT, by system calls: (accepted socket, what it wrote as address)."""
    params = ctypes.create_string_buffer(120)
    ring = syscall(425, 4, params)
    p = struct.unpack("=30I", params.raw)
    sq, cq = p[10:18], p[20:28]  # offsets: head tail mask entries ...
    rings = mmap.mmap(ring, 4096, offset=0)
    sqes = mmap.mmap(ring, 4 * 64, offset=0x10000000)
    addr, length = ctypes.create_string_buffer(28), ctypes.create_string_buffer(struct.pack("=I", 28), 4)
    # opcode 13, fd, address length's address, address
    sqes[:64] = struct.pack("=BBHiQQ", 13, 0, 0, listener.fileno(), ctypes.addressof(length),
                            ctypes.addressof(addr)).ljust(64, b"\0")
    rings[sq[6]:sq[6] + 4] = struct.pack("=I", 0)  # array[0] = sqe 0
    rings[sq[1]:sq[1] + 4] = struct.pack("=I", 1)
    same(1, syscall(426, ring, 1, 1, 1, None, 0), "io_uring_enter")
    result = struct.unpack("=i", rings[cq[5] + 8:cq[5] + 12])[0]
    assert result >= 0, f"accept: {result}"
    os.close(ring)
    return socket.socket(fileno=result), addr.raw


class Family:
    """The netlink family TOA in one namespace. Written out, so that the tests do not depend on the command line."""

    def __init__(self, ns="server"):
        with inside(ns):
            self.s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
        self.s.bind((0, 0))
        self.s.setsockopt(270, 11, 1)  # NETLINK_EXT_ACK
        self.id = 16
        reply = self.ask(3, attr(2, b"TOA\0"), version=2)
        self.id = struct.unpack("=H", dict(parse(reply))[1])[0]

    def ask(self, command, body=b"", version=1):
        self.s.send(struct.pack("=IHHIIBBH", 20 + len(body), self.id, 5, 1, 0, command, version, 0) + body)
        reply = b""
        while True:
            data = self.s.recv(70000)
            while data:
                length, kind = struct.unpack("=IH", data[:6])
                if kind == 2:
                    error = -struct.unpack("=i", data[16:20])[0]
                    if error:
                        at = 36 if struct.unpack("=H", data[6:8])[0] & 0x100 else 20 + struct.unpack("=I", data[20:24])[0]
                        text = dict(parse(data[at:length])).get(1, b"").rstrip(b"\0").decode()
                        raise OSError(error, text)
                    return reply
                reply += data[20:length]
                data = data[(length + 3) & ~3:]

    def stats(self):
        """{name: value}, with `entries` among them."""
        found = {}
        for kind, body in parse(self.ask(1)):
            if kind == 1:
                c = dict(parse(body))
                found[c[1].rstrip(b"\0").decode()] = struct.unpack("=Q", c[2])[0]
                assert len(c[3]) > 10, "no hint"
            elif kind == 4:
                found["entries"] = struct.unpack("=I", body)[0]
        return found

    def config(self):
        """(kinds, [(address, prefix)])"""
        kinds, trusted = None, []
        for kind, body in parse(self.ask(2)):
            if kind == 2:
                kinds = list(body)
            elif kind == 3:
                t = dict(parse(body))
                family = socket.AF_INET if len(t[1]) == 4 else socket.AF_INET6
                trusted.append((socket.inet_ntop(family, t[1]), t[2][0]))
        return kinds, trusted

    def set(self, kinds=None, trusted=None):
        body = b""
        if kinds is not None:
            body += attr(2, bytes(kinds))
        if trusted is not None:
            body += attr(5, b"")
            for addr, prefix in trusted:
                family = socket.AF_INET6 if ":" in addr else socket.AF_INET
                body += attr(3 | 0x8000, attr(1, socket.inet_pton(family, addr)) + attr(2, bytes([prefix])))
        self.ask(3, body)


def attr(kind, body):
    return struct.pack("=HH", 4 + len(body), kind) + body + bytes(-len(body) % 4)


def parse(data):
    found = []
    while len(data) >= 4:
        length, kind = struct.unpack("=HH", data[:4])
        found.append((kind & 0x3FFF, data[4:length]))
        data = data[(length + 3) & ~3:]
    return found


class counted:
    """`with counted(family, captured=1, answered=2):` exactly that is counted, and nothing else."""

    def __init__(self, family, **wanted):
        self.family, self.wanted = family, wanted

    def __enter__(self):
        self.before = self.family.stats()

    def __exit__(self, kind, *_):
        if kind:
            return
        after = self.family.stats()
        got = {n: after[n] - self.before[n] for n in after if n != "entries" and after[n] != self.before[n]}
        assert got == self.wanted, f"counted {got}, wanted {self.wanted}"


libc = ctypes.CDLL(None, use_errno=True)


def syscall(*args):
    r = libc.syscall(*args)
    if r < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return r


def run(*command):
    return subprocess.run(command, capture_output=True, text=True)
