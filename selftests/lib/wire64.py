"""The wire between the families: the client and the virtual service are of IPv6, the local addresses and the servers of
IPv4 (NAT64). What lib/wire.py says of one family holds for either end in its own."""
from packet import Packet, Tcp, Udp
from wire import V4, V6, Flow


class Wire64:
    """What a Flow asks of a wire: the ends of two."""

    def __init__(self):
        self.client_addr, self.vip = V6.client_addr, V6.vip
        self.s1, self.lip1, self.lip2 = V4.s1, V4.lip1, V4.lip2

    def open(self):
        for w in (V4, V6):
            w.open()
        self.client, self.server, self.server2 = V6.client, V4.server, V4.server2

    def drain(self):
        for w in (V4, V6):
            w.drain()

    def nothing_at_the_server(self):
        """A mark is of the family of its receiver: what comes from the same device keeps its order."""
        V4.server.nothing(V4.client)

    def nothing_at_the_client(self):
        V6.client.nothing(V6.server)


W = Wire64()


class Flow64(Flow):
    """A TCP connection of an IPv6 client with an IPv4 server."""

    def __init__(self, cport, **how):
        super().__init__(W, cport, **how)

    def server_packet(self, flags="A", seq=1, ack=1, payload=b"", options=b"", **ip):
        tcp = Tcp(self.rport, self.lport, self.s_isn + seq, (self.c_isn + self.delta + ack) if "A" in flags else 0, flags,
                  options=options, payload=payload)
        return Packet(W.s1, self.lip, tcp, **ip)


def asked(cport, payload=b"ping", **how):
    """A datagram of the client's as the server gets it."""
    W.client.send(V6.Packet(W.client_addr, W.vip, Udp(cport, 5000, payload)), **how)
    return W.server.recv(lambda p: isinstance(p.l4, Udp) and p.l4.dport == 5000)


def answer(seen, payload=b"pong", checksum=None, **ip):
    """A datagram of the server's in answer to one that it has got."""
    return Packet(W.s1, seen.src, Udp(5000, seen.l4.sport, payload, checksum=checksum), **ip)


def answered(seen, payload=b"pong", checksum=None, how=None, **ip):
    """That as the client gets it."""
    W.server.send(answer(seen, payload, checksum, **ip), **(how or {}))
    return W.client.recv(lambda p: isinstance(p.l4, Udp) and p.l4.sport == 5000)


def nat64():
    """The director of a case made by hand: TCP 80 and UDP 5000 on the IPv6 VIP, a raw IPv4 server behind each."""
    from ktap import sh
    sh(f"""topology; raw_ends; lvs_in
        for s in "-t 80" "-u 5000"; do
            set -- $s
            adm -A $1 [{W.vip}]:$2 -s rr
            adm -P $1 [{W.vip}]:$2 -z {W.lip1}
            adm -a $1 [{W.vip}]:$2 -r {W.s1}:$2 --fullnat
        done
    """)
    W.open()
