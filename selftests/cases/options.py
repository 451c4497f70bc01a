#!/usr/bin/env python3
# TCP options: TOA while the server has not answered, the room it takes, what must not carry it; MSS; timestamps.
# suite: wire
import os
import socket
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from ktap import run, same, sh
from packet import NOP, SACK_PERMITTED, mss, sack, timestamps, toa, wscale
from wire import BOTH, Flow, drops, fullnat

W = None
TOA = 254
SYN_OPTIONS = mss(1460) + SACK_PERMITTED + timestamps(1000) + NOP + wscale(7)


def setup():
    global W
    W = fullnat()


def told(packet):
    """(address, port) that a segment tells the server, or None."""
    return told_of(packet.l4.option(TOA))


def told_of(body):
    if body is None or len(body) not in (6, 18):
        return None
    return socket.inet_ntop(socket.AF_INET if len(body) == 6 else socket.AF_INET6, body[2:]), struct.unpack("!H", body[:2])[0]


def test_syn_tells_the_client(w):
    f = Flow(w, 3001)
    same((w.client_addr, 3001), told(f.syn(SYN_OPTIONS)))


def test_the_clients_own_options_stay_beside_it(w):
    f = Flow(w, 3002)
    kinds = {k: b for k, b in f.syn(SYN_OPTIONS).l4.parsed_options()}
    same(struct.pack("!H", 1460), kinds[2], "MSS towards the server")
    assert 4 in kinds and kinds[3] == b"\7" and kinds[8][:4] == struct.pack("!I", 1000), kinds


def test_handshake_ack_and_first_segments_tell_it_until_acknowledged(w):
    f = Flow(w, 3003)
    f.syn(SYN_OPTIONS)
    f.syn_ack(SYN_OPTIONS)
    for what, got in (("ACK", f.client_sends("A")), ("data", f.client_sends("PA", payload=b"GET")),
                      ("more data", f.client_sends("PA", seq=4, payload=b" /")),
                      ("data again", f.client_sends("PA", payload=b"GET"))):
        same((w.client_addr, 3003), told(got), what)
    f.server_sends("A", ack=1)
    same((w.client_addr, 3003), told(f.client_sends("PA", payload=b"GET")), "after an ACK of the SYN alone")
    f.server_sends("A", ack=6)
    same(None, told(f.client_sends("PA", seq=6, payload=b"x")), "after data was acknowledged")


def test_a_server_that_speaks_first_ends_it(w):
    f = Flow(w, 3004).open()
    f.server_sends("PA", ack=1, payload=b"220 hello")
    same(None, told(f.client_sends("A", ack=10)))


def test_segments_after_it_have_their_length_again(w):
    f = Flow(w, 3005).established()
    got = f.client_sends("PA", seq=2, ack=2, payload=b"q")
    same((b"", 5), (got.l4.options, got.l4.doff))


def test_no_packet_to_the_client_carries_it(w):
    f = Flow(w, 3006)
    f.syn(SYN_OPTIONS)
    same(None, told(f.syn_ack(SYN_OPTIONS)))
    f.client_sends("A")
    same(None, told(f.server_sends("PA", payload=b"x")))


def test_a_full_syn_gives_up_its_timestamps(w):
    f = Flow(w, 3007)
    # As much as leaves no room with the timestamps, and room without: IPv6's option takes 20.
    other = b"\x42\x06" + b"C" * 4 if w.is_v6 else b"\x42\x12" + b"C" * 16
    before = mss(1460) + SACK_PERMITTED + timestamps(7) + wscale(9) + other
    same(25 if w.is_v6 else 37, len(before))
    kinds = dict(f.syn(before).l4.parsed_options())
    same((w.client_addr, 3007), told_of(kinds.get(TOA)))
    assert 8 not in kinds, "timestamps stayed"
    same({2, 4, 3, 0x42, TOA}, set(kinds), "kinds in the SYN")


def test_a_full_segment_gives_up_sack_blocks_from_the_right_and_never_timestamps(w):
    f = Flow(w, 3008).open(SYN_OPTIONS, SYN_OPTIONS)
    blocks = [(f.s_isn + 10 * i, f.s_isn + 10 * i + 5) for i in (1, 2, 3)]
    options = NOP * 2 + timestamps(5, 6) + NOP * 2 + sack(*blocks)
    same(40, len(options))
    got = f.client_sends("A", options=options)
    same((w.client_addr, 3008), told(got))
    same(struct.pack("!II", 5, 6), got.l4.option(8), "timestamps")
    # 40 - 10 - 2 - TOA: room for two beside 8 bytes, for none beside 20 (10 + 10 + 20 would be 40, with no byte left).
    same(blocks[:1 if w.is_v6 else 2], got.l4.sacks())


def test_a_segment_without_room_goes_without_it_and_is_counted(w):
    before = drops("toa_no_room")
    f = Flow(w, 3009).open()
    # Of Multipath TCP, which a server may need.
    options = b"\x1e\x24" + b"u" * 34 + NOP * 4
    got = f.client_sends("PA", payload=b"data", options=options)
    same((None, b"data"), (told(got), got.l4.payload))
    same(options[:36], got.l4.options[:36], "the option")
    same(before + 1, drops("toa_no_room"))


def test_nobody_stays_untold_by_options_that_say_nothing(w):
    f = Flow(w, 3024).open()
    for options in (b"\x42\x24" + b"u" * 34 + NOP * 4, mss(1460) * 10, timestamps(5, 6) + b"\x13\x1c" + b"M" * 26 + NOP * 2,
                    b"\x22\x24" + b"c" * 34 + b"\x13\x02\x01\x01"):
        same((w.client_addr, 3024), told(f.client_sends("PA", payload=b"data", options=options)))


def test_a_clients_own_claim_never_passes_however_old_the_connection(w):
    """A server that has forgotten takes a SYN, and one with SYN cookies the last segment of a handshake alone."""
    claim = toa("192.0.2.66", 666)

    def claims(p):
        return [told_of(b) for k, b in p.l4.parsed_options() if k == TOA]

    f = Flow(w, 3025).established()
    before = drops("toa_spoofed_removed")
    same([], claims(f.client_sends("PA", seq=2, ack=2, payload=b"x", options=claim)), "established")
    # Whatever is said while both ends talk is not the handshake's; a SYN is.
    same([], claims(f.client_sends("A", seq=1, ack=1, options=claim)), "established, an old number")
    same([(w.client_addr, 3025)], claims(f.client_sends("S", seq=0, options=claim)), "the SYN again")
    # The server has forgotten and begins anew, with another number of its own.
    f.server_sends("SA", seq=1000, ack=1)
    same([(w.client_addr, 3025)], claims(f.client_sends("A", seq=1, ack=1001, options=claim)), "the handshake again")
    f.server_sends("PA", seq=1001, ack=1, payload=b"hello")
    # Reset: for a while the entry is there, and the cookie is good.
    sh("vs_set fullnat_timeout_close 30")
    try:
        f.client_sends("R", seq=1)
        same([(w.client_addr, 3025)], claims(f.client_sends("A", seq=1, ack=1001, options=claim)), "reset, the handshake's ACK again")
        same([(w.client_addr, 3025)], claims(f.client_sends("A", seq=2, ack=1001, options=claim)), "reset")
    finally:
        sh("vs_set fullnat_timeout_close 3")
    same(before + 6, drops("toa_spoofed_removed"))


def test_padding_is_used_first(w):
    f = Flow(w, 3010).open()
    got = f.client_sends("A", options=timestamps(5, 6) + NOP * 30)
    same((w.client_addr, 3010), told(got))
    same(struct.pack("!II", 5, 6), got.l4.option(8), "timestamps")


def test_a_signed_segment_carries_none(w):
    before = drops("toa_md5")
    f = Flow(w, 3011)
    md5 = b"\x13\x12" + b"M" * 16
    got = f.syn(NOP * 2 + md5)
    same((None, b"M" * 16), (told(got), got.l4.option(19)))
    same(before + 1, drops("toa_md5"))
    f.syn_ack()
    got = f.client_sends("PA", payload=b"signed", options=NOP * 2 + md5)
    same((None, b"M" * 16), (told(got), got.l4.option(19)))
    same(before + 2, drops("toa_md5"))


def test_a_port_that_reads_as_fast_open_is_not_told_on_the_syn(w):
    before = drops("toa_reserved_port")
    f = Flow(w, 63881)
    same(None, told(f.syn(SYN_OPTIONS)))
    same(before + 1, drops("toa_reserved_port"))
    f.syn_ack()
    same((w.client_addr, 63881), told(f.client_sends("A")), "the handshake's ACK")


def test_a_clients_own_claim_is_removed_and_counted(w):
    before = drops("toa_spoofed_removed")
    f = Flow(w, 3012)
    got = f.syn(toa("192.0.2.66", 666) + mss(1460))
    same([(w.client_addr, 3012)], [told_of(b) for k, b in got.l4.parsed_options() if k == TOA])
    same(before + 1, drops("toa_spoofed_removed"))


def test_a_clients_own_claim_of_the_other_kind_that_servers_read_is_removed(w):
    before = drops("toa_spoofed_removed")
    f = Flow(w, 3022)
    # With timestamps and so long a claim of its own there would be no room beside it.
    claim = struct.pack("!BBH16s", 253, 20, 666, b"spoofed by client")
    got = f.syn(claim + mss(1460) + timestamps(7))
    same({TOA, 2, 8}, {k for k, _ in got.l4.parsed_options()})
    same((w.client_addr, 3022), told(got))
    f.syn_ack()
    got = f.client_sends("PA", options=claim + NOP * 2 + timestamps(8, 1), payload=b"GET")
    same({TOA, 8}, {k for k, _ in got.l4.parsed_options()})
    same(before + 2, drops("toa_spoofed_removed"))


def test_the_kind_for_clients_of_ipv6_is_a_setting(w):
    kinds = lambda got: [k for k, _ in got.l4.parsed_options() if k in (253, 254)]
    for kind, cport in ((253, 3023), (254, 3024)):
        sh(f"vs_set fullnat_toa_kind_v6 {kind}")
        same([kind if w.is_v6 else 254], kinds(Flow(w, cport).syn(SYN_OPTIONS)))
    for wrong in (252, 255, 0):
        assert sh(f"! vs_set fullnat_toa_kind_v6 {wrong} 2>&1"), "a kind that is not TOA's was taken"


def test_a_setting_keeps_it_from_servers(w):
    sh("vs_set fullnat_toa_entry 0")
    try:
        f = Flow(w, 3025)
        same(None, told(f.syn(SYN_OPTIONS)), "on the SYN")
        # The MSS has room to leave for nothing.
        same(struct.pack("!H", 1460), f.syn_ack(mss(1460)).l4.option(2))
        same(None, told(f.client_sends("A")), "on the ACK")
        same(None, told(f.client_sends("PA", payload=b"GET")), "on data")
    finally:
        sh("vs_set fullnat_toa_entry 1")


def test_a_setting_leaves_the_mss_alone(w):
    sh("vs_set fullnat_mss_adjust_entry 0")
    try:
        f = Flow(w, 3026)
        same((w.client_addr, 3026), told(f.syn(SYN_OPTIONS)))
        same(struct.pack("!H", 1460), f.syn_ack(mss(1460)).l4.option(2))
        same((w.client_addr, 3026), told(f.client_sends("A")))
    finally:
        sh("vs_set fullnat_mss_adjust_entry 1")


def test_mss_of_the_server_leaves_room_for_it(w):
    f = Flow(w, 3013)
    f.syn(SYN_OPTIONS)
    back = f.syn_ack(mss(1460) + SACK_PERMITTED + timestamps(9, 1000) + NOP + wscale(2))
    same(struct.pack("!H", 1460 - w.toa_len), back.l4.option(2))
    assert back.l4.option(4) is not None and back.l4.option(3) == b"\2" and back.l4.option(8), back


def test_timestamps_of_an_ordinary_syn_stay(w):
    f = Flow(w, 3014)
    same(struct.pack("!II", 1000, 0), f.syn(SYN_OPTIONS).l4.option(8))


def test_a_setting_strips_them_always(w):
    sh("vs_set fullnat_timestamp_remove_entry 1")
    try:
        f = Flow(w, 3015)
        before = drops("timestamps_stripped")
        same(None, f.syn(SYN_OPTIONS).l4.option(8))
        same(before + 1, drops("timestamps_stripped"))
        Flow(w, 3016).syn(mss(1460))
        same(before + 1, drops("timestamps_stripped"), "a SYN that had none is not counted")
    finally:
        sh("vs_set fullnat_timestamp_remove_entry 2")


def test_options_end_at_a_broken_one(w):
    """A server believes what stands before it: TOA of the client's own goes, and the client is told about."""
    own, spoofed, cut = b"\xfe\x08\xff\xfe" + bytes(4), drops("toa_spoofed_removed"), drops("options_cut")
    broken = (b"\x08\x00" + b"\1" * 2, b"\xfe\x01\1\1", b"\x05\xff\1\1", b"\1\1\1\x02")
    for i, options in enumerate(broken):
        f = Flow(w, 3100 + i)
        got = f.syn(own + options)
        same((w.client_addr, 3100 + i), told(got), f"whom TOA tells of, before {options}")
        assert own not in got.l4.options and options not in got.l4.options, got
    same((spoofed + len(broken), cut + len(broken)), (drops("toa_spoofed_removed"), drops("options_cut")))


run(globals(), BOTH)
