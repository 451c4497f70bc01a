"""The network of the benchmarks: client - director - server, joined by veth, with nothing else running.

    client 10.1.0.7 --- 10.1.0.1 director 10.2.0.1 --- 10.2.0.7 server      VIP 10.1.0.100, local addresses 10.9.x.y

With the word `v6` on the command line the same in IPv6, where 10.1.0.7 is called fd00:1::7.

Neighbours are permanent and both ends are packet sockets or pktgen, so that a row measures the director's path and
nothing that only happens now and then. A sink is an nft rule at the ingress of the end: it counts and drops.
"""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import wire  # noqa: E402
from packet import Packet, Udp  # noqa: E402
from packet6 import Packet6  # noqa: E402

V6 = "v6" in sys.argv
if V6:
    Packet = Packet6
    CLIENT, SERVER, VIP, LIP = "fd00:1::7", "fd00:2::7", "fd00:1::100", "fd00:9::1"
    GATES = {"client": "fd00:1::1", "server": "fd00:2::1"}
else:
    CLIENT, SERVER, VIP, LIP = "10.1.0.7", "10.2.0.7", "10.1.0.100", "10.9.0.1"
    GATES = {"client": "10.1.0.1", "server": "10.2.0.1"}
ENDS = {"client": ("client", CLIENT), "server": ("server", SERVER)}


def at(addr, port):
    """As a command line has it."""
    return f"[{addr}]:{port}" if V6 else f"{addr}:{port}"


def sh(script, ns=None):
    prefix = ["nsenter", f"--net=/run/netns/{ns}"] if ns else []
    r = subprocess.run(prefix + ["bash", "-euc", script], text=True, capture_output=True)
    if r.returncode:
        raise RuntimeError(f"{script}\n{r.stdout}{r.stderr}")
    return r.stdout


def down():
    # It holds its devices, which could not go.
    sh("[ ! -d /sys/module/floor ] || rmmod floor")
    sh("for n in $(ip netns list | cut -d' ' -f1); do ip netns del $n; done")
    # The namespaces' end is asynchronous: a module that they use would be busy.
    sh("for i in $(seq 200); do rmmod lvs 2>/dev/null || true; [ ! -d /sys/module/lvs ] && break; sleep 0.05; done")
    sh("if [ -d /sys/module/ip_vs ]; then for m in $(lsmod | awk '/^ip_vs_/ {print $1}') ip_vs; do "
       "for i in $(seq 200); do rmmod $m 2>/dev/null && break; sleep 0.05; done; done; fi; [ ! -d /sys/module/ip_vs ]")


def up():
    """A fresh network."""
    down()
    sh("""
        for n in client director server; do ip netns add $n; ip -n $n link set lo up; done
        for n in client server; do ip -n $n link add eth0 type veth peer name $n netns director; done
    """)
    for ns in ("director", *ENDS):
        # Nothing but what a row sends: no IPv6 at all or, where it is measured, none that the kernel begins.
        sh("sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0; for f in /proc/sys/net/ipv6/conf/*/addr_gen_mode; do echo 1 >$f; done"
           if V6 else "sysctl -qw net.ipv6.conf.all.disable_ipv6=1", ns)
    sh(six_addresses() if V6 else """
        ip -n client addr add 10.1.0.2/24 dev eth0; ip -n director addr add 10.1.0.1/24 dev client
        ip -n server addr add 10.2.0.2/24 dev eth0; ip -n director addr add 10.2.0.1/24 dev server
        ip -n director addr add 10.1.0.100/32 dev lo
        ip -n director addr add 10.9.0.1/32 dev lo
    """)
    sh("for n in client server; do ip -n $n link set eth0 up; ip -n director link set $n up; done")
    sh("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1", "director")
    for end, gate in GATES.items():
        dev, addr = ENDS[end]
        # What an end's IPv6 says to itself would be counted, or made TCP.
        nft(end, "table ip6 quiet { chain c { type filter hook output priority 0; meta l4proto icmpv6 drop\n }\n }\n")
        sh(f"ip -n {end} route add default via {gate}")
        sh(f"ip -n director neigh replace {addr} lladdr {mac(end, 'eth0')} dev {dev} nud permanent")
        sh(f"ip -n {end} neigh replace {gate} lladdr {mac('director', dev)} dev eth0 nud permanent")


def six_addresses():
    return """
        ip -n client addr add fd00:1::2/64 dev eth0 nodad; ip -n director addr add fd00:1::1/64 dev client nodad
        ip -n server addr add fd00:2::2/64 dev eth0 nodad; ip -n director addr add fd00:2::1/64 dev server nodad
        ip -n director addr add fd00:1::100/128 dev lo nodad
        ip -n director addr add fd00:9::1/128 dev lo nodad
    """


def mac(ns, dev):
    return wire.mac_of(ns, dev).hex(":")


def nft(ns, text):
    subprocess.run(["nsenter", f"--net=/run/netns/{ns}", "nft", "-f", "-"], input=text, text=True, check=True)


def sink(at):
    """Counts and drops what comes to an end, but for what the director's IPv6 says to itself."""
    noise = "meta l4proto icmpv6 drop; " if V6 else ""
    nft(at, f'table netdev sink {{ chain c {{ type filter hook ingress device "eth0" priority 0; {noise}counter drop\n }}\n }}\n')


def unsink(at):
    sh("nft delete table netdev sink 2>/dev/null || true", at)


def sunk(at, table="sink"):
    out = sh(f"nft list table netdev {table}", at)
    return int(out.split("counter packets ")[1].split()[0])


def as_tcp(dev):
    """Makes TCP of pktgen's UDP before anything else in the director sees it: same ports, flags ACK, right checksums.
    The UDP length and checksum become the sequence number, which nobody here looks at twice."""
    family, edit = ("ipv6", "munge ip6 nexthdr set 6 munge offset 52 u32 set 0x5010ffff pipe action csum tcp") if V6 else \
        ("ip", "munge ip protocol set 6 munge offset 32 u32 set 0x5010ffff pipe action csum ip4h tcp")
    sh(f"""
        tc qdisc add dev {dev} clsact
        tc filter add dev {dev} ingress protocol {family} matchall action pedit ex {edit}
    """, "director")


def ends():
    """The two raw ends, to set up flows by hand."""
    class Two:
        client = wire.End("client", "eth0", CLIENT, "client")
        server = wire.End("server", "eth0", SERVER, "server")
    return Two


def pktgen(ns, count, dst, sports, dports, src=None, srcs=None):
    """Sends `count` 60-byte UDP packets (80 in IPv6) from an end; returns the nanoseconds that took, by the guest's clock: under
    -icount shift=0 these are instructions."""
    dev = ENDS[ns][0]
    addr = src or ENDS[ns][1]
    low, high = srcs or (addr, addr)
    lines = ["rem_device_all", "add_device eth0"]
    addresses = [f"dst6 {dst}", f"src6 {addr}"] if V6 else \
        [f"dst_min {dst}", f"dst_max {dst}", f"src_min {low}", f"src_max {high}"]
    conf = [f"count {count}", "clone_skb 0", f"pkt_size {80 if V6 else 60}", "delay 0", f"dst_mac {mac('director', dev)}",
            *addresses,
            # Of a range of ports the last is never sent from or to, of addresses it is.
            f"udp_src_min {sports[0]}", f"udp_src_max {sports[1] + (sports[0] < sports[1])}",
            f"udp_dst_min {dports[0]}", f"udp_dst_max {dports[1] + (dports[0] < dports[1])}"]
    script = "modprobe pktgen; cd /proc/net/pktgen\n"
    script += "".join(f"echo '{line}' >kpktgend_0\n" for line in lines)
    script += "".join(f"echo '{line}' >eth0\n" for line in conf)
    script += "echo start >pgctrl; grep Result: eth0\n"
    out = sh(script, ns)
    usec = int(out.split("OK: ")[1].split("(")[0])
    return usec * 1000


def plus(addr, n):
    """The n-th address after addr."""
    value = int.from_bytes(bytes(map(int, addr.split("."))), "big") + n
    return ".".join(map(str, value.to_bytes(4, "big")))


def udp_pair(two, cport, dst, dport):
    """One datagram and its answer; returns where the server saw it come from."""
    two.client.send(Packet(CLIENT, dst, Udp(cport, dport, b"x" * 18)))
    got = two.server.recv(lambda p: isinstance(p.l4, Udp) and p.l4.dport == dport)
    two.server.send(Packet(got.dst, got.src, Udp(dport, got.l4.sport, b"y" * 18)))
    two.client.recv(lambda p: isinstance(p.l4, Udp) and p.l4.dport == cport)
    return got.src, got.l4.sport
