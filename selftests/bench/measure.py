"""One row: a path, a protocol, a direction and a number of flows become instructions per packet.

Flows are opened by hand with right sequence numbers and, for TCP, until a byte went each way and was acknowledged, so
that what is measured is an established flow whose TOA phase is over. Every packet must arrive at the sink, or the row
is an error and not a number.
"""
import net
import paths
import wire
from net import Packet
from packet import Udp
from paths import PORT, SPORT


class BenchFlow(wire.Flow):
    def __init__(self, two, cport):
        super().__init__(two, cport, vport=PORT, client=net.CLIENT, vip=net.VIP)


def open_flows(path, flows):
    """[(address, port)] of each flow's client as the server sees it."""
    two, seen = net.ends(), []
    dst, _ = path.into()
    for cport in range(SPORT, SPORT + flows):
        if path.proto == "udp" and "out" not in path.directions:
            two.client.send(Packet(net.CLIENT, dst, Udp(cport, PORT, b"x" * 18)))
            arrived(two)
            seen.append((net.CLIENT, cport))
        elif path.proto == "udp":
            seen.append(net.udp_pair(two, cport, dst, PORT))
        elif path.phase == "toa":
            flow = BenchFlow(two, cport).open()
            seen.append((flow.lip, flow.lport))
        elif "out" in path.directions:
            flow = BenchFlow(two, cport).established()
            seen.append((flow.lip, flow.lport))
        else:
            # Nothing comes back through the director: SYN and ACK are all it sees.
            flow = BenchFlow(two, cport)
            for packet in (flow.client_packet("S", seq=0), flow.client_packet("A")):
                two.client.send(packet)
                arrived(two)
            seen.append((net.CLIENT, cport))
    return seen


def arrived(two):
    """What the server gets next, which may be wrapped: nothing else in this network sends."""
    return two.server.recv(lambda p: p.proto in (4, 6, 17, 41, 47), sound=False)


def row(kind, proto, direction, flows, count):
    """Instructions per packet."""
    net.up()
    path = kind(proto)
    path.setup()
    if path.tcp_state:
        path.after_flows(open_flows(path, flows))
    start, end = ("client", "server") if direction == "in" else ("server", "client")
    if proto == "tcp":
        net.as_tcp(start)
    dropped_at = ("director", f"drop{start}") if kind is paths.Dropped else (end, "sink")
    if kind is not paths.Dropped:
        net.sink(end)
    if direction == "in":
        dst, ports = path.into()
        args = dict(dst=dst, sports=(SPORT, SPORT + flows - 1), dports=ports)
    else:
        dst, ports = path.back(flows)
        args = dict(dst=dst, sports=(PORT, PORT), dports=ports, src=path.back_source())
    net.pktgen(start, max(flows * 2, 2000), **args)  # warm: caches filled, offloads in place
    before = net.sunk(*dropped_at)
    spent = net.pktgen(start, count, **args)
    arrived = net.sunk(*dropped_at) - before
    if arrived != count:
        raise RuntimeError(f"{path.name} {proto} {direction}: {arrived} of {count} packets arrived")
    return spent / count
