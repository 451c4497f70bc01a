#!/usr/bin/env python3
# Local ports: the range, what happens when it is used up, and reuse that no server can mistake for the old connection.
# suite: wire
import errno
import os
import re
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from ktap import run, same, sh
from packet import NOP, SACK_PERMITTED, Udp, mss, timestamps, wscale
from wire import BOTH, Flow, drops, fullnat, inside

SYN_OPTIONS = mss(1460) + SACK_PERMITTED + timestamps(1000) + NOP + wscale(7)


def setup():
    fullnat()


def fam(w, script):
    """Shell with the addresses of that family."""
    return sh(f"family {w.name}; {script}")


def ports(first, last):
    """The order matters: an empty range is refused."""
    sh(f"if [ {first} -gt $(vs_get fullnat_lport_max) ]; then vs_set fullnat_lport_max {last}; vs_set fullnat_lport_min {first};"
       f" else vs_set fullnat_lport_min {first}; vs_set fullnat_lport_max {last}; fi")


def test_connections_leave_from_the_range(w):
    ports(20000, 20003)
    seen = set()
    for i in range(4):
        f = Flow(w, 12000 + i).established()
        seen.add(f.lport)
    same({20000, 20001, 20002, 20003}, seen)


def test_when_none_is_free_the_client_is_not_answered_and_it_is_counted_and_said(w):
    before = drops("ports_exhausted")
    w.drain()
    f = Flow(w, 12010)
    w.client.send(f.client_packet("S", seq=0))
    w.server.nothing(w.client)
    same(before + 1, drops("ports_exhausted"))
    # Every ten seconds at most there is a line, for whomever.
    deadline = time.monotonic() + 30
    while True:
        said = sh("dmesg | grep 'lvs:.*are in use' | tail -n 1 || true")
        if re.search(rf"{re.escape(w.at(w.vip, 80))}: all 4 ports of local address {w.lip1} towards {re.escape(w.at(w.s1, 80))} "
                     "are in use, [1-9][0-9]* by its connections; add local addresses", said):
            break
        assert time.monotonic() < deadline, f"the log does not say service, local address and use: {said}"
        time.sleep(0.5)
        w.client.send(f.client_packet("S", seq=0))


def test_the_log_is_not_flooded(w):
    def lines():
        return int(sh("dmesg | grep -c 'lvs:.*are in use' || true"))

    before, start = lines(), time.monotonic()
    for i in range(50):
        w.client.send(Flow(w, 12100 + i).client_packet("S", seq=0))
    w.server.nothing(w.client)
    # One in ten seconds, and one that was due.
    most = 1 + (time.monotonic() - start) / 10
    assert lines() - before <= most, f"{lines() - before} lines for 50 refused connections"


def test_the_local_address_counts_it(w):
    same("1", fam(w, f"adm -G -t $vip:80 --json | jq '[.. | objects | select(.address? == \"{w.lip1}\")][0].exhausted > 0 | if . then 1 else 0 end'").strip())


def test_another_server_has_ports_of_its_own(w):
    fam(w, "adm -a -t $vip:80 -r $raw_s2:80 --fullnat; adm -e -t $vip:80 -r $raw_s1:80 --fullnat -w 0")
    f = Flow(w, 12020)
    w.client.send(f.client_packet("S", seq=0))
    got = w.server2.recv(lambda p: p.proto == 6)
    assert 20000 <= got.l4.sport <= 20003, got
    fam(w, "adm -e -t $vip:80 -r $raw_s1:80 --fullnat -w 1; adm -d -t $vip:80 -r $raw_s2:80")


def test_udp_has_ports_of_its_own(w):
    w.client.send(w.Packet(w.client_addr, w.vip, Udp(12030, 5000, b"x")))
    got = w.server.recv(lambda p: p.proto == 17 and p.l4.dport == 5000)
    assert 20000 <= got.l4.sport <= 20003, got


def test_a_udp_flow_that_nobody_answers_gives_up_its_port(w):
    # The one of the fact before, and three more; then of the four ports it is the one in use for longest.
    for n in range(1, 4):
        w.client.send(w.Packet(w.client_addr, w.vip, Udp(12030 + n, 5000, b"x")))
    before = drops("port_taken_from_udp")

    def sent(cport, payload):
        """What came of a datagram that is sent until it passes: for five seconds an answer may still come."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            w.client.send(w.Packet(w.client_addr, w.vip, Udp(cport, 5000, payload)))
            got = [p for p in w.server.all_until_mark(w.client) if p.proto == 17 and p.l4.payload == payload]
            if got:
                return got[0]
            time.sleep(0.2)
        raise AssertionError("no flow gave up its port")

    got = sent(12034, b"y")
    assert 20000 <= got.l4.sport <= 20003, got
    same(before + 1, drops("port_taken_from_udp"))
    # Answered they keep them.
    for n in range(31, 35):
        got = sent(12000 + n, b"z")
        w.server.send(w.Packet(got.dst, got.src, Udp(5000, got.l4.sport, b"a")))
        w.client.recv(lambda p: p.proto == 17 and p.l4.payload == b"a")
    before = drops("ports_exhausted")
    w.client.send(w.Packet(w.client_addr, w.vip, Udp(12035, 5000, b"lost")))
    w.server.nothing(w.client)
    same(before + 1, drops("ports_exhausted"))


def test_a_dedicated_local_address_has_every_port(w):
    ports(20000, 20000)
    fam(w, "adm -P -t $vip:80 -z $LIP2 --dedicated")
    try:
        # From one end of the range to the other takes as many connections as there are ports; so say it by number.
        same("64512", fam(w, f"adm -G -t $vip:80 --json | jq '[.. | objects | select(.address? == \"{w.lip2}\")][0].ports'").strip())
        flows = [Flow(w, 12200 + i).established() for i in range(6)]
        own = [f.lport for f in flows if f.lip == w.lip2]
        assert len(own) >= 5, f"{len(own)} of 6 left from the dedicated address, the other one has a single port"
        assert any(port != 20000 for port in own), f"the range of the others binds it: {own}"
    finally:
        fam(w, "adm -Q -t $vip:80 -z $LIP2")


def test_the_secret_decides_where_sequence_numbers_lie(w):
    """A second of the clock is 15,625,000 numbers; a secret moves the line anywhere among 4,294,967,296."""
    ports(23000, 23100)

    def line(secret, cport):
        sh(f"vs_set fullnat_isn_secret {secret}")
        return Flow(w, cport).syn().l4.seq

    def apart(a, b):
        return min((a - b) % 2**32, (b - a) % 2**32)

    # A director that takes over is one with the same secret. Ports that nobody has used: nothing else moves the numbers.
    fam(w, "adm -a -t $vip:80 -r $raw_s1:81 --fullnat; adm -e -t $vip:80 -r $raw_s1:80 --fullnat -w 0")
    try:
        one = line("00112233-44556677-8899aabb-ccddeeff", 12300)
        same("00112233-44556677-8899aabb-ccddeeff", sh("vs_get fullnat_isn_secret").strip())
        again = line("00112233445566778899AABBCCDDEEFF", 12301)
        assert apart(one, again) < 20 * 15_625_000, f"the same secret, {apart(one, again)} apart"
        lines = [line("%032x" % (7**40 * n % 2**128), 12310 + n) for n in range(1, 7)]
        far = [n for n in lines if apart(one, n) > 20 * 15_625_000]
        assert len(far) >= 4, f"six other secrets, and only {len(far)} lines of numbers lie elsewhere: {one} {lines}"
    finally:
        fam(w, "adm -e -t $vip:80 -r $raw_s1:80 --fullnat -w 1; adm -d -t $vip:80 -r $raw_s1:81")


def test_the_secret_is_root_s_alone_and_nothing_else_is_taken_for_one():
    same("600", sh("in_ns director stat -c %a /proc/sys/net/ipv4/vs/fullnat_isn_secret").strip())
    before = sh("vs_get fullnat_isn_secret")
    for bad in ("0", "00112233-44556677-8899aabb-ccddeeffgg", "zz112233-44556677-8899aabb-ccddeeff", "0" * 33, "''"):
        sh(f"if vs_set fullnat_isn_secret {bad} 2>/dev/null; then echo taken: {bad} >&2; exit 1; fi")
    same(before, sh("vs_get fullnat_isn_secret"))


def test_a_closed_connection_gives_up_its_port_and_the_server_cannot_mistake_it(w):
    # A sequence number far ahead, as a fast uploader leaves it.
    ports(21000, 21000)
    f = Flow(w, 12040).established(SYN_OPTIONS, SYN_OPTIONS)
    far = 2_000_000_000
    f.client_sends("FA", seq=far, ack=2)
    last = (f.c_isn + far + f.delta) % 2**32
    f.server_sends("FA", seq=2, ack=far + 1)
    f.client_sends("A", seq=far + 1, ack=3)
    g = Flow(w, 12041, c_isn=55)
    before = drops("port_taken_from_time_wait")
    got = g.syn(SYN_OPTIONS)
    same(f.lport, g.lport, "the only port")
    same(before + 1, drops("port_taken_from_time_wait"))
    ahead = (got.l4.seq - last) % 2**32
    assert 0 < ahead < 2**31, f"the new number {got.l4.seq} is not beyond the old {last}"
    same(None, got.l4.option(8), "timestamps of a SYN on a port used a moment ago")
    back = g.syn_ack()
    same(56, back.l4.ack)


def over(f):
    """The connection ends, the client first."""
    f.client_sends("FA", seq=2, ack=2)
    f.server_sends("FA", seq=2, ack=3)
    f.client_sends("A", seq=3, ack=3)
    return f


def test_timestamps_of_a_reused_port_stay_if_they_are_never_to_go(w):
    ports(21200, 21200)
    f = over(Flow(w, 12045).established(SYN_OPTIONS, SYN_OPTIONS))
    sh("vs_set fullnat_timestamp_remove_entry 0")
    try:
        g = Flow(w, 12046, c_isn=55)
        got = g.syn(SYN_OPTIONS)
        same(f.lport, g.lport, "the only port")
        same(1000, int.from_bytes(got.l4.option(8)[:4], "big"))
    finally:
        sh("vs_set fullnat_timestamp_remove_entry 2")


def test_a_port_of_the_hosts_own_connection_to_the_server_is_passed_over(w):
    ports(21300, 21301)
    before = drops("ports_exhausted")
    with inside("director"):
        own = socket.socket(socket.AF_INET6 if w.is_v6 else socket.AF_INET)
    own.bind((w.lip1, 21300))
    own.setblocking(False)
    # Nobody answers: it is on its way there.
    same(True, own.connect_ex((w.s1, 80)) != 0)
    w.drain()
    f = Flow(w, 12047)
    f.syn()
    same(21301, f.lport)
    w.client.send(Flow(w, 12048).client_packet("S", seq=0))
    w.server.nothing(w.client)
    same(before + 1, drops("ports_exhausted"))
    own.close()
    # Its SYN may have been sent again.
    w.drain()
    g = Flow(w, 12048)
    g.syn()
    same(21300, g.lport)


def test_how_far_is_looked_for_one_that_gives_way_is_a_setting(w):
    # Two ports: the one in use for longest is open, the other one's connection is over.
    ports(21100, 21101)
    Flow(w, 12042).established()
    f = Flow(w, 12043).established()
    f.client_sends("FA", seq=2, ack=2)
    f.server_sends("FA", seq=2, ack=3)
    f.client_sends("A", seq=3, ack=3)
    sh("vs_set fullnat_lport_tries 1")
    w.client.send(Flow(w, 12044).client_packet("S", seq=0))
    w.server.nothing(w.client)
    sh("vs_set fullnat_lport_tries 2")
    g = Flow(w, 12044)
    g.syn()
    same(f.lport, g.lport)
    sh("vs_set fullnat_lport_tries 256")


def test_the_same_client_port_again_starts_anew(w):
    ports(22000, 22100)
    f = Flow(w, 12050).established()
    f.client_sends("FA", seq=2, ack=2)
    f.server_sends("FA", seq=2, ack=3)
    f.client_sends("A", seq=3, ack=3)
    g = Flow(w, 12050, c_isn=f.c_isn + 1_000_000).established()
    same(b"again", g.client_sends("PA", seq=2, ack=2, payload=b"again").l4.payload)


def test_a_setting_lets_conn_reuse_mode_alone_decide_it(w):
    sh("vs_set fullnat_conn_reused_entry 0; vs_set conn_reuse_mode 0")
    try:
        f = over(Flow(w, 12051).established())
        g = Flow(w, 12051, c_isn=f.c_isn + 1_000_000)
        g.syn()
        same((f.lport, f.delta), (g.lport, g.delta), "the connection that it is of")
    finally:
        sh("vs_set fullnat_conn_reused_entry 1; vs_set conn_reuse_mode 1")
    h = Flow(w, 12051, c_isn=f.c_isn + 2_000_000)
    f.client_sends("R", seq=1_000_001)
    h.syn()
    assert h.delta != f.delta, "the same numbers again"


def test_impossible_ranges_are_refused():
    for name, value in (("min", 65536), ("min", -1), ("max", 0), ("max", 1), ("min", 60000), ("max", "x")):
        before = sh("vs_get fullnat_lport_min; vs_get fullnat_lport_max")
        assert sh(f"vs_set fullnat_lport_{name} {value} 2>/dev/null && echo taken || true").strip() != "taken", (name, value)
        same(before, sh("vs_get fullnat_lport_min; vs_get fullnat_lport_max"), "the range")


def test_an_empty_range_is_refused_in_words():
    ports(21400, 21500)
    for name, value in (("min", 21501), ("max", 21399)):
        sh("dmesg -C")
        # By hand: sysctl writes once more what was refused.
        with inside("director"):
            setting = os.open(f"/proc/sys/net/ipv4/vs/fullnat_lport_{name}", os.O_WRONLY)
        try:
            os.write(setting, b"%d" % value)
        except OSError as refused:
            same(errno.EINVAL, refused.errno)
        else:
            raise AssertionError(f"{name} {value} was taken")
        finally:
            os.close(setting)
        lines = [line for line in sh("dmesg").splitlines() if "port range is empty: fullnat_lport_min must not be above" in line]
        same(1, len(lines), f"lines in the log: {lines}")


run(globals(), BOTH)
