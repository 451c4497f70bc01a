#!/usr/bin/env python3
# Sends what the specs under Documentation/netlink/specs say, and compares the answers with them: commands, attributes,
# types and lengths. What the kernel does and the spec does not say is a failure, and the other way round.
# suite: control
import errno
import os
import socket
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from genl import Genl, Refused
from ktap import run, same, sh
from spec import Spec
from wire import LIP1, VIP

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "specs")
SPECS, FAMILIES = {}, {}
ip = socket.inet_aton
# Values for every attribute that a request may carry, by (set, attribute).
SERVICE = {
    "LVS": {"af": 2, "protocol": 6, "addr": ip(VIP), "port": 80},
    "IPVS": {"af": 2, "protocol": 6, "addr": ip(VIP), "port": 80},
}


def setup():
    sh("""
        topology; lvs_in; toa_in; nginx_on s1
        # A closed connection stays listed for as long as a fact may take.
        vs_set fullnat_timeout_timewait 120
        service -t 80 $S1:80; adm -P -z $LIP3; get >/dev/null
    """)
    for name in ("ipvs", "lvs", "toa"):
        spec = Spec(os.path.join(HERE, f"{name}.yaml"))
        SPECS[spec.name], FAMILIES[spec.name] = spec, Genl(spec.name)


def check_commands(name):
    """The kernel's list of commands and the spec's are one."""
    spec, family = SPECS[name], FAMILIES[name]
    said = {}
    for op in spec.ops:
        for way, flag in (("do", 2), ("dump", 4)):
            if way in op:
                command, _ = spec.request(op, way)
                said[command] = said.get(command, 0) | flag
                if "admin-perm" in (op.get("flags") or []):
                    said[command] |= 1
                if "uns-admin-perm" in (op.get("flags") or []):
                    said[command] |= 0x10
    # 0x8 (HAS_POL) is no promise.
    same(said, {c: f & ~8 for c, f in family.described["ops"].items()}, f"{name}: commands and flags (1 admin, 2 do, 4 dump, 0x10 uns-admin)")


def test_commands_of_ipvs(): check_commands("IPVS")
def test_commands_of_lvs(): check_commands("LVS")
def test_commands_of_toa(): check_commands("TOA")


def ask(name, op_name, way, values=None, expect=True):
    """Sends one operation with the attributes given and returns its unpacked replies."""
    spec, family = SPECS[name], FAMILIES[name]
    op = next(o for o in spec.ops if o["name"] == op_name)
    command, may = spec.request(op, way)
    values = values or {}
    assert set(values) <= set(may), f"{op_name} takes {may}"
    replies = family.ask(command, spec.pack(op["attribute-set"], values), dump=way == "dump")
    wanted, attributes = spec.reply(op, way)
    out = []
    for command, got in replies:
        same(wanted, command, f"command of the reply to {op_name}")
        unpacked = spec.unpack(op["attribute-set"], got)
        strangers = {n for n, _ in unpacked} - set(attributes)
        assert not strangers, f"{op_name} answers with {strangers}, the spec says {attributes}"
        out.append(unpacked)
    if expect and attributes:
        assert out, f"no reply to {op_name}"
    return out


def flat(unpacked):
    return {n: dict(v) if isinstance(v, list) else v for n, v in unpacked}


def test_info():
    info = flat(ask("LVS", "get-info", "do")[0])["info"]
    assert info["services"] == 1 and info["default-laddrs"] == 1 and info["conns"] >= 1, info
    same({"version", "conn-tab-size", "conns", "services", "default-laddrs"}, set(info))
    same(0x010201, flat(ask("IPVS", "get-info", "do")[0])["version"])


def test_services():
    s = flat(ask("LVS", "get-service", "do", {"service": SERVICE["LVS"]})[0])["service"]
    same((80, 6, 1, "rr", 0), (s["port"], s["protocol"], s["laddrs"], s["sched"], s["flags"]))
    same(1, len(ask("LVS", "get-service", "dump")))
    same("rr", flat(ask("IPVS", "get-service", "do", {"service": SERVICE["IPVS"]})[0])["service"]["sched-name"])
    ask("IPVS", "get-service", "dump")


def test_setting_a_service():
    ask("LVS", "set-service", "do", {"service": dict(SERVICE["LVS"], flags=1)})
    same(1, flat(ask("LVS", "get-service", "do", {"service": SERVICE["LVS"]})[0])["service"]["flags"])
    ask("LVS", "set-service", "do", {"service": dict(SERVICE["LVS"], flags=0)})
    same(0, flat(ask("LVS", "get-service", "do", {"service": SERVICE["LVS"]})[0])["service"]["flags"])


def test_destinations():
    d = flat(ask("LVS", "get-dest", "dump", {"service": SERVICE["LVS"]})[0])["dest"]
    same((5, 5, 1, 80), (d["method"], d["configured"], d["weight"], d["port"]))
    same({"af", "addr", "port", "method", "configured", "weight", "active", "inactive", "stats"}, set(d))
    same(1, dict(d["stats"])["conns"], "connections")
    ask("IPVS", "get-dest", "dump", {"service": SERVICE["IPVS"]})


def test_local_addresses():
    service = {"service": SERVICE["LVS"]}
    ask("LVS", "new-laddr", "do", dict(service, laddr={"af": 2, "addr": ip("10.9.0.2")}))
    got = [flat(r) for r in ask("LVS", "get-laddr", "dump", service)]
    same({ip(LIP1), ip("10.9.0.2")}, {r["laddr"]["addr"] for r in got})
    one = next(r["laddr"] for r in got if r["laddr"]["addr"] == ip(LIP1))
    same({"af", "addr", "conns", "ports", "exhausted", "draining", "stats", "flags"}, set(one))
    assert one["flags"] == 0 and one["ports"] > 1000 and one["exhausted"] == 0, one
    ask("LVS", "del-laddr", "do", dict(service, laddr={"af": 2, "addr": ip("10.9.0.2")}))
    assert "service" not in flat(ask("LVS", "get-laddr", "dump")[0]), "the default pool's come first and name no service"


def test_connections_and_filters():
    every = [flat(r)["conn"] for r in ask("LVS", "get-conn", "dump")]
    c = every[0]
    same((6, 2, ip(VIP), 80, ip(LIP1), 80), (c["protocol"], c["caf"], c["vaddr"], c["vport"], c["laddr"], c["dport"]))
    same(set(SPECS["LVS"].sets["conn"]), set(c))
    for name in ("protocol", "caf", "caddr", "cport", "vaddr", "vport", "laf", "laddr", "lport", "daddr", "dport"):
        same(sum(1 for e in every if e[name] == c[name]), len(ask("LVS", "get-conn", "dump", {"filter": {name: c[name]}})), f"connections with that {name}")
        other = c[name] ^ 1 if isinstance(c[name], int) else ip("192.0.2.1")
        try:
            same([], ask("LVS", "get-conn", "dump", {"filter": {name: other}}, expect=False), f"connections with another {name}")
        except Refused as e:
            same(True, name in ("protocol", "caf", "laf"), f"{name} refused: {e}")


def test_ipv6():
    sh("family v6; service -t 80 $s1:80; get >/dev/null")
    ip6 = lambda a: socket.inet_pton(socket.AF_INET6, a)
    service = {"af": 10, "protocol": 6, "addr": ip6("fd00:1::100"), "port": 80}
    for family in ("LVS", "IPVS"):
        s = flat(ask(family, "get-service", "do", {"service": service})[0])["service"]
        same((10, service["addr"]), (s["af"], s["addr"]), f"{family}'s service")
    d = flat(ask("LVS", "get-dest", "dump", {"service": service})[0])["dest"]
    same((10, ip6("fd00:2::2")), (d["af"], d["addr"]))
    same(10, flat(ask("IPVS", "get-dest", "dump", {"service": service})[0])["dest"]["addr-family"])
    got = flat(ask("LVS", "get-laddr", "dump", {"service": service})[0])["laddr"]
    same((10, ip6("fd00:9::1")), (got["af"], got["addr"]))
    conns = [flat(r)["conn"] for r in ask("LVS", "get-conn", "dump", {"filter": {"caf": 10}})]
    same(1, len(conns), "connections of IPv6")
    c = conns[0]
    same((10, service["addr"], 10, ip6("fd00:9::1"), ip6("fd00:2::2")), (c["caf"], c["vaddr"], c["laf"], c["laddr"], c["daddr"]))
    for name in ("caddr", "vaddr", "laddr", "daddr"):
        same(1, len(ask("LVS", "get-conn", "dump", {"filter": {name: c[name]}})), f"connections with that {name}")
    ask("IPVS", "del-service", "do", {"service": service})


def test_drops():
    d = [dict(v) for n, v in ask("LVS", "get-drops", "do")[0] if n == "drop"]
    assert {"no_local_address", "ports_exhausted", "no_destination"} <= {e["name"] for e in d}, d
    assert all(len(e["hint"]) > 20 for e in d)
    same(len(d), len({e["id"] for e in d}), "distinct ids")


def test_timeouts():
    t = flat(ask("IPVS", "get-config", "do")[0])
    same((900, 120, 300), (t["timeout-tcp"], t["timeout-tcp-fin"], t["timeout-udp"]))
    ask("IPVS", "set-config", "do", {"timeout-tcp": 901})
    same(901, flat(ask("IPVS", "get-config", "do")[0])["timeout-tcp"])
    ask("IPVS", "set-config", "do", {"timeout-tcp": 900})


def test_toa():
    ask("TOA", "get-stats", "do")
    same(b"\xfe", flat(ask("TOA", "get-config", "do")[0])["kinds"][:1])
    ask("TOA", "set-config", "do", {"kinds": b"\xfe\xfd", "trusted": {"addr": ip("10.9.0.0"), "prefix": 24}})
    got = flat(ask("TOA", "get-config", "do")[0])
    same((b"\xfe\xfd", ip("10.9.0.0"), 24), (got["kinds"], got["trusted"]["addr"], got["trusted"]["prefix"]))
    ask("TOA", "set-config", "do", {"trusted-reset": None, "kinds": b"\xfe"})
    assert "trusted" not in flat(ask("TOA", "get-config", "do")[0])


def test_events():
    e = [dict(v) for n, v in ask("LVS", "get-events", "do")[0] if n == "drop"]
    assert {"toa_inserted", "port_taken_from_time_wait"} <= {each["name"] for each in e}, e
    assert all(len(each["hint"]) > 20 for each in e)


def test_making_by_the_spec_of_ipvs():
    """Every attribute that a request may have is sent, and is what it is said to be."""
    s = dict(SERVICE["IPVS"], port=81)
    whole = dict(s, **{"sched-name": "wrr\0", "flags": struct.pack("=II", 1, 0xFFFFFFFF), "timeout": 300, "netmask": 0xFFFFFFFF})
    ask("IPVS", "new-service", "do", {"service": whole})
    got = flat(ask("IPVS", "get-service", "do", {"service": s})[0])["service"]
    same(("wrr", 300, 0xFFFFFFFF), (got["sched-name"], got["timeout"], got["netmask"]))
    ask("IPVS", "set-service", "do", {"service": dict(whole, **{"sched-name": "rr\0", "timeout": 60})})
    got = flat(ask("IPVS", "get-service", "do", {"service": s})[0])["service"]
    same(("rr", 60), (got["sched-name"], got["timeout"]))

    d = {"addr": ip("10.2.0.2"), "port": 81, "addr-family": 2}
    more = {"fwd-method": 2, "weight": 3, "u-thresh": 90, "l-thresh": 80, "tun-type": 1, "tun-port": 6080, "tun-flags": 1}
    ask("IPVS", "new-dest", "do", {"service": s, "dest": dict(d, **more)})
    got = flat(ask("IPVS", "get-dest", "dump", {"service": s})[0])["dest"]
    # Room for an address of either family.
    got["addr"] = got["addr"][:4]
    same(dict(d, **more), {name: got[name] for name in (*d, *more)})
    ask("IPVS", "set-dest", "do", {"service": s, "dest": dict(d, **dict(more, weight=7))})
    same(7, flat(ask("IPVS", "get-dest", "dump", {"service": s})[0])["dest"]["weight"])
    ask("IPVS", "del-dest", "do", {"service": s, "dest": d})
    same([], ask("IPVS", "get-dest", "dump", {"service": s}, expect=False))
    ask("IPVS", "del-service", "do", {"service": s})

    mark = {"af": 2, "fwmark": 7}
    ask("IPVS", "new-service", "do", {"service": dict(mark, **{"sched-name": "rr\0", "flags": bytes(8), "timeout": 0, "netmask": 0xFFFFFFFF})})
    same(7, flat(ask("IPVS", "get-service", "do", {"service": mark})[0])["service"]["fwmark"])
    ask("IPVS", "del-service", "do", {"service": mark})


def test_replacing_by_the_spec_of_lvs():
    """A set with every attribute that its rules may have; what it does not have is gone."""
    before = [flat(r)["laddr"]["addr"] for r in ask("LVS", "get-laddr", "dump")]
    s = dict(SERVICE["LVS"], port=82)
    whole = dict(s, **{"sched-name": "mh\0", "flags": struct.pack("=II", 9, 0xFFFFFFFF), "timeout": 300, "netmask": 0xFFFFFFFF, "pe-name": "\0"})
    d = {"addr": ip("10.2.0.2"), "port": 82, "addr-family": 2, "fwd-method": 2, "weight": 3, "u-thresh": 90, "l-thresh": 80,
         "tun-type": 1, "tun-port": 6080, "tun-flags": 1}
    mark = {"af": 2, "fwmark": 7}
    other = {"sched-name": "rr\0", "flags": bytes(8), "timeout": 0, "netmask": 0xFFFFFFFF}
    here, everybody = ({"af": 2, "addr": ip(a), "flags": f} for a, f in (("10.9.0.2", 1), ("10.9.0.4", 0)))
    spec = SPECS["LVS"]
    rules = [{"service": whole, "flags": 1}, {"service": s, "dest": d}, {"service": s, "laddr": here}, {"laddr": everybody}, {"service": dict(mark, **other)}]
    missing = {(name, a) for name, given in (("rule-service", {**whole, **mark}), ("rule-dest", d)) for a in spec.sets[name] if a not in given}
    same(set(), missing, "attributes of rules that are not tried")
    FAMILIES["LVS"].ask(11, b"".join(spec.pack("lvs", {"rule": rule}) for rule in rules))
    same([(82, "mh", 1, 1), (None, "rr", 0, 0)],
         [(x.get("port"), x["sched"], x["flags"], x["laddrs"]) for x in (flat(r)["service"] for r in ask("LVS", "get-service", "dump"))])
    got = flat(ask("IPVS", "get-dest", "dump", {"service": s})[0])["dest"]
    same(d, dict({name: got[name] for name in d}, addr=got["addr"][:4]))
    same([(ip("10.9.0.4"), 0), (ip("10.9.0.2"), 1)],
         [(x["addr"], x["flags"]) for x in (flat(r)["laddr"] for r in ask("LVS", "get-laddr", "dump")) if not x["draining"]])
    # Of what does not belong together, the rule is named.
    bad = [{"service": whole}, {"service": s, "dest": d, "laddr": here}]
    packed = [spec.pack("lvs", {"rule": rule}) for rule in bad]
    try:
        FAMILIES["LVS"].ask(11, b"".join(packed))
    except Refused as refused:
        same((errno.EINVAL, 20 + len(packed[0])), (refused.errno, refused.offset))
    else:
        raise AssertionError("a rule of two kinds was taken")
    # Who means to name a service beside the rules has not replaced all there is.
    try:
        FAMILIES["LVS"].ask(11, spec.pack("lvs", {"service": SERVICE["LVS"]}))
    except Refused as refused:
        same((errno.EINVAL, "A set is made of rules alone."), (refused.errno, refused.text))
    else:
        raise AssertionError("a set without rules, but with a service, was taken")
    # As it was, for the facts that follow.
    usual = {"sched-name": "rr\0", "flags": bytes(8), "timeout": 0, "netmask": 0xFFFFFFFF}
    rules = [{"service": dict(SERVICE["LVS"], **usual)}] + [{"laddr": {"af": 2, "addr": a}} for a in before[:1]]
    FAMILIES["LVS"].ask(11, b"".join(spec.pack("lvs", {"rule": rule}) for rule in rules))


def test_sync_daemons_are_refused_by_the_spec_of_ipvs():
    daemon = {"state": 1, "mcast-ifn": "lo\0", "sync-id": 7, "sync-maxlen": 1400, "mcast-group": 0xE0000051, "mcast-port": 8848, "mcast-ttl": 1}
    for op, error in (("new-daemon", errno.EOPNOTSUPP), ("del-daemon", errno.ESRCH)):
        try:
            ask("IPVS", op, "do", {"daemon": daemon})
        except Refused as refused:
            same(error, refused.errno, op)
        else:
            raise AssertionError(f"{op} was taken")


def test_changing_and_deleting_by_the_spec_of_ipvs():
    s = SERVICE["IPVS"]
    ask("IPVS", "zero", "do", {"service": s})
    ask("IPVS", "get-daemon", "dump", expect=False)
    ask("IPVS", "del-service", "do", {"service": s})
    same([], ask("IPVS", "get-service", "dump", expect=False))
    ask("IPVS", "flush", "do")


run(globals())
