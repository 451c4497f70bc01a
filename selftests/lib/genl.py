"""Netlink by hand: any message, right or wrong, and what the kernel answers to it."""
import os
import socket
import struct

import wire

NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP = 1, 4, 0x300
NLMSG_ERROR, NLMSG_DONE = 2, 3
NLM_F_CAPPED, NLM_F_ACK_TLVS = 0x100, 0x200
NETLINK_GENERIC, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, NETLINK_EXT_ACK, NETLINK_CAP_ACK = 16, 270, 1, 11, 10
GENL_ID_CTRL, NESTED = 16, 0x8000
# What is read at once: as much the kernel puts into each datagram of a listing.
DATAGRAM = 16384


def attr(kind, data=b""):
    """One attribute; `data` is bytes, an int (u32), a str (with its NUL) or a list of attributes (a nest)."""
    if isinstance(data, int):
        data = struct.pack("=I", data)
    elif isinstance(data, str):
        data = data.encode() + b"\0"
    elif isinstance(data, list):
        kind, data = kind | NESTED, b"".join(data)
    return struct.pack("=HH", len(data) + 4, kind) + data + b"\0" * (-len(data) % 4)


def u8(n): return struct.pack("=B", n)
def u16(n): return struct.pack("=H", n)
def be16(n): return struct.pack("!H", n)
def addr(a): return socket.inet_pton(socket.AF_INET6 if ":" in a else socket.AF_INET, a)


def parse(data):
    """[(kind, bytes)] of a run of attributes."""
    out = []
    while len(data) >= 4:
        length, kind = struct.unpack("=HH", data[:4])
        if length < 4:
            raise ValueError(f"attribute of length {length}")
        out.append((kind & 0x3FFF, data[4:length]))
        data = data[(length + 3) & ~3:]
    return out


class Refused(Exception):
    """The kernel's error: `errno`, and when it gave them `text` and the `offset` of the attribute that it is about."""

    def __init__(self, errno, text, offset=None):
        super().__init__(f"{os.strerror(errno)}: {text}")
        self.errno, self.text, self.offset = errno, text, offset


class Netlink:
    """A socket in a namespace, which stays for as long as that is open: `with Netlink(...)` closes it."""

    def __init__(self, protocol, ns):
        with wire.inside(ns):
            self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol)
        self.sock.setsockopt(SOL_NETLINK, NETLINK_EXT_ACK, 1)
        self.sock.setsockopt(SOL_NETLINK, NETLINK_CAP_ACK, 1)
        self.sock.settimeout(20)
        self.seq = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def exchange(self, kind, body, flags=0, dump=False):
        """Sends one message; returns the bodies of those that answer it, or raises Refused."""
        return [message for datagram in self.datagrams(kind, body, flags, dump) for message in datagram]

    def datagrams(self, kind, body, flags=0, dump=False):
        """As `exchange`, but what each datagram brings by itself: the kernel makes the next one when one is taken."""
        self.seq += 1
        flags |= NLM_F_REQUEST | (NLM_F_DUMP if dump else NLM_F_ACK)
        self.sock.send(struct.pack("=IHHII", 16 + len(body), kind, flags, self.seq, 0) + body)
        while True:
            data, out = self.sock.recv(DATAGRAM), []
            while data:
                length, kind, mflags, seq, _ = struct.unpack("=IHHII", data[:16])
                message, data = data[16:length], data[(length + 3) & ~3:]
                if seq != self.seq:
                    continue
                if kind == NLMSG_DONE:
                    error = struct.unpack("=i", message[:4])[0] if len(message) >= 4 else 0
                    if error:
                        raise Refused(-error, self._text(message[4:]))
                    yield out
                    return
                if kind == NLMSG_ERROR:
                    error = struct.unpack("=i", message[:4])[0]
                    if not error:
                        yield out
                        return
                    at = 20 if mflags & NLM_F_CAPPED else 4 + struct.unpack("=I", message[4:8])[0]
                    told = message[at:] if mflags & NLM_F_ACK_TLVS else b""
                    raise Refused(-error, self._text(told), self._offset(told))
                out.append(message)
            yield out

    @staticmethod
    def _text(data):
        return next((b.rstrip(b"\0").decode() for k, b in parse(data) if k == 1), "")

    @staticmethod
    def _offset(data):
        return next((struct.unpack("=I", b)[0] for k, b in parse(data) if k == 2), None)


class Genl(Netlink):
    def __init__(self, family, ns="director"):
        super().__init__(NETLINK_GENERIC, ns)
        self.id, self.version = GENL_ID_CTRL, 2
        reply = self.ask(3, attr(2, family))[0][1]
        info = dict(reply)
        self.id = struct.unpack("=H", info[1])[0]
        self.version = 1
        groups = [dict(parse(group)) for _, group in parse(info.get(7, b""))]
        self.groups = {group[1].rstrip(b"\0").decode(): struct.unpack("=I", group[2])[0] for group in groups}
        self.described = {"id": self.id, "version": struct.unpack("=I", info[3])[0], "hdrsize": struct.unpack("=I", info[4])[0],
                          "maxattr": struct.unpack("=I", info[5])[0],
                          "ops": {struct.unpack("=I", dict(parse(o))[1])[0]: struct.unpack("=I", dict(parse(o))[2])[0]
                                  for _, o in parse(info.get(6, b""))}}

    def ask(self, command, payload=b"", flags=0, dump=False, raw=None):
        """Sends one command; returns [(command, [(kind, bytes)])], or raises Refused."""
        body = raw if raw is not None else self._request(command, payload)
        return [(message[0], parse(message[4:])) for message in self.exchange(self.id, body, flags, dump)]

    def listing(self, command, payload=b""):
        """Lists something: what each datagram brings, in lists as those of `ask`."""
        for datagram in self.datagrams(self.id, self._request(command, payload), dump=True):
            yield [(message[0], parse(message[4:])) for message in datagram]

    def listen(self, group):
        """From here on this hears what the family tells the group."""
        self.sock.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, self.groups[group])

    def told(self, wait=True):
        """What is told next: (type, sequence number, port, command, [(kind, bytes)]); None if there is nothing to wait for."""
        if not wait:
            self.sock.setblocking(False)
        try:
            data = self.sock.recv(DATAGRAM)
        except BlockingIOError:
            return None
        length, kind, _, seq, port = struct.unpack("=IHHII", data[:16])
        return kind, seq, port, data[16], parse(data[20:length])

    def _request(self, command, payload):
        return struct.pack("=BBH", command, self.version, 0) + payload
