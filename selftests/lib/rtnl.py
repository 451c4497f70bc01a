"""A device of a namespace and its addresses, without a process for each: under emulation that is what takes the time."""
import socket
import struct

from genl import Netlink, addr, attr
from wire import inside

NETLINK_ROUTE, RTM_NEWLINK, RTM_NEWADDR = 0, 16, 20
NLM_F_CREATE = 0x400
IFF_UP, IFA_ADDRESS, IFA_LOCAL, IFA_F_NODAD = 1, 1, 2, 2


class Device(Netlink):
    def __init__(self, ns, name):
        super().__init__(NETLINK_ROUTE, ns)
        with inside(ns):
            self.index = socket.if_nametoindex(name)

    def up(self):
        self.exchange(RTM_NEWLINK, struct.pack("=BxHiII", 0, 0, self.index, IFF_UP, IFF_UP))

    def address(self, address, bits):
        """Without waiting for somebody who might have it, too."""
        family, flags = (socket.AF_INET6, IFA_F_NODAD) if ":" in address else (socket.AF_INET, 0)
        self.exchange(RTM_NEWADDR, struct.pack("=BBBBi", family, bits, flags, 0, self.index) +
                      attr(IFA_LOCAL, addr(address)) + attr(IFA_ADDRESS, addr(address)), NLM_F_CREATE)
