#!/usr/bin/env python3
"""Runs inside the counting virtual machine: measures the parts named on the command line and prints one JSON object a line.

    vm.py udp tcp new ports bulk mitigations memory memory-million memory-stock [few] [v6] [only=PATTERN]

`few` sends a tenth of the packets, to see that everything works. `v6` measures udp and tcp in IPv6, the methods alone. `only=` leaves out of udp and tcp the paths whose name
the regular expression does not match.
"""
import json
import os
import re
import subprocess
import sys
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import measure  # noqa: E402
import net  # noqa: E402
import paths  # noqa: E402
from paths import METHODS, PORT, Bare, Dropped, Flowtable, Forwarded, Fullnat, FullnatToa, Nft, Redirected, Stock  # noqa: E402

FEW = "few" in sys.argv
ONLY = next((word[len("only="):] for word in sys.argv if word.startswith("only=")), "")
COUNT = 10_000 if FEW else 100_000
EVERY = [(Dropped, 1), (Redirected, 1), (Bare, 1), (Flowtable, 1), (Forwarded, 1), (Stock, 1), (Stock, 1000), (Nft, 1), (Fullnat, 1), (Fullnat, 1000)]


def say(**row):
    print(json.dumps(row), flush=True)


def attempt(function, **what):
    """A row that fails says so and does not stop the others."""
    try:
        say(**what, **function())
    except Exception as e:
        say(**what, error=f"{e} {traceback.format_tb(e.__traceback__)[-1].strip()}"[-600:])


def packets(proto):
    every = [(Dropped, 1), (Stock, 1), (Fullnat, 1)] if net.V6 else EVERY
    rows = [(kind, d, n) for kind, n in every for d in ("in", "out")]
    both = (kind for pair in METHODS for kind in pair if kind is not Stock)
    rows += [(kind, d, 1) for kind in both for d in kind.directions]
    if proto == "tcp" and not net.V6:
        rows.append((FullnatToa, "in", 1))
    for kind, direction, flows in (r for r in rows if re.search(ONLY, r[0].name)):
        attempt(lambda: {"instructions": measure.row(kind, proto, direction, flows, COUNT)},
                part="packet6" if net.V6 else "packet", path=kind.name, proto=proto, direction=direction, flows=flows)


def mitigations():
    """The same rows with the CPU's mitigations on, which cost every call something; only the ratio means anything."""
    for proto in ("udp", "tcp"):
        for direction in ("in", "out"):
            for kind in (Stock, Fullnat):
                attempt(lambda: {"instructions": measure.row(kind, proto, direction, 1, COUNT // 4)},
                        part="mitigations", path=kind.name, proto=proto, direction=direction, flows=1)


def distinct(n):
    """pktgen arguments for n datagrams that are n connections: it counts address and port up together, and their
    numbers have no common divisor."""
    ports, addresses = 251, n // 251 + 1
    addresses += addresses % ports == 0
    return dict(srcs=("10.64.0.1", net.plus("10.64.0.1", addresses - 1)), sports=(20000, 20000 + ports - 1))


def new_connections():
    for kind in (Stock, Nft, Fullnat):
        def cost():
            net.up()
            path = kind("udp")
            path.setup(**({"ports": (1024, 65535)} if kind is Fullnat else {}))
            net.sink("server")
            n = 3000 if FEW else 30_000
            before = net.sunk("server")
            spent = net.pktgen("client", n, net.VIP, dports=(PORT, PORT), **distinct(n))
            if net.sunk("server") - before != n:
                raise RuntimeError(f"{net.sunk('server') - before} of {n} arrived")
            again = net.pktgen("client", n, net.VIP, dports=(PORT, PORT), **distinct(n))
            return {"instructions": spent / n, "again": again / n}
        attempt(cost, part="new", path=kind.name)


def ports():
    """A new connection when a tenth of a pool of 60,020 ports is in use, and at 95 %. All have been used once, and which are still in
    use is spread evenly: a search begins anywhere, and the next port is not simply free."""
    def cost():
        out = {f"at{5 * kept}": new_among(kept) for kept in (2, 19)}
        return dict(out, ratio=out["at95"] / out["at10"])
    attempt(cost, part="ports", path=Fullnat.name)


def new_among(kept):
    """Instructions of a new connection when of each 20 ports `kept` are in use."""
    pool, sample, timeout = 60_020, 2000, 12
    net.up()
    Fullnat("udp").setup(ports=(5000, 65_019))
    net.sh(f"ipvsadm --set 0 0 {timeout}", "director")
    net.sink("server")

    def send(n, addresses, sports=(10_000, 13_000), first="10.64.0.1"):
        # 20 addresses and 3001 ports are counted up together, 60,020 clients: each port of the pool is taken by the next address.
        return net.pktgen("client", n, net.VIP, sports=sports, dports=(PORT, PORT), srcs=(first, net.plus(first, addresses - 1)))

    send(pool, 20)
    if connections() != pool:
        raise RuntimeError(f"{connections()} of {pool} connections")
    time.sleep(timeout / 2)
    send(3001 * kept, kept)
    left = pool // 20 * kept
    limit = time.monotonic() + timeout
    while connections() > left:
        if time.monotonic() > limit:
            raise RuntimeError(f"{connections()} connections are left, and {left} were to be")
        time.sleep(0.2)
    before = net.sunk("server")
    spent = send(sample, 1, (10_000, 10_000 + sample - 1), "10.96.0.1")
    if net.sunk("server") - before != sample or connections() != left + sample:
        raise RuntimeError(f"{net.sunk('server') - before} of {sample} arrived, {connections()} connections instead of {left + sample}")
    return spent / sample


def connections():
    """How many the servers of the director have, by their own counters."""
    return int(net.sh("ipvsadm -Ln | awk '$1 == \"->\" && $5 ~ /^[0-9]/ {n += $5 + $6} END {print n + 0}'", "director"))


def memory(kind, conns):
    """A row a machine: what another row has freed would count for this one."""
    conns = conns // 10 if FEW else conns
    attempt(lambda: bytes_each(kind, conns), part="memory", path=kind.name, connections=conns)


def bytes_each(kind, conns):
    net.up()
    path = kind("udp")
    if kind is Fullnat:
        path.setup(ports=(1024, 65535))
    else:
        path.setup()
    # As many servers as their ports demand, all of them at the same neighbour.
    servers = conns // 60_000 + 1
    tool = "ipvsadm-rs" if kind is Fullnat else "ipvsadm"
    method = "--fullnat" if kind is Fullnat else "-m"
    mac = net.mac("server", "eth0")
    for i in range(servers):
        net.sh(f"ip neigh replace 10.2.0.{20 + i} lladdr {mac} dev server nud permanent; "
               f"{tool} -a -u {net.VIP}:{PORT} -r 10.2.0.{20 + i}:{PORT} {method}", "director")
    net.sink("server")
    before = settled()
    net.pktgen("client", conns, net.VIP, dports=(PORT, PORT), **distinct(conns))
    # A listing may repeat itself while the table grows.
    listed = connections()
    used = settled() - before
    slab = net.sh("grep -E '^(lvs_|ip_vs_conn)' /proc/slabinfo || true").split("\n")
    sizes = {s.split()[0]: int(s.split()[3]) for s in slab if s}
    if listed != conns:
        raise RuntimeError(f"{listed} of {conns} connections are counted")
    return {"bytes": used / conns, "objects": sizes}


def settled():
    """The kernel's own memory once it no longer changes: namespaces and modules of the row before are freed in the
    background."""
    last, same = None, 0
    while same < 5:
        net.sh("echo 3 >/proc/sys/vm/drop_caches")
        now = kernel_bytes()
        same = same + 1 if last is not None and abs(now - last) < 65536 else 0
        last = now
        time.sleep(0.2)
    return last


def kernel_bytes():
    """Slabs (large kmalloc included), vmalloc and per-CPU memory. Not free memory: pages that wait in per-CPU lists are
    neither free nor used, and after a row that freed much they are many."""
    fields = dict(line.split(":") for line in open("/proc/meminfo"))
    return 1024 * sum(int(fields[name].split()[0]) for name in ("SUnreclaim", "VmallocUsed", "Percpu"))


def bulk():
    """A bulk transfer between real sockets: everything it costs, both ends included, less what the CPU was idle."""
    # The CPU counts its idle time in hundredths of a second: long enough for that not to matter.
    size = (32 if FEW else 512) * 1024 * 1024
    program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bulk.py")
    for kind in (Forwarded, Fullnat, Stock):
        def cost():
            net.up()
            if kind is Fullnat:
                net.sh(f"modprobe lvs; ipvsadm-rs -A -t {net.VIP}:5201 -s rr; ipvsadm-rs -P -t {net.VIP}:5201 -z {net.LIP}; "
                       f"ipvsadm-rs -a -t {net.VIP}:5201 -r 10.2.0.2:5201 --fullnat", "director")
            elif kind is Stock:
                net.sh(f"modprobe -i ip_vs; ipvsadm -A -t {net.VIP}:5201 -s rr; ipvsadm -a -t {net.VIP}:5201 -r 10.2.0.2:5201 -m", "director")
            target = "10.2.0.2" if kind is Forwarded else net.VIP
            net.sh(f"python3 {program} serve 5201 >/dev/null 2>&1 & for i in $(seq 500); do ss -Hltn sport = :5201 | grep -q . && break; sleep 0.02; done", "server")
            out = {}
            for way in ("up", "down"):
                # What starting the program costs is measured with a transfer of nearly nothing.
                spent = {}
                for n in (1, size):
                    idle, start = idle_ns(), time.monotonic_ns()
                    net.sh(f"python3 {program} {way} {target} 5201 {n}", "client")
                    spent[n] = time.monotonic_ns() - start - (idle_ns() - idle)
                out[way] = (spent[size] - spent[1]) / (size / 1024)
            net.sh("for p in $(ip netns pids server); do kill $p; done")
            return out
        attempt(cost, part="bulk", path=kind.name)


def idle_ns():
    ticks = open("/proc/stat").readline().split()
    return (int(ticks[4]) + int(ticks[5])) * 10_000_000


PARTS = {"udp": lambda: packets("udp"), "tcp": lambda: packets("tcp"), "new": new_connections, "ports": ports, "bulk": bulk, "mitigations": mitigations,
         "memory": lambda: memory(Fullnat, 200_000), "memory-million": lambda: memory(Fullnat, 1_000_000), "memory-stock": lambda: memory(Stock, 200_000)}
say(part="kernel", release=os.uname().release, cmdline=open("/proc/cmdline").read().strip())
for part in sys.argv[1:]:
    if part in PARTS:
        PARTS[part]()
