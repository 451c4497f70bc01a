#!/usr/bin/env python3
# One script of ipvsadm command lines, four ways: stock's ipvsadm and ipvsadm-rs, each on stock's ip_vs and on lvs.
# What is printed, the exit status and /proc/net/ip_vs after each line are the same byte for byte; where lvs is meant to
# differ, differential/differs says why.
#
# differential/script: a line is a command line, in the shell's quotes. `-R` has its rules after `<<`, with `;` between them.
# `@clear` empties the table, cheaper than `-C` does. `@send FROM TO PORT` sends a datagram,
# `@counted` waits until the counters say so.
# differential/differs: `WHO WHAT | COMMAND LINE | REASON`. WHO is `stock` (stock's ipvsadm on lvs), `rs` (ipvsadm-rs on lvs),
# `both` of them, `ip_vs` (ipvsadm-rs on stock's ip_vs) or `program` (ipvsadm-rs wherever); WHAT is what differs, of status,
# stdout, stderr and table, with commas. A line that does not differ any more fails like one that does and is not there; the
# line is in the script but once. `program stderr | * | REASON` is about every command that fails.
# seconds: 800
# suite: differential
import difflib
import ipaddress
import os
import re
import shlex
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import ktap
from genl import Genl
from ipvs import FLUSH
from ktap import note, run, same, sh
from wire import inside

ktap.SECONDS = 240  # a fact plays the whole script
DATA = os.path.join(HERE, "differential")
WHATS = ("status", "stdout", "stderr", "table")
STOCK, LVS, RS, RS_STOCK = "stock ipvsadm on ip_vs", "stock ipvsadm on lvs", "ipvsadm-rs on lvs", "ipvsadm-rs on ip_vs"
WHO = {"stock": ["stock"], "rs": ["rs"], "both": ["stock", "rs"], "ip_vs": ["ip_vs"], "program": ["rs", "ip_vs"]}
REPORTS = {}

# Per run a director with a client. Servers are addresses that nobody answers for.
NETWORK = """
ip netns add {ns}; ip netns add {ns}-client
ip -n {ns}-client -batch - <<IP
link set lo up
link add eth0 type veth peer name eth0 netns {ns}
addr add 10.1.0.2/24 dev eth0
addr add fd00:1::2/64 dev eth0 nodad
link set eth0 up
route add default via 10.1.0.1
route add default via fd00:1::1
route add fd00:1::100 via fd00:1::1
IP
ip -n {ns} -batch - <<IP
link set lo up
addr add 10.1.0.1/24 dev eth0
addr add fd00:1::1/64 dev eth0 nodad
link set eth0 up
addr add 10.1.0.100/32 dev lo
addr add fd00:1::100/128 dev lo nodad
route add 10.2.0.0/24 via 10.1.0.2
route add fd00:2::/64 via fd00:1::2
IP
forwarding {ns}
"""


def setup():
    sh("stock_in")
    play(STOCK, "ipvsadm", "d1")


def script():
    for line in open(os.path.join(DATA, "script")):
        line = line.strip()
        if line and not line.startswith("#"):
            yield line


def play(who, program, ns):
    """Runs the script in a namespace of its own, and keeps what came of each line."""
    sh(NETWORK.format(ns=ns))
    ipvs = Genl("IPVS", ns)
    with inside(ns):
        REPORTS[who] = [Outcome(program, ns, ipvs, line) for line in script()]
    ipvs.ask(FLUSH)


class Outcome:
    def __init__(self, program, ns, ipvs, line):
        self.line, said = line, ("0", "", "")
        if line == "@clear":
            ipvs.ask(FLUSH)
        elif line.startswith("@send"):
            send(ns, *line.split()[1:])
        elif line == "@counted":
            counted()
        else:
            words, _, rules = line.partition(" <<")
            said = ask([program] + shlex.split(words), rules.replace(";", "\n"))
        self.status, self.stdout, self.stderr = said[0], normal(said[1]), normal(said[2])
        self.table = normal(in_order(settled("ip_vs")))


def ask(words, rules):
    """What a program says, as cheaply as can be: status, standard output and error, each less than a pipe holds."""
    pipes = [os.pipe() for _ in range(3)]
    (stdin, to), (out, stdout), (err, stderr) = pipes
    os.write(to, rules.encode())
    os.close(to)
    wiring = [(os.POSIX_SPAWN_DUP2, fd, n) for n, fd in enumerate((stdin, stdout, stderr))]
    pid = os.posix_spawnp(words[0], words, os.environ, file_actions=wiring)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    for fd in (stdin, stdout, stderr):
        os.close(fd)
    with open(out) as out, open(err) as err:
        return str(status), out.read(), err.read()


def settled(name):
    """A file as it is twice in a row: stock moves its services into another table behind the back of whoever reads them."""
    before = proc(name)
    while (now := proc(name)) != before:
        before = now
    return now


def proc(name):
    with open(f"/proc/self/net/{name}") as f:
        return f.read()


def send(ns, client, address, port):
    with inside(f"{ns}-client"), socket.socket(socket.AF_INET6 if ":" in client else socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind((client, 4321))
        s.sendto(b"x" * 100, (address, int(port)))
    written = f"{int(ipaddress.ip_address(address)):08X}" if "." in address else ipaddress.ip_address(address).exploded
    end = time.monotonic() + 10
    while f" 10E1 {written} {int(port):04X} " not in proc("ip_vs_conn"):
        assert time.monotonic() < end, f"no connection to {address} {port}"


def normal(text):
    """Without what depends on the machine: the size of the table, and the seconds that a connection still has."""
    text = re.sub(r"\(size=\d+\)", "(size=N)", text)
    return re.sub(r"^(TCP|UDP|IP ) ( *)\d\d:\d\d ", r"\1 \2MM:SS ", text, flags=re.M)


def counted():
    """Waits until every service and server has had a connection: stock's counters follow within two seconds."""
    end = time.monotonic() + 20
    while re.search(r"^(UDP|  ->) +\S+ +0 ", stats := ask(["ipvsadm", "-Ln", "--stats"], "")[1], re.M):
        assert time.monotonic() < end, f"not all counted:\n{stats}"
        time.sleep(0.1)


def in_order(table):
    """Services sorted by themselves: stock's order is that of a hash."""
    head, services = table.splitlines()[:3], []
    for line in table.splitlines()[3:]:
        if line[0] != " ":
            services.append([])
        services[-1].append(line)
    return "\n".join(head + [line for service in sorted(services) for line in service]) + "\n"


def differs():
    """{(who, command line): (set of what, reason)}"""
    found, lines = {}, list(script())
    for line in open(os.path.join(DATA, "differs")):
        if not line.strip() or line.startswith("#"):
            continue
        what, command, reason = (part.strip() for part in line.split(" | "))
        who, what = what.split()
        assert reason and set(what.split(",")) <= set(WHATS), line
        assert command == "*" or lines.count(command) == 1, f"not once in the script: {command}"
        for each in WHO[who]:
            assert (each, command) not in found, f"twice: {line}"
            found[each, command] = set(what.split(",")), reason
    return found


def compare(short, who):
    """Fails with every line that differs and is not meant to, or is meant to and does not."""
    meant = {command: what for (each, command), (what, _) in differs().items() if each == short}
    wrong, seen = [], {}
    for stock, ours in zip(REPORTS[STOCK], REPORTS[who], strict=True):
        found = [what for what in WHATS if getattr(stock, what) != getattr(ours, what)]
        if "*" in meant and "stderr" in found and "0" not in (stock.status, ours.status):
            found.remove("stderr")
            seen.setdefault("*", set()).add("stderr")
            if not is_sentence(ours.stderr):
                wrong.append(f"{stock.line}\n  no sentence: {ours.stderr!r}")
        seen.setdefault(stock.line, set()).update(found)
        others = [what for what in found if what not in meant.get(stock.line, ())]
        if others:
            wrong.append("\n".join([stock.line] + [f"  {what}: {line}" for what in others for line in changes(stock, ours, what)]))
    for command, what in meant.items():
        for each in sorted(what - seen.get(command, set())):
            wrong.append(f"{command}\n  {each}: is listed in differs, and is the same")
    note("\n".join(wrong)[:20000])
    same(0, len(wrong), "differences that are not meant, or are listed and are none")


def changes(stock, ours, what):
    """Lines that are only in one of both, the longest part of what can be wrong here."""
    lines = difflib.ndiff(getattr(stock, what).splitlines(), getattr(ours, what).splitlines())
    return [line for line in lines if line[0] in "-+"]


def is_sentence(text):
    return len(re.findall(r"[A-Za-z']{2,}", text)) >= 3 and "os error" not in text


def test_ipvsadm_rs_is_the_same_on_ip_vs():
    play(RS_STOCK, "ipvsadm-rs", "d4")
    compare("ip_vs", RS_STOCK)


def test_stock_ipvsadm_is_the_same_on_lvs():
    sh("modules_out; lvs_in")
    play(LVS, "ipvsadm", "d2")
    compare("stock", LVS)


def test_ipvsadm_rs_is_the_same_on_lvs():
    play(RS, "ipvsadm-rs", "d3")
    compare("rs", RS)


run(globals())
