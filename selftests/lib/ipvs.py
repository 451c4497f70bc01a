"""What messages to the families `IPVS` and `LVS` carry: services, destinations and local addresses (Documentation/netlink/specs)."""
import struct

from genl import addr, attr, be16, u16
from wire import VIP

S1 = "10.2.0.2"
NEW_SERVICE, SET_SERVICE, DEL_SERVICE, GET_SERVICE, NEW_DEST, SET_DEST, DEL_DEST, GET_DEST = range(1, 9)
NEW_DAEMON, DEL_DAEMON, GET_DAEMON, SET_CONFIG, GET_CONFIG, SET_INFO, GET_INFO, ZERO, FLUSH = range(9, 18)
# Of the family LVS, whose commands have numbers of their own.
LVS_GET_SERVICE, LVS_GET_DEST, NEW_LADDR, DEL_LADDR, GET_LADDR, GET_CONN = 2, 4, 5, 6, 7, 8
AF_INET, AF_INET6, TCP, UDP, FULLNAT, PERSISTENT = 2, 10, 6, 17, 5, 1


def ident(port=80, af=AF_INET, proto=TCP, a=VIP):
    """Which service it is."""
    return [attr(1, u16(af)), attr(2, u16(proto)), attr(3, addr(a)), attr(4, be16(port))]


def full(port=80, sched="rr", flags=0, timeout=0, mask=None, **kw):
    """All of a service. The mask is four bytes, or for IPv6 the length of a prefix."""
    mask = mask if mask is not None else 128 if kw.get("af") == AF_INET6 else b"\xff" * 4
    return ident(port, **kw) + [attr(6, sched), attr(7, struct.pack("=II", flags, 0xFFFFFFFF)), attr(8, timeout), attr(9, mask)]


def dest(port=80, a=S1, method=0, weight=1, u=0, l=0):
    """A destination; its family is the service's, unless an attribute 11 is added."""
    return [attr(1, addr(a)), attr(2, be16(port)), attr(3, method), attr(4, struct.pack("=i", weight)), attr(5, u), attr(6, l)]


def local(a, af=AF_INET):
    """A local address."""
    return attr(3, [attr(1, u16(af)), attr(2, addr(a))])
