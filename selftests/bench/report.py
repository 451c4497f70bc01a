#!/usr/bin/env python3
"""report.py [-p] DIRECTORY FILE...: makes performance.md and performance.svg of the rows that vm.py printed, says whether the goals
are met, and exits non-zero when one is missed or a row is missing. With -p a goal that was not measured is no goal.
"""
import json
import os
import sys

# The methods that both have, and which way their packets pass the director.
METHODS = {"NAT": ("in", "out"), "DR": ("in",), "TUN, ipip": ("in",), "TUN, gre": ("in",), "TUN, gue": ("in",)}
STOCK, OURS, GENERATOR = "IPVS NAT", "lvs FULLNAT", "generator alone"


def load(files):
    rows = []
    for name in files:
        for line in open(name):
            if line.startswith("{"):
                rows.append(json.loads(line))
    return rows


def find(rows, **what):
    return next((r for r in rows if all(r.get(k) == v for k, v in what.items()) and "error" not in r), None)


def packet_table(rows, part="packet"):
    out = ["| path | protocol | direction | flows | instructions a packet | above the generator | against stock IPVS NAT |",
           "|---|---|---|---:|---:|---:|---:|"]
    for r in (r for r in rows if r["part"] == part):
        place = f"| {r['path']} | {r['proto'].upper()} | {r['direction']} | {r['flows']} |"
        if "error" in r:
            out.append(f"{place} not measured | | |")
            continue
        generator = find(rows, part=part, path=GENERATOR, proto=r["proto"], direction=r["direction"])
        ratio = against(rows, r)
        above = f"{r['instructions'] - generator['instructions']:.0f}" if generator else ""
        out.append(f"{place} {r['instructions']:.0f} | {above} | {f'{ratio:.3f}' if ratio else ''} |")
    return out


def against(rows, r, peer=STOCK):
    peer = find(rows, part=r["part"], path=peer, proto=r["proto"], direction=r["direction"], flows=r["flows"])
    return r["instructions"] / peer["instructions"] if peer else None


def beside_goals():
    """The rows that no goal is about, and which are to be there."""
    each = [(proto, direction) for proto in ("udp", "tcp") for direction in ("in", "out")]
    every = [dict(part="packet", path=path, proto=proto, direction=direction, flows=1)
             for path in (GENERATOR, "redirect at ingress (the limit)", "bare ingress hook, neigh_output (the floor)", "ip_forward", "nft DNAT + masquerade",
                          "nf_flowtable, DNAT + masquerade") for proto, direction in each]
    every += [dict(part="mitigations", path=path, proto=proto, direction=direction) for path in (STOCK, OURS) for proto, direction in each]
    every += [dict(part="new", path=path) for path in (STOCK, "nft DNAT + masquerade", OURS)]
    return every + [dict(part="memory", path=STOCK), dict(part="lookup")]


def goals(rows):
    """[(what, value, limit)]; a value of None was not measured."""
    out = []
    for proto in ("udp", "tcp"):
        for direction in ("in", "out"):
            for flows in (1, 1000):
                r = find(rows, part="packet", path=OURS, proto=proto, direction=direction, flows=flows)
                out.append((f"FULLNAT {proto.upper()} {direction}, {flows} flow{'s' * (flows > 1)}, against stock IPVS NAT", r and against(rows, r), 1.0))
    for part, ip in (("packet", ""), ("packet6", "IPv6 ")):
        for method, directions in METHODS.items():
            for proto in ("udp", "tcp"):
                for direction in directions:
                    r = find(rows, part=part, path=f"lvs {method}", proto=proto, direction=direction, flows=1)
                    out.append((f"{ip}{method} {proto.upper()} {direction}, against stock's", r and against(rows, r, f"IPVS {method}"), 1.0))
    for proto in ("udp", "tcp"):
        for direction in ("in", "out"):
            r = find(rows, part="packet6", path=OURS, proto=proto, direction=direction, flows=1)
            out.append((f"IPv6 FULLNAT {proto.upper()} {direction}, against stock IPVS NAT", r and against(rows, r), 1.0))
    r = find(rows, part="ports")
    out.append(("a new connection at 95 % of the ports against 10 %", r and r["ratio"], 1.5))
    for n in (200_000, 1_000_000):
        r = find(rows, part="memory", path=OURS, connections=n)
        out.append((f"bytes a connection at {n:,}", r and r["bytes"], 256))
    ours, plain = find(rows, part="bulk", path=OURS), find(rows, part="bulk", path="ip_forward")
    for way in ("up", "down"):
        out.append((f"bulk TCP {way} against plain forwarding", ours and plain and ours[way] / plain[way], 1.05))
    return out


def others(rows):
    out = []
    new = [r for r in rows if r["part"] == "new" and "error" not in r]
    if new:
        out += ["", "## New connections", "", "One UDP datagram each, 30,000 of them; `again` is the same datagrams once more.", "",
                "| path | instructions | again | difference |", "|---|---:|---:|---:|"]
        out += [f"| {r['path']} | {r['instructions']:.0f} | {r['again']:.0f} | +{r['instructions'] - r['again']:.0f} |" for r in new]
    for r in rows:
        if r["part"] == "ports" and "error" not in r:
            out += ["", "## Ports", "", "A new connection from a pool of 60,020 ports (one local address, one server), all of which have been used once; those in use lie evenly among those that are free:",
                    f"{r['at10']:.0f} instructions with 10 % in use, {r['at95']:.0f} with 95 %: ratio {r['ratio']:.3f}."]
    memory = [r for r in rows if r["part"] == "memory" and "error" not in r]
    if memory:
        out += ["", "## Memory", "", "Slab, vmalloc and per-CPU memory that the connections added, divided by their number: objects, tables and port sets.", "",
                "| path | connections | bytes each | slab objects |", "|---|---:|---:|---|"]
        out += [f"| {r['path']} | {r['connections']:,} | {r['bytes']:.0f} | {', '.join(f'{k} {v}' for k, v in r['objects'].items())} |" for r in memory]
    pairs = [(r, find(rows, part="mitigations", path=STOCK, proto=r["proto"], direction=r["direction"]))
             for r in rows if r["part"] == "mitigations" and r["path"] == OURS and "error" not in r]
    if pairs:
        out += ["", "## With mitigations on", "", "The rows of one flow again, without `mitigations=off`.", "",
                "| protocol | direction | IPVS NAT | lvs FULLNAT | ratio |", "|---|---|---:|---:|---:|"]
        out += [f"| {r['proto'].upper()} | {r['direction']} | {stock['instructions']:.0f} | {r['instructions']:.0f} | {r['instructions'] / stock['instructions']:.3f} |"
                for r, stock in pairs if stock]
    lookup = find(rows, part="lookup")
    if lookup:
        out += ["", "## Look-up", "", "The real table on the host, every key at a random place; what instruction counts do not see, which is caches.",
                f"{lookup['few_ns']:.1f} ns with 1,000 connections, {lookup['many_ns']:.1f} ns with 4,000,000: ratio {lookup['ratio']:.1f}. Not comparable between machines."]
    bulk = [r for r in rows if r["part"] == "bulk" and "error" not in r]
    plain = find(rows, part="bulk", path="ip_forward")
    if bulk and plain:
        out += ["", "## Bulk TCP", "", "Instructions for each kilobyte between two programs with blocking sockets, both ends, copying and checksums included; what starting them costs is taken off.", "",
                "| path | up | down | against plain forwarding |", "|---|---:|---:|---|"]
        out += [f"| {r['path']} | {r['up']:.2f} | {r['down']:.2f} | {r['up'] / plain['up']:.3f} / {r['down'] / plain['down']:.3f} |" for r in bulk]
    return out


COLOURS = {OURS: "#1b7837", STOCK: "#762a83"}


def plot(rows):
    """Bars: instructions above the generator, per protocol and direction."""
    bars, y = [], 30
    for proto in ("udp", "tcp"):
        for direction in ("in", "out"):
            generator = find(rows, part="packet", path=GENERATOR, proto=proto, direction=direction)
            group = [r for r in rows if r["part"] == "packet" and "error" not in r and (r["proto"], r["direction"]) == (proto, direction) and r["path"] != GENERATOR]
            if not generator or not group:
                continue
            bars.append(f'<text x="10" y="{y}" font-weight="bold">{proto.upper()} {direction}: instructions a packet above the generator</text>')
            y += 8
            for r in sorted(group, key=lambda r: r["instructions"]):
                value = max(0, r["instructions"] - generator["instructions"])
                name = r["path"] + (", 1000 flows" if r["flows"] == 1000 else "")
                bars.append(f'<text x="290" y="{y + 11}" text-anchor="end">{name}</text>'
                            f'<rect x="298" y="{y}" width="{value / 16:.0f}" height="14" fill="{COLOURS.get(r["path"], "#999999")}"/>'
                            f'<text x="{304 + value / 16:.0f}" y="{y + 11}">{value:.0f}</text>')
                y += 18
            y += 24
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="860" height="{y}" font-family="sans-serif" font-size="12">'
            f'<rect width="100%" height="100%" fill="white"/>' + "\n".join(bars) + "</svg>\n")


def main():
    partly = sys.argv[1] == "-p"
    directory, *files = sys.argv[1 + partly:]
    rows = load(files)
    kernel = next((r for r in rows if r["part"] == "kernel" and "mitigations=off" in r["cmdline"]), {"release": "?", "cmdline": "?"})
    results = [goal for goal in goals(rows) if goal[1] is not None or not partly]
    lines = ["# Performance", "",
             "Made by `make bench`; do not edit. Cost is counted in instructions: under QEMU's `-icount shift=0,sleep=off` the guest's clock",
             "advances a nanosecond an instruction, so elapsed time is an instruction count, and repeats agree within 0.3 %. Three",
             "namespaces joined by veth, `client - director - server`; pktgen sends 60-byte packets, the other end counts them at its",
             "ingress and drops them; every packet must arrive. TCP rows turn pktgen's datagrams into segments at the director's",
             "ingress, which is part of their generator. Counts do not see caches or contention.", "",
             f"Kernel {kernel['release']}, `{kernel['cmdline']}`.", "", "![Instructions a packet](performance.svg)", "", "## Goals", "",
             "| what | measured | goal | |", "|---|---:|---:|---|"]
    for what, value, limit in results:
        verdict = "not measured" if value is None else "met" if value <= limit else "**missed**"
        lines.append(f"| {what} | {'' if value is None else f'{value:.3f}' if value < 10 else f'{value:.0f}'} | {limit} | {verdict} |")
    lines += ["", "## Established flows", ""] + packet_table(rows) + ["", "## Established flows of IPv6", "", "80-byte packets.", ""] + packet_table(rows, "packet6") + others(rows)
    failed = [r for r in rows if "error" in r]
    failed += [what for what in beside_goals() if not partly and not find(rows, **what)]
    open(os.path.join(directory, "performance.md"), "w").write("\n".join(lines) + "\n")
    open(os.path.join(directory, "performance.svg"), "w").write(plot(rows))
    for r in failed:
        print("not measured:", r)
    print("\n".join(lines[lines.index("## Goals"):]))
    missed = sum(1 for _, v, limit in results if v is None or v > limit)
    print(f"bench: {len(results) - missed} goals met, {missed} missed")
    sys.exit(1 if missed or failed else 0)


main()
