"""The ways through the director that are compared: each sets itself up in a fresh network and says where to send.

A path has a name, `setup`, `into` (address and ports clients send to), `back` (address and first port servers send
to, for FLOWS consecutive ports) and whether flows have to be made by hand first.
"""
import os

import net
from net import CLIENT, LIP, SERVER, VIP, at, nft, sh

PORT = 80
SPORT = 10000  # first source port of the flows
FLOWS = 1000


class Path:
    tcp_state = True  # keeps TCP states, so that flows must be opened by hand
    directions = ("in", "out")
    phase = "established"

    def __init__(self, proto):
        self.proto = proto  # "udp" or "tcp"

    def setup(self):
        pass

    def after_flows(self, flows):
        """Called when the flows stand."""

    def into(self):
        return VIP, (PORT, PORT)

    def back(self, flows):
        """(address, (first, last port)) of the client's side as the server sees it."""
        return CLIENT, (SPORT, SPORT + flows - 1)

    def back_source(self):
        return SERVER


class Dropped(Path):
    """Generator alone: dropped where the director begins."""
    name = "generator alone"
    tcp_state = False

    def setup(self):
        for dev in ("client", "server"):
            nft("director", f'table netdev drop{dev} {{ chain c {{ type filter hook ingress device "{dev}" priority 0; counter drop\n }}\n }}\n')


class Redirected(Path):
    """The limit of what is there without a module: from one device to the other at ingress, by nft's fwd (its interpreter
    included, neither TTL nor neighbour)."""
    name = "redirect at ingress (the limit)"
    tcp_state = False

    def setup(self):
        for a, b in (("client", "server"), ("server", "client")):
            nft("director", f'table netdev fwd{a} {{ chain c {{ type filter hook ingress device "{a}" priority 0; fwd to "{b}"\n }}\n }}\n')


class Bare(Path):
    """The floor: a hook at ingress that does no more than every forwarder must (floor/floor.c), neighbour included."""
    name = "bare ingress hook, neigh_output (the floor)"
    tcp_state = False

    def setup(self):
        module = os.path.join(os.path.dirname(os.path.abspath(__file__)), "floor.ko")
        sh(f"insmod {module} dev=client,server via={CLIENT},{SERVER}", "director")


class Forwarded(Path):
    name = "ip_forward"
    tcp_state = False

    def into(self):
        return SERVER, (PORT, PORT)


class Nft(Path):
    name = "nft DNAT + masquerade"
    offload = ""

    def setup(self):
        nft("director", f"""
            {self.table()}
            table ip nat {{
                chain pre {{ type nat hook prerouting priority dstnat; ip daddr {VIP} {self.proto} dport {PORT} dnat to {SERVER}:{PORT}
 }}
                chain post {{ type nat hook postrouting priority srcnat; oif "server" masquerade
 }}
            }}""")
        sh("sysctl -qw net.netfilter.nf_conntrack_tcp_be_liberal=1", "director")

    def table(self):
        return ""

    def back(self, flows):
        return "10.2.0.1", (SPORT, SPORT + flows - 1)


class Flowtable(Nft):
    name = "nf_flowtable, DNAT + masquerade"

    def table(self):
        return f"""table ip fast {{
            flowtable ft {{ hook ingress priority 0; devices = {{ "client", "server" }}; }}
            chain f {{ type filter hook forward priority 0; ct state established {self.l4()} flow add @ft
 }}
        }}"""

    def l4(self):
        return f"meta l4proto {self.proto}"


class Stock(Path):
    """The kernel's own ip_vs."""
    name = "IPVS NAT"
    module = "-i ip_vs"
    method = "-m"

    def setup(self):
        sh(f"modprobe {self.module}")
        flag = "-" + self.proto[0]
        sh(f"ipvsadm -A {flag} {at(VIP, PORT)} -s rr; ipvsadm -a {flag} {at(VIP, PORT)} -r {at(SERVER, PORT)} {self.method}", "director")


class StockDr(Stock):
    name = "IPVS DR"
    method = "-g"
    directions = ("in",)


class StockIpip(StockDr):
    name = "IPVS TUN, ipip"
    method = "-i"


class StockGre(StockDr):
    name = "IPVS TUN, gre"
    method = "-i --tun-type gre"


class StockGue(StockDr):
    name = "IPVS TUN, gue"
    method = "-i --tun-type gue --tun-port 6080"


def ours(stock):
    """Ours, by the same method."""
    return type("Ours" + stock.__name__, (stock,), {"name": stock.name.replace("IPVS", "lvs"), "module": "lvs"})


# Each method that both have: theirs and ours.
METHODS = [(stock, ours(stock)) for stock in (Stock, StockDr, StockIpip, StockGre, StockGue)]


class Fullnat(Path):
    """Ours. The pool has as many ports as there are flows, so that the servers' side can be sent to in sequence."""
    name = "lvs FULLNAT"
    lport = 20000

    def setup(self, ports=None):
        sh("modprobe lvs")
        flag = "-" + self.proto[0]
        first, last = ports or (self.lport, self.lport + FLOWS - 1)
        sh(f"sysctl -qw net.ipv4.vs.fullnat_lport_max={last}; sysctl -qw net.ipv4.vs.fullnat_lport_min={first}; "
           f"ipvsadm-rs -A {flag} {at(VIP, PORT)} -s rr; ipvsadm-rs -P {flag} {at(VIP, PORT)} -z {LIP}; "
           f"ipvsadm-rs -a {flag} {at(VIP, PORT)} -r {at(SERVER, PORT)} --fullnat", "director")

    def back(self, flows):
        if flows == 1:
            return LIP, (self.only_port, self.only_port)
        return LIP, (self.lport, self.lport + flows - 1)

    def after_flows(self, flows):
        self.only_port = flows[0][1]


class FullnatToa(Fullnat):
    """While the server has not answered yet: the option is written into every segment."""
    name = "lvs FULLNAT, inserting TOA"
    directions = ("in",)
    phase = "toa"
