// SPDX-License-Identifier: GPL-2.0

//! Whole packets through a connection: the engine's plans carried out on real
//! headers, seen from both ends. One source for v4, v6 and either direction.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a panic in a test fails the test"
)]

use core::net::{Ipv4Addr, Ipv6Addr};
use lvs_engine::conn::{Conn, Dir, Features, Numbers, Protocol, Segment, Snapshot, ToaKinds};
use lvs_engine::tcp::{Flags, TcpState};
use lvs_engine::time::Ticks;
use lvs_engine::timeouts::Timeouts;
use lvs_wire::addr::{Address, Endpoint, Family};
use lvs_wire::csum;
use lvs_wire::ip::Network;
use lvs_wire::kinds::KindSet;
use lvs_wire::rewrite::icmp::apply_error;
use lvs_wire::rewrite::{apply, options, CsumState, Place, Plan, Transport};
use lvs_wire::tcp::Header;
use lvs_wire::toa::Toa;
use proptest::prelude::*;

const SYN: Flags = Flags::SYN;
const ACK: Flags = Flags::ACK;
const NO_OPTIONS: &[u8] = &[];
/// MSS 1460, SACK permitted, timestamps, window scale: what Linux sends.
const SYN_OPTIONS: &[u8] = &[
    2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7,
];

fn end<A: Address>(last: u8, port: u16) -> Endpoint<A> {
    let mut octets = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last];
    if matches!(A::FAMILY, Family::V4) {
        octets[..4].copy_from_slice(&[192, 0, 2, last]);
    }
    Endpoint::new(A::from_bytes(&octets[..A::LEN]).unwrap(), port)
}

/// One TCP segment with its IP header, whole and with right checksums.
fn packet<A: Network>(
    (src, dst): (Endpoint<A>, Endpoint<A>),
    (flags, seq, ack): (Flags, u32, u32),
    options: &[u8],
    payload: &[u8],
) -> Vec<u8> {
    let mut tcp = Vec::new();
    tcp.extend(src.port.to_be_bytes());
    tcp.extend(dst.port.to_be_bytes());
    tcp.extend(seq.to_be_bytes());
    tcp.extend(ack.to_be_bytes());
    let offset = u8::try_from((20 + options.len()) / 4).unwrap();
    tcp.extend([offset << 4, flags.0, 0x10, 0, 0, 0, 0, 0]);
    tcp.extend(options);
    tcp.extend(payload);
    let len = u32::try_from(tcp.len()).unwrap();
    let sum = csum::pseudo(src.addr, dst.addr, 6, len).add_bytes(&tcp);
    tcp[16..18].copy_from_slice(&sum.checksum().to_be_bytes());
    ip::<A>(src.addr, dst.addr, 6, &tcp)
}

fn ip<A: Network>(src: A, dst: A, protocol: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    match A::FAMILY {
        Family::V4 => {
            let len = u16::try_from(20 + body.len()).unwrap().to_be_bytes();
            bytes.extend([0x45, 0, len[0], len[1], 0, 1, 0x40, 0, 64, protocol, 0, 0]);
        }
        Family::V6 => {
            let len = u16::try_from(body.len()).unwrap().to_be_bytes();
            bytes.extend([0x60, 0, 0, 0, len[0], len[1], protocol, 64]);
        }
    }
    bytes.extend(src.to_octets().as_ref());
    bytes.extend(dst.to_octets().as_ref());
    if matches!(A::FAMILY, Family::V4) {
        let sum = csum::Sum::ZERO.add_bytes(&bytes).checksum();
        bytes[10..12].copy_from_slice(&sum.to_be_bytes());
    }
    bytes.extend(body);
    bytes
}

/// What the caller of a plan does: options, room, headers.
fn carry_out<A: Network>(mut bytes: Vec<u8>, plan: &Plan<A>, is_syn: bool) -> Vec<u8> {
    let l4_offset = A::parse(&bytes).unwrap().l4_offset;
    let old = Header::parse(&bytes[l4_offset..])
        .unwrap()
        .option_bytes()
        .len();
    let edit = plan.tcp.filter(|edit| edit.changes_options());
    let new = edit.map(|edit| {
        let start = l4_offset + 20;
        options::plan(&bytes[start..start + old], &edit, is_syn, 1000)
    });
    let behind = l4_offset + 20 + old;
    let grow = new
        .as_ref()
        .map_or(0, |new| new.as_slice().len() as isize - old as isize);
    if grow > 0 {
        bytes.splice(behind..behind, vec![0; grow.unsigned_abs()]);
    }
    let place = Place {
        l4_offset,
        transport: Transport::Tcp,
        csum: CsumState::Full,
    };
    apply(&mut bytes, place, plan, new.as_ref()).unwrap();
    if grow < 0 {
        bytes.drain(behind - grow.unsigned_abs()..behind);
    }
    bytes
}

/// What an end sees of a packet, checksums verified.
struct Seen {
    seq: u32,
    ack: u32,
    toa: Option<Toa>,
    options: Vec<u8>,
}

fn see<A: Network>(bytes: &[u8], src: Endpoint<A>, dst: Endpoint<A>) -> Seen {
    let packet = A::parse(bytes).unwrap();
    assert_eq!(
        (packet.src, packet.dst, packet.ttl),
        (src.addr, dst.addr, 63)
    );
    assert_eq!(packet.total_len, u32::try_from(bytes.len()).ok());
    if matches!(A::FAMILY, Family::V4) {
        assert_eq!(csum::Sum::ZERO.add_bytes(&bytes[..20]).fold(), 0xffff);
    }
    let l4 = &bytes[packet.l4_offset..];
    assert!(csum::verify(packet.src, packet.dst, 6, l4));
    let tcp = Header::parse(l4).unwrap();
    assert_eq!((tcp.src_port(), tcp.dst_port()), (src.port, dst.port));
    Seen {
        seq: tcp.seq(),
        ack: tcp.ack(),
        toa: Toa::find(tcp.options(), KindSet::TOA).unwrap(),
        options: tcp.option_bytes().to_vec(),
    }
}

/// A balancer with one connection.
struct Bench<C, S> {
    conn: Conn<C, S>,
    snap: Snapshot,
    now: Ticks,
}

impl<C: Network, S: Network> Bench<C, S> {
    fn new(numbers: Numbers) -> Self {
        let conn = Conn::fullnat(
            Protocol::Tcp,
            end(1, 40_000),
            end(2, 80),
            end(3, 1024),
            end(4, 8080),
            numbers,
            Features {
                toa: true,
                lower_mss: true,
                strip_timestamps: false,
                fast_open: true,
            },
        );
        let now = Ticks::new(0);
        Self {
            snap: conn.start(now),
            conn,
            now,
        }
    }

    fn step(&mut self, dir: Dir, (flags, seq, ack): (Flags, u32, u32), payload: &[u8]) -> Segment {
        let segment = Segment {
            dir,
            flags,
            seq,
            ack,
            payload_len: u32::try_from(payload.len()).unwrap(),
            rare_options: true,
        };
        let step = self
            .conn
            .step(self.snap, &segment, self.now, &Timeouts::DEFAULT);
        self.snap = step.next.unwrap_or(self.snap);
        segment
    }
}

impl<A: Network> Bench<A, A> {
    fn send_in(&mut self, tcp: (Flags, u32, u32), options: &[u8], payload: &[u8]) -> Seen {
        let segment = self.step(Dir::In, tcp, payload);
        let plan = self.conn.plan_in(self.snap, &segment, &ToaKinds::DEFAULT);
        let sent = packet((self.conn.client, self.conn.virt), tcp, options, payload);
        let got = carry_out(sent, &plan, tcp.0.syn());
        assert!(got.ends_with(payload));
        see(&got, self.conn.local, self.conn.real)
    }

    fn send_out(&mut self, tcp: (Flags, u32, u32), options: &[u8], payload: &[u8]) -> Seen {
        self.step(Dir::Out, tcp, payload);
        let plan = self.conn.plan_out(tcp.0);
        let sent = packet((self.conn.real, self.conn.local), tcp, options, payload);
        let got = carry_out(sent, &plan, tcp.0.syn());
        assert!(got.ends_with(payload));
        see(&got, self.conn.virt, self.conn.client)
    }
}

fn a_whole_connection<A: Network>() {
    let (client_isn, isn, server_isn) = (0xffff_ffff, 77, 1_000_000);
    let mut bench = Bench::<A, A>::new(Numbers { client_isn, isn });
    let client = Some(Toa::from(bench.conn.client));

    let seen = bench.send_in((SYN, client_isn, 0), SYN_OPTIONS, &[]);
    assert_eq!((seen.seq, seen.toa), (isn, client));

    let seen = bench.send_out((SYN | ACK, server_isn, isn + 1), SYN_OPTIONS, &[]);
    assert_eq!((seen.seq, seen.ack), (server_isn, 0));
    let mss = u16::from_be_bytes([seen.options[2], seen.options[3]]);
    assert_eq!(usize::from(1460 - mss), A::LEN + 4);

    // The handshake's end, and data twice: told each time, until it is acknowledged.
    let seen = bench.send_in((ACK, 0, server_isn + 1), NO_OPTIONS, &[]);
    assert_eq!(
        (seen.seq, seen.ack, seen.toa),
        (isn + 1, server_isn + 1, client)
    );
    for _ in 0..2 {
        let seen = bench.send_in((ACK, 0, server_isn + 1), NO_OPTIONS, b"GET /");
        assert_eq!((seen.seq, seen.toa), (isn + 1, client));
    }

    // The server has a hole: its SACK block goes back in the client's numbers.
    let start = (isn + 11).to_be_bytes();
    let stop = (isn + 16).to_be_bytes();
    let sack = [&[1, 1, 5, 10], &start[..], &stop[..]].concat();
    let seen = bench.send_out((ACK, server_isn + 1, isn + 6), &sack, &[]);
    assert_eq!(seen.ack, 5);
    assert_eq!(seen.options[4..8], 10_u32.to_be_bytes());
    assert_eq!(seen.options[8..12], 15_u32.to_be_bytes());

    let seen = bench.send_in((ACK, 5, server_isn + 1), NO_OPTIONS, b"more");
    assert_eq!((seen.seq, seen.toa), (isn + 6, None));
    assert!(seen.options.is_empty());
}

#[test]
fn a_whole_connection_v4() {
    a_whole_connection::<Ipv4Addr>();
}

#[test]
fn a_whole_connection_v6() {
    a_whole_connection::<Ipv6Addr>();
}

/// A client that calls itself somebody else is not believed.
fn a_spoofed_option<A: Network>() {
    let mut bench = Bench::<A, A>::new(Numbers {
        client_isn: 1,
        isn: 2,
    });
    let liar = [254, 8, 0, 1, 10, 0, 0, 1, 1, 1, 1, 1];
    let seen = bench.send_in((SYN, 1, 0), &liar, &[]);
    assert_eq!(seen.toa, Some(Toa::from(bench.conn.client)));
    assert!(!seen.options.windows(4).any(|w| w == [10, 0, 0, 1]));
}

#[test]
fn a_spoofed_option_v4() {
    a_spoofed_option::<Ipv4Addr>();
}

#[test]
fn a_spoofed_option_v6() {
    a_spoofed_option::<Ipv6Addr>();
}

/// A router behind the balancer cannot pass a segment on: the client finds its
/// own segment in the message, and an MTU that leaves room for the option.
#[test]
fn path_mtu_reaches_the_client_in_its_own_terms() {
    let numbers = Numbers {
        client_isn: 5000,
        isn: 9,
    };
    let mut bench = Bench::<Ipv4Addr, Ipv4Addr>::new(numbers);
    bench.step(Dir::In, (SYN, 5000, 0), &[]);
    let conn = bench.conn;
    let inner = packet((conn.local, conn.real), (ACK, 9 + 100, 3), &[], &[0; 50]);
    let mut icmp = vec![3, 4, 0, 0, 0, 0, 5, 0xdc]; // fragmentation needed, MTU 1500
    icmp.extend(&inner[..28]);
    let sum = csum::Sum::ZERO.add_bytes(&icmp).checksum();
    icmp[2..4].copy_from_slice(&sum.to_be_bytes());
    let router = end::<Ipv4Addr>(200, 0).addr;
    let mut bytes = ip(router, conn.local.addr, 1, &icmp);

    let plan = conn.icmp_to_client(bench.snap);
    apply_error(&mut bytes, 20, CsumState::Full, &plan).unwrap();
    let outer = Ipv4Addr::parse(&bytes).unwrap();
    assert_eq!((outer.src, outer.dst), (conn.virt.addr, conn.client.addr));
    assert_eq!(csum::Sum::ZERO.add_bytes(&bytes[20..]).fold(), 0xffff);
    assert_eq!(bytes[26..28], 1492_u16.to_be_bytes());
    let embedded = Ipv4Addr::parse(&bytes[28..]).unwrap();
    assert_eq!(
        (embedded.src, embedded.dst),
        (conn.client.addr, conn.virt.addr)
    );
    assert_eq!(bytes[48..50], conn.client.port.to_be_bytes());
    assert_eq!(bytes[50..52], conn.virt.port.to_be_bytes());
    assert_eq!(bytes[52..56], 5100_u32.to_be_bytes());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Whatever is sent after the handshake arrives with the right numbers and
    /// checksums, in both families.
    #[test]
    fn numbers_and_checksums_are_right_whatever_is_sent(
        client_isn in any::<u32>(),
        isn in any::<u32>(),
        segments in prop::collection::vec(
            (any::<bool>(), any::<u32>(), any::<u32>(), prop::collection::vec(any::<u8>(), 0..40)),
            1..8,
        ),
    ) {
        any_segments::<Ipv4Addr>(client_isn, isn, &segments);
        any_segments::<Ipv6Addr>(client_isn, isn, &segments);
    }
}

fn any_segments<A: Network>(client_isn: u32, isn: u32, segments: &[(bool, u32, u32, Vec<u8>)]) {
    let delta = isn.wrapping_sub(client_isn);
    let mut bench = Bench::<A, A>::new(Numbers { client_isn, isn });
    bench.send_in((SYN, client_isn, 0), SYN_OPTIONS, &[]);
    for (is_in, seq, ack, payload) in segments {
        let tcp = (ACK, *seq, *ack);
        if *is_in {
            let seen = bench.send_in(tcp, NO_OPTIONS, payload);
            assert_eq!((seen.seq, seen.ack), (seq.wrapping_add(delta), *ack));
            let first = *seq == client_isn.wrapping_add(1);
            let state = bench.snap.state;
            let again = match state.tcp() {
                TcpState::Established => false,
                TcpState::Close => true,
                _ => first,
            };
            assert_eq!(seen.toa.is_some(), !state.server_answered() || again);
        } else {
            let seen = bench.send_out(tcp, NO_OPTIONS, payload);
            assert_eq!((seen.seq, seen.ack), (*seq, ack.wrapping_sub(delta)));
        }
    }
}
