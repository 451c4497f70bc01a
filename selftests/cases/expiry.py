#!/usr/bin/env python3
# States and their ends: what a connection is called while it lives, how long it may be silent, and that both ends hear
# of it when an established one is given up.
# suite: wire
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from ktap import run, same, sh
from packet import Tcp
from wire import BOTH, Flow, drops, fullnat


def setup():
    fullnat()


def listed(w, cport):
    """(state, seconds left) of the family's connection of that client port, or None."""
    rows = sh("in_ns director cat /proc/net/ip_vs_conn").splitlines()[1:]
    for r in map(str.split, rows):
        if r[1:3] == [w.hex(w.client_addr), f"{cport:04X}"]:
            return r[7], int(r[8])
    return None


def state(w, cport, name, most, least=None):
    got = listed(w, cport)
    assert got, f"port {cport} is not listed"
    same(name, got[0], "state")
    assert (least if least is not None else most - 5) <= got[1] <= most, f"{name} has {got[1]} s left, wanted {most}"


def gone(w, cport):
    sh(f"wait_for eval '! in_ns director grep -q \" {w.hex(w.client_addr)} {cport:04X} \" /proc/net/ip_vs_conn'")


def test_the_life_of_a_connection_the_client_ends(w):
    f = Flow(w, 11001)
    f.syn(); state(w, 11001, "SYN_RECV", 60)
    f.syn_ack(); state(w, 11001, "SYN_RECV", 60)
    f.client_sends("A"); state(w, 11001, "ESTABLISHED", 900)
    f.client_sends("FA"); state(w, 11001, "CLOSE_WAIT", 60)
    f.server_sends("FA", ack=2); state(w, 11001, "TIME_WAIT", 7, 1)


def test_the_life_of_a_connection_the_server_ends(w):
    f = Flow(w, 11002).open()
    f.server_sends("FA"); state(w, 11002, "FIN_WAIT", 10, 4)
    f.client_sends("FA", ack=2); state(w, 11002, "TIME_WAIT", 7, 1)


def test_nobody_opens_a_connection_without_its_server(w):
    f = Flow(w, 11009)
    f.syn()
    f.client_sends("A"); state(w, 11009, "SYN_RECV", 60)
    f.syn_ack()
    # The answer has another number.
    f.client_sends("A", ack=1 << 20); state(w, 11009, "SYN_RECV", 60)
    # Another SYN that is forged, to which a server says that it has one.
    f.client_sends("S", seq=-1); f.server_sends("A"); state(w, 11009, "SYN_RECV", 60)
    f.client_sends("A"); state(w, 11009, "ESTABLISHED", 900)


def test_a_reset_closes_it(w):
    same("3", sh("vs_get fullnat_timeout_close").strip())
    sh("vs_set fullnat_timeout_close 30")
    try:
        f = Flow(w, 11003).established()
        f.client_sends("R", seq=2); state(w, 11003, "CLOSE", 30)
    finally:
        sh("vs_set fullnat_timeout_close 3")


def test_a_closed_one_is_gone_after_its_time(w):
    f = Flow(w, 11004).established()
    f.server_sends("RA", seq=2, ack=2)
    gone(w, 11004)


def test_set_changes_the_timeouts(w):
    sh("stock --set 50 0 40")
    try:
        same("50 120 40", sh("stock -L --timeout | grep -oE '[0-9]+' | xargs").strip())
        f = Flow(w, 11005).established()
        state(w, 11005, "ESTABLISHED", 50)
    finally:
        sh("stock --set 900 120 300")


def test_each_closed_state_of_fullnat_has_its_setting(w):
    # No segment leads to LAST_ACK, in IPVS's table neither: that its setting is nobody else's is all that shows.
    own = {"finwait": 21, "timewait": 31, "close": 41, "closewait": 51, "lastack": 61}
    was = {name: sh(f"vs_get fullnat_timeout_{name}").strip() for name in own}
    sh("; ".join(f"vs_set fullnat_timeout_{name} {seconds}" for name, seconds in own.items()))
    try:
        f = Flow(w, 11020).open()
        f.client_sends("FA"); state(w, 11020, "CLOSE_WAIT", 51)
        f.server_sends("FA", ack=2); state(w, 11020, "TIME_WAIT", 31)
        f = Flow(w, 11021).open()
        f.server_sends("FA"); state(w, 11021, "FIN_WAIT", 21)
        f = Flow(w, 11022).established()
        f.client_sends("R", seq=2); state(w, 11022, "CLOSE", 41)
    finally:
        sh("; ".join(f"vs_set fullnat_timeout_{name} {seconds}" for name, seconds in was.items()))


def expired(w, cport):
    """An established flow with data each way that was silent for a second too long, and the first reset to each end."""
    f = Flow(w, cport).established()
    f.client_sends("PA", seq=2, ack=2, payload=b"0123456789")
    f.server_sends("PA", seq=2, ack=12, payload=b"abcdefghij")
    f.client_sends("A", seq=12, ack=12)
    w.drain()
    # Flows of earlier facts fall silent too.
    sh("stock --set 1 0 0")
    to_client = w.client.recv(lambda p: reset(p) and p.l4.dport == cport)
    to_server = w.server.recv(lambda p: reset(p) and p.l4.sport == f.lport)
    return f, to_client, to_server


def test_one_whose_client_waits_for_the_answer_is_reset_too(w):
    f = Flow(w, 11010).established()
    f.client_sends("FA", seq=2, ack=2)
    f.server_sends("A", seq=2, ack=3)
    w.drain()
    sh("vs_set fullnat_timeout_closewait 1")
    try:
        c = w.client.recv(lambda p: reset(p) and p.l4.dport == 11010)
        s = w.server.recv(lambda p: reset(p) and p.l4.sport == f.lport)
    finally:
        sh("vs_set fullnat_timeout_closewait 60")
    # As above: what was acknowledged a quarter of a second before may not count yet.
    same(f.s_isn + 2, c.l4.seq)
    assert (s.l4.seq - f.c_isn - f.delta) % 2**32 in (2, 3), s


def back():
    """The timeout again. Later: what was reset is there for three seconds, which is the time for two or three commands."""
    sh("stock --set 900 120 300")


def reset(p):
    return p.proto == 6 and "R" in p.l4.flags


def test_an_established_one_that_expires_resets_both_ends(w):
    before = drops("rst_sent_on_expiry")
    f, c, s = expired(w, 11006)
    back()
    same((w.vip, 80, w.client_addr, 11006), (c.src, c.l4.sport, c.dst, c.l4.dport), "to the client")
    same((f.lip, f.lport, 80), (s.src, s.l4.sport, s.l4.dport), "to the server")
    # The last numbers that were stored: at most a quarter of a second old, so not beyond what was sent.
    assert f.s_isn < c.l4.seq <= f.s_isn + 12, c
    assert 0 < (s.l4.seq - f.c_isn - f.delta) % 2**32 <= 12, s
    assert drops("rst_sent_on_expiry") > before


def test_when_more_are_due_than_a_turn_tells_the_others_wait(w):
    """64 in the first turn."""
    ports = range(11100, 11180)
    for cport in ports:
        Flow(w, cport).established()
    w.drain()
    sh("stock --set 1 0 0")
    for end in (w.client, w.server):
        heard = set()
        while len(heard) < len(ports):
            p = end.recv(reset)
            heard.add(p.l4.dport if end is w.client else p.l4.sport)
    back()


def test_a_challenge_of_either_end_is_answered_with_its_own_number(w):
    f, _, _ = expired(w, 11007)
    w.server.send(w.Packet(w.server.addr, f.lip, Tcp(80, f.lport, f.s_isn + 12, f.c_isn + f.delta + 4444, "A")))
    same((f.c_isn + f.delta + 4444) % 2**32, w.server.recv(lambda p: reset(p) and p.l4.seq == (f.c_isn + f.delta + 4444) % 2**32).l4.seq)
    w.client.send(w.Packet(w.client_addr, w.vip, Tcp(11007, 80, f.c_isn + 12, f.s_isn + 5555, "A")))
    w.client.recv(lambda p: reset(p) and p.l4.seq == f.s_isn + 5555)
    back()


def test_real_sockets_are_reset_at_both_ends(w):
    sh(f"family {w.name}; [ {w.name} = v6 ] || echo_tcp s1 7000" + """
        service -t 7000 $s1:7000
        background client open python3 -ISc "
import socket
s = socket.create_connection(('$VIP', 7000), 20)
s.recv(100)
print('open', flush=True)
try:
    s.recv(100)
    print('the end without a reset')
except ConnectionResetError:
    print('reset')"
        wait_for says open $TMP/open.log
        stock --set 1 0 0
        wait_for gone $(pid_of open)
        says reset $TMP/open.log
        wait_for eval '! in_ns s1 ss -Htn state established sport = :7000 | grep .'
        stock --set 900 120 300
    """)


def test_with_the_setting_off_it_expires_in_silence(w):
    sh("vs_set conn_expire_tcp_rst 0")
    try:
        Flow(w, 11008).established()
        w.drain()
        sh("stock --set 1 0 0")
        gone(w, 11008)
        w.client.nothing(w.server)
        w.server.nothing(w.client)
    finally:
        sh("vs_set conn_expire_tcp_rst 1; stock --set 900 120 300")


run(globals(), BOTH)
