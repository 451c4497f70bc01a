#!/usr/bin/env python3
# Namespaces are made and destroyed, again and again under traffic, each with services and connections. Nothing of them stays:
# slab counts are what they were at the start, and kmemleak is asked at the end of every run. SCALE=soak: many more.
# suite: namespace-cycles
# kernel: debug
# seconds: 14400
# takes: 292
import os
import re
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import ktap
from genl import Genl, attr
from ipvs import FULLNAT, NEW_DEST, NEW_LADDR, NEW_SERVICE, PERSISTENT, TCP, UDP, dest, full, ident, local
from ktap import note, reached, run, sh, wait_for
from rtnl import Device
from wire import inside

ktap.SECONDS = 14400  # a fact is all of the cycles
CYCLES = 1000 if os.environ.get("SCALE") == "soak" else 200
# So many at a time: what the end of one waits for takes longer than all the rest of it, and they wait together.
AT_ONCE = 20


class Subnet:
    """The namespace's and the client's: every other one is IPv6's, with a connection instead of datagrams."""

    def __init__(self, n):
        if n % 2:
            self.family, self.bits, net, self.proto, self.port, self.more = socket.AF_INET, 24, f"10.8.{n}.", UDP, 5000, {}
        else:
            self.family, self.bits, net, self.proto, self.port = socket.AF_INET6, 64, f"fd00:8:{n}::", TCP, 80
            self.more = {"flags": PERSISTENT, "timeout": 60}
        self.client, self.vip, self.lip = (net + host for host in ("2", "1", "9"))


SUBNETS = {f"cycle{n}": Subnet(n) for n in range(1, AT_ONCE + 1)}


def setup():
    # lib/wire.py keeps its user on one CPU; the traffic shall come from another than the commands.
    os.sched_setaffinity(0, range(os.cpu_count()))
    vips = " ".join(net.vip for net in SUBNETS.values())
    sh(f"ns_add client; in_ns client ip link set lo up; lvs_in; toa_in; echo_udp client 5000; background client knock python3 -IS $LIB/knock.py {vips}")


def make():
    links = "".join(f"link add far-{name} type veth peer name near netns {name}\n"
                    f"addr add {net.client}/{net.bits} dev far-{name}{' nodad' * (net.bits == 64)}\n"
                    f"link set far-{name} up\n" for name, net in SUBNETS.items())
    sh(f"ns_add {' '.join(SUBNETS)}; batch client <<'IP'\n{links}IP")
    for name, net in SUBNETS.items():
        with Device(name, "near") as near:
            near.address(net.vip, net.bits)
            near.address(net.lip, net.bits)
            near.up()
        which = {"port": net.port, "af": net.family, "proto": net.proto, "a": net.vip}
        with Genl("IPVS", name) as services, Genl("LVS", name) as own:
            services.ask(NEW_SERVICE, attr(1, full(**which, **net.more)))
            own.ask(NEW_LADDR, attr(1, ident(**which)) + local(net.lip, net.family))
            services.ask(NEW_DEST, attr(1, ident(**which)) + attr(2, dest(net.port, net.client, FULLNAT)))


def connections(name):
    with inside(name), open("/proc/net/ip_vs_conn") as f:
        return len(re.findall("^(?:TCP|UDP)", f.read(), re.M))


def far_ends():
    with inside("client"):
        return sum(name.startswith("far") for _, name in socket.if_nameindex())


def cycle():
    """How many connections there were when the namespaces went, with these, with their services and the next packet."""
    make()
    wait_for(lambda: all(map(connections, SUBNETS)), 60)
    n = sum(map(connections, SUBNETS))
    sh(f"printf 'netns del %s\\n' {' '.join(SUBNETS)} | ip -batch -")
    wait_for(lambda: not far_ends(), 60)
    return n


def quietly(script):
    """Without the traffic, which has memory of its own."""
    return sh(f"quiet() {{ {script}; }}; without knock quiet")


def test_nothing_stays():
    # What is made once by whoever is first; and the kernel frees the last namespaces that went when the next ones go: those of
    # one round may be left, or a part of them.
    cycle()
    namespaces, own, general = quietly("slab_objects net_namespace; slab_objects lvs_; slab_objects $GENERAL").split()
    seen = sum(cycle() for _ in range(0, CYCLES, AT_ONCE))
    reached(f"{CYCLES} namespaces with {seen} connections")
    note(quietly(f"exec 3>&1; wait_within 120 is -lt $(({namespaces} + {AT_ONCE})) slab_objects net_namespace; wait_within 120 is -le {own} slab_objects lvs_; general_as {general}"))


run(globals())
