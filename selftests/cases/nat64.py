#!/usr/bin/env python3
# FULLNAT between an IPv6 client and an IPv4 server, packet by packet: what RFC 7915 has for either header, and for the
# errors about it; both ends are made by hand.
# suite: wire
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from ktap import run, same, sh
from packet import NOP, SACK_PERMITTED, Packet, Tcp, Udp, checksum, fragments, mss, pseudo, sack, timestamps, toa, wscale
from packet6 import DESTINATION, HOP_BY_HOP, PADDING, ROUTING, Packet6
from wire import V4, V6, drops
from wire64 import W, Flow64, answer, answered, asked, nat64

SYN_OPTIONS = mss(1440) + SACK_PERMITTED + timestamps(1000) + NOP + wscale(7)
BIG = bytes(i % 251 for i in range(4000))
DATA = bytes(i % 249 for i in range(14000))
TOLD = toa(V6.client_addr, 0)[4:]  # the address in the option, behind the port


def setup():
    nat64()


def told(packet):
    """The port of the client that a segment tells the server, or None; its address must be right."""
    body = packet.l4.option(254)
    if body is None:
        return None
    same((18, TOLD), (len(body), body[2:]))
    return struct.unpack("!H", body[:2])[0]


# Addresses and the IP header.


def test_a_syn_of_ipv6_leaves_as_one_of_ipv4():
    f = Flow64(20001)
    got = f.syn(SYN_OPTIONS)
    same((W.lip1, W.s1, 80, "S", 20), (got.src, got.dst, got.l4.dport, got.l4.flags, got.header_len))
    assert got.l4.sport >= 1024, got.l4.sport
    back = f.syn_ack(SYN_OPTIONS)
    same((W.vip, W.client_addr, 80, 20001, "SA", 40), (back.src, back.dst, back.l4.sport, back.l4.dport, back.l4.flags, back.header_len))


def test_traffic_class_and_type_of_service_and_the_hop():
    f = Flow64(20002).established()
    for tos in (0, 0xB8, 0x03, 0xFF, 0x0F, 0xF0):
        got = f.client_sends("A", seq=2, ack=2, tos=tos, ttl=33, label=0x54321)
        same((tos, 32), (got.tos, got.ttl), "to the server")
        back = f.server_sends("A", seq=2, ack=2, tos=tos, ttl=44)
        same((tos, 43, 0), (back.tos, back.ttl, back.label), "to the client")


def test_what_routers_may_cut_has_an_identification_and_nothing_else_has():
    f = Flow64(20003).established()
    seen = set()
    for n in (1, 1219, 1220):
        got = f.client_sends("PA", seq=2, ack=2, payload=b"x" * n)
        same((40 + n, False), (got.total, got.df))
        seen.add(got.ident)
    # Of 16 bits by chance.
    assert len(seen) > 1, f"different identifications: {seen}"
    for n in (1221, 1440):
        got = f.client_sends("PA", seq=2, ack=2, payload=b"x" * n)
        same((40 + n, True, 0), (got.total, got.df, got.ident))


def test_extension_headers_and_options_are_left_out():
    f = Flow64(20004)
    headers = [(HOP_BY_HOP, PADDING), (DESTINATION, PADDING), (ROUTING, b"\0\4\0\0\0\0\0")]
    got = f.to_server(f.client_packet("S", seq=0, options=mss(1440), headers=headers))
    f.lip, f.lport, f.rport, f.delta = got.src, got.l4.sport, got.l4.dport, (got.l4.seq - f.c_isn) % 2**32
    same((20, 6, 20004), (got.header_len, got.proto, told(got)))
    router_alert = b"\x94\4\0\0"
    back = f.to_client(f.server_packet("SA", seq=0, options=mss(1460)))
    same([], back.headers)
    p = f.server_packet("PA", payload=b"behind options")
    p.options = router_alert + NOP * 4
    back = f.to_client(p)
    same(([], b"behind options"), (back.headers, back.l4.payload))
    got = f.to_server(f.client_packet("PA", payload=b"hello", ack=15, headers=headers))
    same((20, b"hello"), (got.header_len, got.l4.payload))


def test_a_fragment_header_of_a_whole_packet():
    f = Flow64(20005).established()
    got = f.to_server(f.client_packet("PA", seq=2, ack=2, payload=b"atomic", atomic=True, ident=5))
    same((b"atomic", False, 0), (got.l4.payload, got.mf, got.offset))


def test_a_routing_header_that_is_not_at_its_end_is_dropped_and_counted():
    f = Flow64(20006).established()
    W.drain()
    before = drops("bad_header")
    for n, left in enumerate((1, 2, 255)):
        W.client.send(f.client_packet("PA", seq=2, ack=2, payload=b"x", headers=[(ROUTING, bytes([0, 4, left, 0, 0, 0, 0]))]))
        W.nothing_at_the_server()
        same(before + n + 1, drops("bad_header"))


def test_hops_run_out_on_either_side():
    before = drops("ttl_exceeded")
    f = Flow64(20007).established()
    W.drain()
    W.client.send(f.client_packet("A", seq=2, ack=2, ttl=1))
    got = W.client.recv(V6.is_error)
    same((V6.time_exceeded, W.client_addr), ((got.l4.type, got.l4.code), got.dst))
    inner = got.embedded()
    same((W.client_addr, W.vip), (inner.src, inner.dst), "the client's own packet is quoted")
    W.nothing_at_the_server()
    W.server.send(f.server_packet("A", seq=2, ack=2, ttl=1))
    got = W.server.recv(V4.is_error)
    same((V4.time_exceeded, W.s1), ((got.l4.type, got.l4.code), got.dst))
    inner = got.embedded()
    same((W.s1, f.lip), (inner.src, inner.dst), "the server's own packet is quoted")
    W.nothing_at_the_client()
    same(before + 2, drops("ttl_exceeded"))
    same(1, f.client_sends("A", seq=2, ack=2, ttl=2).ttl)
    same(1, f.server_sends("A", seq=2, ack=2, ttl=2).ttl)


# Sequence numbers and options.


def test_sequence_numbers_move_by_one_delta_both_ways_and_wrap():
    f = Flow64(20101, c_isn=2**32 - 3, s_isn=2**32 - 2).open()
    assert f.delta, "the SYN's own number went to the server"
    got = f.client_sends("PA", payload=b"0123456789")
    same(((2**32 - 2 + f.delta) % 2**32, 2**32 - 1), (got.l4.seq, got.l4.ack))
    back = f.server_sends("PA", ack=11, payload=b"y" * 9)
    same((8, 2**32 - 1, b"y" * 9), (back.l4.ack, back.l4.seq, back.l4.payload))


def test_sack_blocks_are_in_the_numbers_of_who_gets_them():
    f = Flow64(20102).established(options=SACK_PERMITTED)
    d = f.c_isn + f.delta
    back = f.server_sends("A", seq=2, ack=2, options=NOP * 2 + sack((d + 10, d + 20), (d + 30, d + 40), (d + 50, d + 60)))
    same([(f.c_isn + a, f.c_isn + b) for a, b in ((10, 20), (30, 40), (50, 60))], back.l4.sacks())
    blocks = [(f.s_isn + 10, f.s_isn + 20), (f.s_isn + 30, f.s_isn + 40)]
    same(blocks, f.client_sends("A", seq=2, ack=2, options=NOP * 2 + sack(*blocks)).l4.sacks())


def test_the_client_is_told_until_the_server_acknowledges_data():
    f = Flow64(20103)
    same(20103, told(f.syn(SYN_OPTIONS)), "SYN")
    same(None, told(f.syn_ack(SYN_OPTIONS)), "SYN-ACK")
    for what, got in (("ACK", f.client_sends("A")), ("data", f.client_sends("PA", payload=b"GET")),
                      ("data again", f.client_sends("PA", payload=b"GET"))):
        same(20103, told(got), what)
    f.server_sends("A", ack=1)
    same(20103, told(f.client_sends("PA", payload=b"GET")), "after an ACK of the SYN alone")
    same(None, told(f.server_sends("A", ack=4)), "to the client")
    same(None, told(f.client_sends("PA", seq=4, payload=b"x")), "after data was acknowledged")
    g = Flow64(20104).open()
    g.server_sends("PA", ack=1, payload=b"220 hello")
    same(None, told(g.client_sends("A", ack=10)), "after the server spoke")


def test_the_syns_own_options_stay_beside_it():
    f = Flow64(20105)
    kinds = dict(f.syn(SYN_OPTIONS).l4.parsed_options())
    same({2: struct.pack("!H", 1440), 4: b"", 8: struct.pack("!II", 1000, 0), 3: b"\7"}, {k: b for k, b in kinds.items() if k != 254})


def test_a_full_syn_gives_up_its_timestamps():
    f = Flow64(20106)
    kinds = dict(f.syn(mss(1440) + SACK_PERMITTED + timestamps(7) + wscale(9) + b"\x42\x06CCCC").l4.parsed_options())
    same({2, 4, 3, 0x42, 254}, set(kinds), "kinds in the SYN")


def test_a_segment_without_room_goes_without_it_and_is_counted():
    before = drops("toa_no_room")
    f = Flow64(20107).open()
    options = b"\x1e\x24" + b"u" * 34 + NOP * 4
    got = f.client_sends("PA", payload=b"data", options=options)
    same((None, b"data", options[:36]), (told(got), got.l4.payload, got.l4.options[:36]))
    same(before + 1, drops("toa_no_room"))


def test_a_clients_own_claim_is_removed_and_counted():
    before = drops("toa_spoofed_removed")
    f = Flow64(20108)
    got = f.syn(toa("192.0.2.66", 666) + mss(1440))
    same((20108, [2, 254]), (told(got), sorted(k for k, _ in got.l4.parsed_options())))
    f.syn_ack()
    got = f.client_sends("PA", payload=b"x", options=toa("2001:db8::66", 666, kind=253))
    same((20108, [254]), (told(got), [k for k, _ in got.l4.parsed_options()]))
    same(before + 2, drops("toa_spoofed_removed"))


def test_options_end_at_a_broken_one():
    own, spoofed, cut = toa("192.0.2.66", 666), drops("toa_spoofed_removed"), drops("options_cut")
    broken = (b"\x08\x00" + b"\1" * 2, b"\xfe\x01\1\1", b"\x05\xff\1\1", b"\1\1\1\x02")
    for i, options in enumerate(broken):
        got = Flow64(20150 + i).syn(own + options)
        same((20150 + i, [254]), (told(got), [k for k, _ in got.l4.parsed_options()]))
    same((spoofed + len(broken), cut + len(broken)), (drops("toa_spoofed_removed"), drops("options_cut")))


def test_the_mss_of_an_ipv4_server_is_one_for_an_ipv6_client():
    for i, (server, client) in enumerate(((1460, 1440), (8960, 1440), (1440, 1420), (1400, 1380), (1220, 1200))):
        f = Flow64(20110 + i)
        f.syn(SYN_OPTIONS)
        back = f.syn_ack(mss(server) + SACK_PERMITTED + timestamps(9, 1000) + NOP + wscale(2))
        got = struct.unpack("!H", back.l4.option(2))[0]
        assert got <= 1440, got
        same(client, got, f"of {server}")
        assert back.l4.option(4) is not None and back.l4.option(3) == b"\2" and back.l4.option(8), back


def test_timestamps_of_an_established_flow_stay():
    f = Flow64(20120).established()
    options = NOP * 2 + timestamps(123456, 654321)
    same(options, f.client_sends("PA", seq=2, ack=2, payload=b"z", options=options).l4.options)
    same(options, f.server_sends("PA", seq=2, ack=3, payload=b"z", options=options).l4.options)


def test_urgent_window_and_flags_stay():
    f = Flow64(20121).established()
    p = f.client_packet("PAUEC", seq=2, ack=2, payload=b"!")
    p.l4.window = 4711
    got = f.to_server(p)
    same(("PAUEC", 4711), (got.l4.flags, got.l4.window))


# Checksums and big packets.


def test_complete_checksums_are_right_afterwards():
    f = Flow64(20201).open(SYN_OPTIONS)
    for n in range(0, 40):
        f.client_sends("PA", payload=b"\xff" * n)
        f.server_sends("PA", ack=1, payload=b"\xff" * n)
    seen = asked(20202)
    for n in range(0, 20):
        same(b"\xff" * n, asked(20202, b"\xff" * n).l4.payload)
        same(b"\xff" * n, answered(seen, b"\xff" * n).l4.payload)


def test_what_is_left_to_the_device_is_still_left_to_it():
    f = Flow64(20203)
    W.client.send(f.client_packet("S", seq=0, options=mss(1440)), partial=True)
    got = W.server.recv(lambda p: p.proto == 6)
    same((True, 20203), (got.partial, told(got)))
    f = Flow64(20204).established()
    got = f.to_server(f.client_packet("PA", seq=2, ack=2, payload=b"partial"), partial=True)
    same((True, b"partial"), (got.partial, got.l4.payload))
    back = f.to_client(f.server_packet("PA", seq=2, ack=9, payload=b"back"), partial=True)
    same((True, b"back"), (back.partial, back.l4.payload))
    seen = asked(20205, b"device", partial=True)
    same((True, b"device"), (seen.partial, seen.l4.payload))
    back = answered(seen, b"device", how={"partial": True})
    same((True, b"device"), (back.partial, back.l4.payload))


def test_a_datagram_without_a_checksum_gets_one():
    seen = asked(20206)
    for payload in (b"", b"a", b"ab", b"abc", BIG[:1451], BIG[:1452], b"\0\0", b"\xff\xff"):
        back = answered(seen, payload, checksum=0)  # recv refuses one that is 0 or wrong
        same(payload, back.l4.payload)
        assert back.l4.checksum, back


def test_a_datagram_in_pieces_without_a_checksum_gets_one():
    seen = asked(20207)
    for n in (1473, 3000, 3001):
        for part in fragments(answer(seen, BIG[:n], checksum=0, ident=900 + n), 1480):
            W.server.send(part)
        got, _ = gather(W.client)
        same(BIG[:n], got.l4.payload)


def test_what_is_behind_a_datagram_is_not_in_its_checksum():
    """The rest that the datagram's own length leaves of the packet is options (RFC 9868)."""
    seen = asked(20219)
    for rest in (b"", b"\1", b"\1\2\3\4"):
        datagram = struct.pack("!HHHH", 5000, seen.l4.sport, 8 + 4, 0) + b"pong"
        W.server.send(Packet(W.s1, seen.src, datagram + rest, proto=17))
        back = W.client.recv(lambda p: p.proto == 17 and p.l4.sport == 5000, sound=False)
        covered = back.raw[40:40 + 12]
        same((12 + len(rest), 0), (len(back.raw) - 40, checksum(pseudo(back.src, back.dst, 17, 12) + covered)))


def test_a_checksum_never_comes_out_as_none():
    # Of all payloads the one makes the sum zero after the change.
    seen = asked(20208)
    first = answered(seen, b"\0\0")
    payload = first.l4.checksum.to_bytes(2, "big")
    for delta in (-1, 0, 1):
        value = ((int.from_bytes(payload, "big") + delta) % 0x10000).to_bytes(2, "big")
        back = answered(seen, value)
        assert back.l4.checksum != 0 and back.l4.payload == value, back


def test_a_wrong_checksum_is_not_repaired():
    f = Flow64(20209).established()
    p, q = f.client_packet("PA", seq=2, ack=2, payload=b"damaged"), f.server_packet("PA", seq=2, ack=2, payload=b"damaged")
    p.l4.checksum = q.l4.checksum = 0x1111
    W.drain()
    W.client.send(p)
    for got in V4.server.all_until_mark(V4.client):
        assert "L4 checksum" in got.problems, f"repaired: {got}"
    W.server.send(q)
    for got in V6.client.all_until_mark(V6.server):
        assert "L4 checksum" in got.problems, f"repaired: {got}"


def test_a_big_packet_leaves_whole():
    f = Flow64(20210).established()
    for size in (1400, 1440):
        got = f.to_server(f.client_packet("PA", seq=2, ack=2, payload=DATA), gso_size=size)
        same((DATA, size, True), (got.l4.payload, got.gso_size, got.partial), "to the server")
        back = f.to_client(f.server_packet("PA", seq=2, ack=2, payload=DATA), gso_size=size)
        same((DATA, size, True), (back.l4.payload, back.gso_size, back.partial), "to the client")


def test_segments_that_would_not_fit_behind_the_longer_header_become_smaller():
    f = Flow64(20211).established()
    back = f.to_client(f.server_packet("PA", seq=2, ack=2, payload=DATA, df=False), gso_size=1460)
    same((DATA, 1440, True), (back.l4.payload, back.gso_size, back.partial))


def test_a_server_that_discovers_its_path_is_told_that_they_would_not_fit():
    f = Flow64(20218).established()
    W.drain()
    W.server.send(f.server_packet("PA", seq=2, ack=2, payload=DATA), gso_size=1460)
    got = W.server.recv(V4.is_error)
    same((V4.too_big, 1480), ((got.l4.type, got.l4.code), got.l4.mtu))
    W.nothing_at_the_client()


def test_a_big_packet_with_the_option_in_it():
    f = Flow64(20212).open()
    # The option is as long as what the IP header is shorter.
    got = f.to_server(f.client_packet("PA", payload=DATA), gso_size=1440)
    same((DATA, 1440, 20212), (got.l4.payload, got.gso_size, told(got)))


def test_sack_in_a_big_acknowledgement():
    f = Flow64(20213).established(options=SACK_PERMITTED)
    d = f.c_isn + f.delta
    back = f.to_client(f.server_packet("PA", seq=2, ack=2, payload=DATA, options=NOP * 2 + sack((d + 9, d + 99))), gso_size=1400)
    same(([(f.c_isn + 9, f.c_isn + 99)], DATA), (back.l4.sacks(), back.l4.payload))


def test_a_big_packet_is_cut_where_the_device_does_not():
    f = Flow64(20214).established()
    sh("in_ns director ethtool -K s1 gso off tso off tx off; in_ns director ethtool -K client gso off tso off tx off")
    try:
        W.client.send(f.client_packet("PA", seq=2, ack=2, payload=DATA), gso_size=1440)
        same(DATA, b"".join(segments(W.server, len(DATA), 1440)))
        W.server.send(f.server_packet("PA", seq=2, ack=2, payload=DATA, df=False), gso_size=1460)
        same(DATA, b"".join(segments(W.client, len(DATA), 1440)))
    finally:
        sh("in_ns director ethtool -K s1 gso on tso on tx on; in_ns director ethtool -K client gso on tso on tx on")


def segments(end, length, size):
    """The payloads of the segments that come, in order, each as long as it should be."""
    got, seq = [], None
    while length:
        p = end.recv(lambda p: p.dst == end.addr and p.proto == 6)
        same((min(length, size), 0), (len(p.l4.payload), p.gso_size))
        assert seq is None or p.l4.seq == seq, f"{p.l4.seq} after {seq}"
        seq = (p.l4.seq + len(p.l4.payload)) % 2**32
        got.append(p.l4.payload)
        length -= len(p.l4.payload)
    return got


def test_at_the_end_of_the_length():
    # What fits in the length of an IPv6 header does not fit in that of an IPv4 header.
    sh("ip -n client link set dev eth0 gso_max_size 80000")
    f = Flow64(20215).established()
    payload = b"L" * (65535 - 20)
    W.client.send(f.client_packet("PA", seq=2, ack=2, payload=payload), gso_size=1400)
    same(payload, b"".join(segments(W.server, len(payload), 1400)))


def test_big_datagrams_keep_their_bounds():
    # UDP_SEGMENT: each piece is a datagram of its own.
    seen = asked(20216)
    for size in (1000, 1452):
        payload = BIG[:size * 2 + 100]
        got = asked(20216, payload, gso_size=size)
        same((payload, size, True), (got.l4.payload, got.gso_size, got.partial))
        back = answered(seen, payload, how={"gso_size": size})
        same((payload, size, True), (back.l4.payload, back.gso_size, back.partial))


def test_big_datagrams_that_do_not_fit_behind_the_longer_header_keep_their_bounds():
    seen = asked(20217)
    payload = BIG[:1472 * 2 + 100]
    W.server.send(answer(seen, payload, df=False), gso_size=1472)
    for part in (payload[:1472], payload[1472:2944], payload[2944:]):
        got, _ = gather(W.client)
        same(part, got.l4.payload)


def test_lists_of_packets_are_taken_apart():
    # With rx-gro-list the director's devices make lists of what comes within a moment.
    def moment(nanoseconds, lists):
        sh(f"""for dev in client s1; do
            in_ns director ethtool -K $dev gro {lists} rx-gro-list {lists}
            ip netns exec director sh -c "echo {nanoseconds} >/sys/class/net/$dev/gro_flush_timeout"
        done""")

    seen, f = asked(20219), Flow64(20220).established()
    # An odd length in front, so that no sum of the whole is one of a part.
    parts = [BIG[i * 999:(i + 1) * 999] for i in range(3)] + [b"the last one"]
    moment(100_000_000, "on")
    try:
        for dev in ("client", "s1"):
            sh(f"count_packets {dev} director {dev} ingress 'meta length > 900'")
        for part in parts:
            W.client.send(V6.Packet(W.client_addr, W.vip, Udp(20219, 5000, part)))
        same(parts, [W.server.recv(lambda p: isinstance(p.l4, Udp) and p.l4.dport == 5000).l4.payload for _ in parts])
        for part in parts:
            W.server.send(answer(seen, part))
        same(parts, [W.client.recv(lambda p: isinstance(p.l4, Udp) and p.l4.sport == 5000).l4.payload for _ in parts])
        came = lambda dev: int(sh(f"packets {dev} director"))
        datagrams = {dev: came(dev) for dev in ("client", "s1")}
        assert max(datagrams.values()) < 3, f"no lists of datagrams: {datagrams}"
        for i, part in enumerate(parts):
            W.client.send(f.client_packet("A", seq=2 + i * 999, ack=2, payload=part))
        same(b"".join(parts), received(W.server))
        for i, part in enumerate(parts):
            W.server.send(f.server_packet("A", seq=2 + i * 999, ack=2, payload=part))
        same(b"".join(parts), received(W.client))
        for dev in ("client", "s1"):
            assert came(dev) < datagrams[dev] + 3, f"no lists of segments came by {dev}"
    finally:
        moment(0, "off")
        sh("in_ns director nft flush ruleset")


def received(end):
    """What comes of 3009 bytes of a stream, in whatever packets."""
    got = b""
    while len(got) < 3 * 999 + 12:
        got += end.recv(lambda p: p.proto == 6 and p.dst == end.addr and p.l4.payload).l4.payload
    return got


# Fragments.


def gather(end):
    """The datagram that comes to an end in fragments or whole, and its pieces."""
    match = lambda p: p.proto in (6, 17) and p.dst == end.addr and not (isinstance(p.l4, Udp) and p.l4.dport == 9)
    first = end.recv(match)
    if not first.mf and first.offset == 0:
        return first, [first]
    pieces = [first]
    while not any(not p.mf for p in pieces) or sum(len(p.l4) for p in pieces) < max(p.offset + len(p.l4) for p in pieces):
        pieces.append(end.recv(match))
    body = b"".join(p.l4 for p in sorted(pieces, key=lambda p: p.offset))
    whole = end.kind.parse(end.kind(first.src, first.dst, body, proto=first.proto).build())
    assert not whole.problems, whole.problems
    same(1, len({p.ident for p in pieces}), "identifications of a datagram's pieces")
    return whole, pieces


def ask(cport, payload=BIG, order=lambda parts: parts, size=1448):
    for part in order(fragments(Packet6(W.client_addr, W.vip, Udp(cport, 5000, payload), ident=cport), size)):
        W.client.send(part)
    return gather(W.server)


def test_pieces_to_the_server_are_one_datagram_that_routers_may_cut():
    idents = []
    for i in range(4):
        got, pieces = ask(20301)
        same((W.s1, 5000, BIG), (got.dst, got.l4.dport, got.l4.payload))
        same([False] * len(pieces), [p.df for p in pieces])
        idents.append(pieces[0].ident)
    assert len(set(idents)) > 1, f"every datagram's pieces have the identification {idents[0]}"


def test_pieces_in_any_order_and_of_all_sizes():
    same(BIG, ask(20302, order=lambda parts: parts[::-1])[0].l4.payload)
    for n in (1448 * k + d for k, d in ((1, -9), (1, -8), (1, -7), (1, -1), (1, 0), (1, 1), (2, -9), (2, -8), (2, -7))):
        same(BIG[:n], ask(20302, BIG[:n])[0].l4.payload, f"{n} bytes")
    same(BIG[:1300], ask(20302, BIG[:1300], size=512)[0].l4.payload)


def test_answers_in_pieces_come_in_pieces():
    seen = asked(20303)
    for order in (lambda parts: parts, lambda parts: parts[::-1]):
        for part in order(fragments(answer(seen, BIG, ident=77), 1480)):
            W.server.send(part)
        got, pieces = gather(W.client)
        same((W.vip, 5000, 20303, BIG), (got.src, got.l4.sport, got.l4.dport, got.l4.payload))
        assert len(pieces) > 1 and all(40 + p.total <= 1280 for p in pieces), [p.total for p in pieces]
        W.drain()


def test_what_may_be_cut_comes_in_pieces_that_every_link_takes():
    # Routers of IPv6 do not cut, and who lets routers do it need not listen to what they say.
    seen = asked(20305)
    for n, count in ((1232, 1), (1233, 2), (1300, 2), (1472, 2)):
        W.server.send(answer(seen, BIG[:n], df=False, ident=79))
        got, pieces = gather(W.client)
        same((BIG[:n], count), (got.l4.payload, len(pieces)))
        assert all(40 + p.total <= 1280 for p in pieces), [p.total for p in pieces]
    f = Flow64(20306).established()
    W.server.send(f.server_packet("PA", seq=2, ack=2, payload=BIG[:1460], df=False))
    got, pieces = gather(W.client)
    same((BIG[:1460], 2), (got.l4.payload, len(pieces)))


def test_one_that_may_not_is_answered_with_what_would_have_passed():
    seen = asked(20307)
    W.drain()
    W.server.send(answer(seen, BIG[:1453]))
    got = W.server.recv(V4.is_error)
    same((V4.too_big, 1480), ((got.l4.type, got.l4.code), got.l4.mtu))
    W.nothing_at_the_client()
    same(BIG[:1452], answered(seen, BIG[:1452]).l4.payload)


def test_pieces_of_a_tcp_segment():
    f = Flow64(20308).established()
    for part in fragments(f.client_packet("PA", seq=2, ack=2, payload=BIG[:1400], ident=79), 720):
        W.client.send(part)
    same(BIG[:1400], gather(W.server)[0].l4.payload)


def test_a_piece_that_stays_alone_reaches_nobody():
    W.drain()
    W.client.send(fragments(Packet6(W.client_addr, W.vip, Udp(20309, 5000, BIG), ident=80), 1448)[1])
    W.nothing_at_the_server()


# ICMP errors.


def endpoints(packet):
    """(src, sport, dst, dport, first 4 bytes after the ports) of an embedded packet, of which 8 bytes are enough."""
    raw = packet.l4 if isinstance(packet.l4, bytes) else packet.l4.build(packet.src, packet.dst)
    sport, dport, number = struct.unpack("!HHI", raw[:8])
    return packet.src, sport, packet.dst, dport, number


def error_to_client(f, packet, kind, mtu=0, src=V4.router_s, **how):
    """What the client hears of an error about its packet, as far as the server got it."""
    W.server.send(V4.error(packet, src, f.lip, kind, mtu, **how))
    got = W.client.recv(V6.is_error)
    same((W.vip, W.client_addr), (got.src, got.dst), "the outer header")
    return got


def error_to_server(f, packet, kind, mtu=0, src=V6.router_c, **how):
    """What the server hears of an error about its packet, as far as the client got it."""
    W.client.send(V6.error(packet, src, W.vip, kind, mtu, **how))
    got = W.server.recv(V4.is_error)
    same((f.lip, W.s1), (got.src, got.dst), "the outer header")
    return got


def test_too_big_behind_tells_the_client_20_bytes_more():
    f = Flow64(20401).established()
    sent = f.client_sends("PA", seq=2, ack=2, payload=b"d" * 1440)
    for mtu, told_mtu in ((1400, 1420), (1300, 1320), (1260, 1280), (1259, 1280), (576, 1280), (9000, 9020)):
        got = error_to_client(f, sent, V4.too_big, mtu)
        same((V6.too_big, told_mtu), ((got.l4.type, got.l4.code), got.l4.mtu), f"of {mtu}")
        same((W.client_addr, 20401, W.vip, 80, f.c_isn + 2), endpoints(got.embedded()))
    # From a router that knows no RFC 1191: the next plateau below 1480 bytes, which is too little.
    same(1280, error_to_client(f, sent, V4.too_big, 0).l4.mtu)


def test_while_the_option_is_inserted_room_is_left_for_it():
    f = Flow64(20402).open()
    sent = f.client_sends("PA", payload=b"d" * 1440)
    same(20402, told(sent))
    same(1400, error_to_client(f, sent, V4.too_big, 1400).l4.mtu)


def test_too_big_before_tells_the_server_20_bytes_less():
    f = Flow64(20403).established()
    back = f.server_sends("PA", seq=2, ack=2, payload=b"d" * 1400)
    for mtu, told_mtu in ((1400, 1380), (1280, 1260), (1000, 1260), (9000, 8980), (100000, 65535)):
        got = error_to_server(f, back, V6.too_big, mtu)
        same((V4.too_big, told_mtu), ((got.l4.type, got.l4.code), got.l4.mtu), f"of {mtu}")
        same((W.s1, 80, f.lip, f.lport, f.s_isn + 2), endpoints(got.embedded()))


# (what the server's side says, what the client hears), None for nothing.
TO_CLIENT = [((3, code), (1, 0)) for code in (0, 1, 5, 6, 7, 8, 11, 12)] + [((3, code), (1, 1)) for code in (9, 10, 13, 15)] + \
    [((3, 2), (4, 1)), ((3, 3), (1, 4)), ((3, 14), None), ((11, 0), (3, 0)), ((11, 1), (3, 1)), ((4, 0), None)]
TO_SERVER = [((1, code), (3, 1)) for code in (0, 2, 3)] + \
    [((1, 1), (3, 10)), ((1, 4), (3, 3)), ((3, 0), (11, 0)), ((3, 1), (11, 1)), ((4, 1), (3, 2)), ((4, 2), None), ((1, 7), None)]


def test_every_error_of_the_servers_side_is_called_what_rfc_7915_has():
    f = Flow64(20404).established()
    sent = f.client_sends("PA", seq=2, ack=2, payload=b"x")
    for kind, wanted in TO_CLIENT:
        if wanted is None:
            W.server.send(V4.error(sent, V4.router_s, f.lip, kind))
            W.nothing_at_the_client()
            continue
        got = error_to_client(f, sent, kind)
        same(wanted, (got.l4.type, got.l4.code), f"of {kind}")
        same((W.client_addr, 20404, W.vip, 80, f.c_isn + 2), endpoints(got.embedded()))
    for pointer, wanted in ((0, 0), (1, 1), (2, 4), (8, 7), (9, 6), (12, 8), (16, 24)):
        got = error_to_client(f, sent, (12, 0), pointer << 24)
        same(((4, 0), wanted), ((got.l4.type, got.l4.code), got.l4.rest), f"pointer {pointer}")


def test_every_error_of_the_clients_side_is_called_what_rfc_7915_has():
    f = Flow64(20405).established()
    back = f.server_sends("PA", seq=2, ack=2, payload=b"x")
    for kind, wanted in TO_SERVER:
        if wanted is None:
            W.client.send(V6.error(back, V6.router_c, W.vip, kind))
            W.nothing_at_the_server()
            continue
        got = error_to_server(f, back, kind)
        same(wanted, (got.l4.type, got.l4.code), f"of {kind}")
        same((W.s1, 80, f.lip, f.lport, f.s_isn + 2), endpoints(got.embedded()))
    for pointer, wanted in ((0, 0), (1, 1), (4, 2), (6, 9), (7, 8), (8, 12), (24, 16)):
        got = error_to_server(f, back, (4, 0), pointer)
        same(((12, 0), wanted << 24), ((got.l4.type, got.l4.code), got.l4.rest), f"pointer {pointer}")


def test_what_has_no_counterpart_is_counted():
    f = Flow64(20406).established()
    sent = f.client_sends("PA", seq=2, ack=2, payload=b"x")
    back = f.server_sends("PA", seq=2, ack=3, payload=b"x")
    W.drain()
    before = drops("no_counterpart")
    W.server.send(V4.error(sent, V4.router_s, f.lip, (12, 0), 6 << 24))  # the fragment field: IPv6 has none
    W.nothing_at_the_client()
    W.client.send(V6.error(back, V6.router_c, W.vip, (4, 2)))
    W.nothing_at_the_server()
    same(before + 2, drops("no_counterpart"))


def test_the_packet_in_an_error_is_one_of_its_readers_family():
    f = Flow64(20407).established()
    sent = f.client_sends("PA", seq=2, ack=2, payload=b"payload of the packet", tos=0x28)
    got = error_to_client(f, sent, V4.host_unreachable, quote=1000)
    inner = got.embedded()
    same((b"payload of the packet", 0x28, sent.ttl), (inner.l4.payload, inner.tos, inner.ttl))
    whole = Packet6.parse(got.l4.payload)
    same([], whole.problems, "the quoted packet, which is all there")
    same((f.c_isn + 2, f.s_isn + 2), (whole.l4.seq, whole.l4.ack))
    back = f.server_sends("PA", seq=2, ack=2, payload=b"payload of the packet", tos=0x28)
    got = error_to_server(f, back, V6.host_unreachable, quote=1000)
    whole = Packet.parse(got.l4.payload)
    same(([], b"payload of the packet", 0x28, back.ttl), (whole.problems, whole.l4.payload, whole.tos, whole.ttl))
    same((f.s_isn + 2, (f.c_isn + f.delta + 2) % 2**32), (whole.l4.seq, whole.l4.ack))


def test_no_error_is_longer_than_its_family_allows():
    f = Flow64(20408).established()
    sent = f.client_sends("PA", seq=2, ack=2, payload=BIG[:1400])
    got = error_to_client(f, sent, V4.host_unreachable, quote=1440)
    same(1280, 40 + got.total)
    back = f.server_sends("PA", seq=2, ack=2, payload=BIG[:1400])
    got = error_to_server(f, back, V6.host_unreachable, quote=1400)
    same(576, got.total)
    inner = got.embedded()
    same(BIG[:500], inner.l4.payload[:500])


def test_errors_about_datagrams():
    seen = asked(20409)
    W.server.send(V4.error(seen, W.s1, seen.src, V4.port_unreachable))
    got = W.client.recv(V6.is_error)
    same((W.vip, V6.port_unreachable), (got.src, (got.l4.type, got.l4.code)))
    same((W.client_addr, 20409, W.vip, 5000), endpoints(got.embedded())[:4])
    back = answered(seen)
    W.client.send(V6.error(back, W.client_addr, W.vip, V6.port_unreachable))
    got = W.server.recv(V4.is_error)
    same((seen.src, V4.port_unreachable), (got.src, (got.l4.type, got.l4.code)))
    same((W.s1, 5000, seen.src, seen.l4.sport), endpoints(got.embedded())[:4])


def test_an_error_about_the_first_piece_of_a_datagram():
    seen = asked(20410)
    for part in fragments(answer(seen, BIG, ident=81), 1480):
        W.server.send(part)
    _, pieces = gather(W.client)
    first = next(p for p in pieces if p.offset == 0)
    W.client.send(V6.error(first, V6.router_c, W.vip, V6.too_big, 1300, quote=600))
    got = W.server.recv(V4.is_error)
    same((V4.too_big, 1280), ((got.l4.type, got.l4.code), got.l4.mtu))
    same((W.s1, 5000, seen.src, seen.l4.sport), endpoints(got.embedded())[:4])


def test_an_error_behind_extension_headers_about_a_packet_with_some():
    f = Flow64(20411).established()
    back = f.server_sends("PA", seq=2, ack=2, payload=b"x")
    back.headers = [(DESTINATION, PADDING)]
    error = V6.error(back, V6.router_c, W.vip, V6.host_unreachable, quote=56)
    error.headers = [(HOP_BY_HOP, PADDING)]
    W.client.send(error)
    got = W.server.recv(V4.is_error)
    same((W.s1, 80, f.lip, f.lport, f.s_isn + 2), endpoints(got.embedded()))


def test_an_error_with_a_wrong_checksum_or_too_little_in_it_is_dropped():
    f = Flow64(20412).established()
    sent = f.client_sends("PA", seq=2, ack=2, payload=b"x")
    back = f.server_sends("PA", seq=2, ack=3, payload=b"x")
    W.drain()
    for quote in (0, 10, 19, 20, 24, 27):
        W.server.send(V4.error(sent, V4.router_s, f.lip, V4.port_unreachable, quote=quote))
    bad = V4.error(sent, V4.router_s, f.lip, V4.port_unreachable)
    bad.l4.checksum = 0x1234
    W.server.send(bad)
    W.nothing_at_the_client()
    for quote in (0, 10, 39, 40, 44, 47):
        W.client.send(V6.error(back, V6.router_c, W.vip, V6.port_unreachable, quote=quote))
    bad = V6.error(back, V6.router_c, W.vip, V6.port_unreachable)
    bad.l4.checksum = 0x1234
    W.client.send(bad)
    W.nothing_at_the_server()


# Beginnings and ends.


def test_resets_pass_both_ways():
    f = Flow64(20501).established()
    got = f.client_sends("R", seq=2)
    same(((f.c_isn + 2 + f.delta) % 2**32, "R"), (got.l4.seq, got.l4.flags))
    g = Flow64(20502)
    g.syn()
    back = g.server_sends("RA", seq=0, ack=1)
    same((g.c_isn + 1, "RA"), (back.l4.ack, back.l4.flags))


def test_a_segment_of_no_connection_reaches_no_server():
    W.drain()
    W.client.send(Packet6(W.client_addr, W.vip, Tcp(20599, 80, 1, 1, "PA", payload=b"lost")))
    W.nothing_at_the_server()


def reset(p):
    return p.proto == 6 and "R" in p.l4.flags


def expired(cport):
    """An established flow with data each way that was silent for a second too long, and the first reset to each end."""
    f = Flow64(cport).established()
    f.client_sends("PA", seq=2, ack=2, payload=b"0123456789")
    f.server_sends("PA", seq=2, ack=12, payload=b"abcdefghij")
    f.client_sends("A", seq=12, ack=12)
    W.drain()
    sh("stock --set 1 0 0")
    to_client = W.client.recv(lambda p: reset(p) and p.l4.dport == cport)
    to_server = W.server.recv(lambda p: reset(p) and p.l4.sport == f.lport)
    return f, to_client, to_server


def test_one_that_expires_resets_both_ends_and_answers_either_ones_challenge():
    before = drops("rst_sent_on_expiry")
    f, c, s = expired(20503)
    same((W.vip, 80, W.client_addr), (c.src, c.l4.sport, c.dst), "to the client")
    same((f.lip, W.s1, 80), (s.src, s.dst, s.l4.dport), "to the server")
    assert f.s_isn < c.l4.seq <= f.s_isn + 12, c
    assert 0 < (s.l4.seq - f.c_isn - f.delta) % 2**32 <= 12, s
    # What was reset is there for three seconds.
    number = (f.c_isn + f.delta + 4444) % 2**32
    W.server.send(Packet(W.s1, f.lip, Tcp(80, f.lport, f.s_isn + 12, number, "A")))
    W.server.recv(lambda p: reset(p) and p.l4.seq == number)
    W.client.send(Packet6(W.client_addr, W.vip, Tcp(20503, 80, f.c_isn + 12, f.s_isn + 5555, "A")))
    W.client.recv(lambda p: reset(p) and p.l4.seq == f.s_isn + 5555)
    sh("stock --set 900 120 300")
    assert drops("rst_sent_on_expiry") > before


def test_the_same_client_port_again_starts_anew():
    f = Flow64(20504).established()
    f.client_sends("FA", seq=2, ack=2)
    f.server_sends("FA", seq=2, ack=3)
    f.client_sends("A", seq=3, ack=3)
    g = Flow64(20504, c_isn=f.c_isn + 1_000_000).established()
    same(b"again", g.client_sends("PA", seq=2, ack=2, payload=b"again").l4.payload)


def test_a_closed_connection_gives_up_its_port_and_the_server_cannot_mistake_it():
    sh("vs_set fullnat_lport_min 21000; vs_set fullnat_lport_max 21000")
    try:
        f = Flow64(20505).established(SYN_OPTIONS, SYN_OPTIONS)
        far = 2_000_000_000
        f.client_sends("FA", seq=far, ack=2)
        last = (f.c_isn + far + f.delta) % 2**32
        f.server_sends("FA", seq=2, ack=far + 1)
        f.client_sends("A", seq=far + 1, ack=3)
        g = Flow64(20506, c_isn=55)
        before = drops("port_taken_from_time_wait")
        got = g.syn(SYN_OPTIONS)
        same((21000, before + 1), (g.lport, drops("port_taken_from_time_wait")))
        ahead = (got.l4.seq - last) % 2**32
        assert 0 < ahead < 2**31, f"the new number {got.l4.seq} is not beyond the old {last}"
        same(None, got.l4.option(8), "timestamps of a SYN on a port used a moment ago")
        same(56, g.syn_ack().l4.ack)
        # It is open: the next one finds none.
        before = drops("ports_exhausted")
        W.drain()
        W.client.send(Flow64(20507).client_packet("S", seq=0))
        W.nothing_at_the_server()
        same(before + 1, drops("ports_exhausted"))
    finally:
        sh("vs_set fullnat_lport_max 65535; vs_set fullnat_lport_min 1024")


def test_two_clients_never_share_a_port():
    seen = {(f.syn().src, f.lport) for f in (Flow64(20600 + i) for i in range(30))}
    same(30, len(seen), "distinct (local address, port)")


def test_a_flow_of_ipv4_beside_it():
    # The same local address and server serve a service of IPv4, and neither takes the other's ports for its own.
    sh(f"service -t 80 {W.s1}:80")
    from wire import Flow
    a, b = Flow(V4, 20508).established(), Flow64(20508).established()
    assert a.lport != b.lport, a.lport
    same(b"4", a.server_sends("PA", seq=2, ack=2, payload=b"4").l4.payload)
    same(b"6", b.server_sends("PA", seq=2, ack=2, payload=b"6").l4.payload)


run(globals())
