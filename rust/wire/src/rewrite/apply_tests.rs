// SPDX-License-Identifier: GPL-2.0

//! The rewriting against packets built anew: whatever the plan, the result is
//! byte for byte the packet that one would have built from the start.

use core::net::{Ipv4Addr, Ipv6Addr};
use proptest::prelude::*;
use std::vec::Vec;

use super::super::options::plan as plan_options;
use super::super::options::properties::{any_edit, any_numbers, any_options};
use super::*;
use crate::testing::*;

/// A TCP or UDP packet before the rewriting.
#[derive(Clone, Debug)]
pub(crate) struct Before<A> {
    pub(crate) src: Endpoint<A>,
    pub(crate) dst: Endpoint<A>,
    pub(crate) extra: Vec<u8>,
    pub(crate) transport: Transport,
    pub(crate) numbers: (u32, u32),
    pub(crate) flags: u8,
    pub(crate) options: Vec<u8>,
    pub(crate) payload: Vec<u8>,
}

pub(crate) fn any_before<A: TestNetwork>(transport: Transport) -> impl Strategy<Value = Before<A>> {
    let ends = (any_endpoint(), any_endpoint());
    let segment = (any::<(u32, u32)>(), any::<u8>(), any_options());
    let payload = proptest::collection::vec(any::<u8>(), 0..50);
    (ends, A::any_extra(), segment, payload).prop_map(
        move |((src, dst), extra, (numbers, flags, options), payload)| Before {
            src,
            dst,
            extra,
            transport,
            numbers,
            flags,
            options,
            payload,
        },
    )
}

pub(crate) fn any_plan<A: TestNetwork>() -> impl Strategy<Value = Plan<A>> {
    let ttl = prop_oneof![Just(TtlStep::Keep), Just(TtlStep::Decrement)];
    let edit = prop_oneof![any_numbers(), any_edit()];
    let tcp = proptest::option::of(edit);
    (any_endpoint(), any_endpoint(), ttl, tcp).prop_map(|(src, dst, ttl, tcp)| Plan {
        src,
        dst,
        ttl,
        tcp,
    })
}

pub(crate) fn any_csum() -> impl Strategy<Value = CsumState> {
    prop_oneof![
        Just(CsumState::Full),
        Just(CsumState::Partial),
        Just(CsumState::None)
    ]
}

impl<A: TestNetwork> Before<A> {
    pub(crate) fn l4_offset(&self) -> usize {
        A::HEADER_LEN + self.extra.len()
    }

    pub(crate) fn build(&self, csum: CsumState) -> Vec<u8> {
        let ports = (self.src.port, self.dst.port);
        let mut l4 = match self.transport {
            Transport::Udp => udp_datagram(ports, &self.payload),
            Transport::Tcp => {
                let (seq, ack) = self.numbers;
                tcp_segment(ports, seq, ack, self.flags, &self.options, &self.payload)
            }
        };
        let protocol = self.transport.protocol();
        match csum {
            CsumState::Full => fill_check(self.src.addr, self.dst.addr, protocol, &mut l4),
            CsumState::Partial => fill_partial(self.src.addr, self.dst.addr, protocol, &mut l4),
            CsumState::None => {}
        }
        A::packet(self.src.addr, self.dst.addr, protocol, &self.extra, &l4)
    }

    /// The packet that the plan asks for, apart from its TTL.
    fn after(&self, plan: &Plan<A>, options: Vec<u8>) -> Self {
        let edit = plan.tcp.unwrap_or_default();
        let (seq, mut ack) = self.numbers;
        if self.flags & 0x10 != 0 {
            ack = ack.wrapping_add(edit.ack_add);
        }
        Before {
            src: plan.src,
            dst: plan.dst,
            numbers: (seq.wrapping_add(edit.seq_add), ack),
            options,
            ..self.clone()
        }
    }
}

/// Does what the caller of `apply` does: plans, makes room, applies, closes the gap.
fn rewrite<A: TestNetwork>(
    before: &Before<A>,
    csum: CsumState,
    plan: &Plan<A>,
) -> (Vec<u8>, Vec<u8>) {
    let mut packet = before.build(csum);
    let place = Place {
        l4_offset: before.l4_offset(),
        transport: before.transport,
        csum,
    };
    let is_syn = before.flags & 2 != 0;
    let edit = plan.tcp.filter(|edit| edit.changes_options());
    let edit = edit.filter(|_| before.transport == Transport::Tcp);
    let Some(edit) = edit else {
        let mut options = before.options.clone();
        sack::shift(&mut options, plan.tcp.map_or(0, |edit| edit.sack_add));
        apply(&mut packet, place, plan, None).unwrap();
        return (packet, options);
    };
    let new = plan_options(&before.options, &edit, is_syn, 1000);
    let old_end = place.l4_offset + 20 + before.options.len();
    let grow = new.grow(before.options.len());
    for _ in 0..grow {
        packet.insert(old_end, 0xee);
    }
    let header_len = old_end.max(old_end.checked_add_signed(grow as isize).unwrap());
    apply(&mut packet[..header_len], place, plan, Some(&new)).unwrap();
    packet.drain(old_end.min(old_end.checked_add_signed(grow as isize).unwrap())..old_end);
    (packet, new.as_slice().to_vec())
}

fn equals_a_packet_built_anew<A: TestNetwork>(before: Before<A>, csum: CsumState, plan: Plan<A>) {
    let (mut rewritten, options) = rewrite(&before, csum, &plan);
    A::check_header(&rewritten);
    let ttl = A::parse(&rewritten).unwrap().ttl;
    assert_eq!(ttl, if plan.ttl == TtlStep::Keep { 64 } else { 63 });
    let mut expected = before.after(&plan, options).build(csum);
    // The TTL, and with it IPv4's checksum, have been checked.
    if A::VERSION == 4 {
        expected[8..12].copy_from_slice(&rewritten[8..12]);
    } else {
        rewritten[7] = 64;
    }
    assert_eq!(rewritten, expected);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_ipv4_segment(before in any_before::<Ipv4Addr>(Transport::Tcp), csum in any_csum(), plan in any_plan()) {
        equals_a_packet_built_anew(before, csum, plan);
    }

    #[test]
    fn any_ipv6_segment(before in any_before::<Ipv6Addr>(Transport::Tcp), csum in any_csum(), plan in any_plan()) {
        equals_a_packet_built_anew(before, csum, plan);
    }

    #[test]
    fn any_ipv4_datagram(before in any_before::<Ipv4Addr>(Transport::Udp), csum in any_csum(), plan in any_plan()) {
        equals_a_packet_built_anew(before, csum, plan);
    }

    #[test]
    fn any_ipv6_datagram(before in any_before::<Ipv6Addr>(Transport::Udp), csum in any_csum(), plan in any_plan()) {
        equals_a_packet_built_anew(before, csum, plan);
    }

    #[test]
    fn any_bytes_are_rewritten_or_refused_whole(
        bytes in proptest::collection::vec(any::<u8>(), 0..120),
        l4_offset in 0usize..130,
        is_tcp in any::<bool>(),
        plan in any_plan::<Ipv4Addr>(),
        csum in any_csum(),
        options in any_options(),
    ) {
        let transport = if is_tcp { Transport::Tcp } else { Transport::Udp };
        let place = Place { l4_offset, transport, csum };
        let edit = plan.tcp.unwrap_or_default();
        let new = plan_options(&options, &edit, true, 65535);
        for options in [None, Some(&new)] {
            let mut changed = bytes.clone();
            if apply(&mut changed, place, &plan, options).is_err() {
                prop_assert_eq!(&changed, &bytes);
            }
        }
    }
}

fn v4_segment(options: &[u8]) -> Before<Ipv4Addr> {
    Before {
        src: Endpoint::new(Ipv4Addr::new(192, 0, 2, 7), 12345),
        dst: Endpoint::new(Ipv4Addr::new(198, 51, 100, 1), 443),
        extra: vec![],
        transport: Transport::Tcp,
        numbers: (1000, 2000),
        flags: 0x10,
        options: options.to_vec(),
        payload: b"hello".to_vec(),
    }
}

fn fullnat() -> Plan<Ipv4Addr> {
    Plan {
        src: Endpoint::new(Ipv4Addr::new(10, 0, 0, 1), 61000),
        dst: Endpoint::new(Ipv4Addr::new(10, 1, 0, 2), 8443),
        ttl: TtlStep::Decrement,
        tcp: Some(TcpEdit {
            seq_add: 500,
            sack_add: 1,
            ..TcpEdit::default()
        }),
    }
}

const PLACE: Place = Place {
    l4_offset: 20,
    transport: Transport::Tcp,
    csum: CsumState::Full,
};

#[test]
fn a_segment_through_fullnat() {
    let (packet, _) = rewrite(&v4_segment(&[]), CsumState::Full, &fullnat());
    #[rustfmt::skip]
    let expected = [
        0x45, 0x00, 0x00, 0x2d, 0xab, 0xcd, 0x40, 0x00, // total length 45, identification, DF
        0x3f, 0x06, 0x7b, 0xfa, // TTL 63, TCP, checksum
        10, 0, 0, 1, 10, 1, 0, 2, // addresses
        0xee, 0x48, 0x20, 0xfb, // 61000 to 8443
        0x00, 0x00, 0x05, 0xdc, 0x00, 0x00, 0x07, 0xd0, // sequence 1500, acknowledgment 2000
        0x50, 0x10, 0x12, 0x34, 0x28, 0xcf, 0x00, 0x07, // 20 bytes, ACK, window, checksum, urgent
        b'h', b'e', b'l', b'l', b'o',
    ];
    assert_eq!(packet, expected);
}

#[test]
fn every_truncation_is_named_and_nothing_is_written() {
    let options = [1, 1, 5, 10, 0, 0, 0, 1, 0, 0, 0, 2];
    let packet = v4_segment(&options).build(CsumState::Full);
    let new = plan_options(&options, &fullnat().tcp.unwrap(), false, 100);
    for n in 0..52 {
        for options in [None, Some(&new)] {
            let mut short = packet[..n].to_vec();
            assert_eq!(
                apply(&mut short, PLACE, &fullnat(), options),
                Err(Error::Truncated)
            );
            assert_eq!(short, packet[..n]);
        }
    }
    let udp = Place {
        transport: Transport::Udp,
        ..PLACE
    };
    for n in 0..28 {
        let mut short = packet[..n].to_vec();
        assert_eq!(
            apply(&mut short, udp, &fullnat(), None),
            Err(Error::Truncated)
        );
        assert_eq!(short, packet[..n]);
    }
    // A transport header inside the IP header cannot be.
    let inside = Place {
        l4_offset: 19,
        ..PLACE
    };
    assert_eq!(
        apply(&mut packet.clone(), inside, &fullnat(), None),
        Err(Error::Truncated)
    );
}

#[test]
fn each_cause_has_its_error_and_nothing_is_written() {
    let new = plan_options(&[], &fullnat().tcp.unwrap(), false, 100);
    let refused = |change: &dyn Fn(&mut Vec<u8>), options, error| {
        let mut packet = v4_segment(&[5, 10, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0]).build(CsumState::Full);
        change(&mut packet);
        let before = packet.clone();
        assert_eq!(apply(&mut packet, PLACE, &fullnat(), options), Err(error));
        assert_eq!(packet, before);
    };
    refused(&|p| p[8] = 1, None, Error::TtlExpired);
    refused(&|p| p[32] = 0x40, None, Error::DataOffset);
    refused(&|p| p[32] = 0x40, Some(&new), Error::DataOffset);
    let toa = Endpoint::new(Ipv4Addr::new(192, 0, 2, 7), 12345).into();
    let edit = TcpEdit {
        toa: Some(toa),
        toa_kind: 254,
        ..TcpEdit::default()
    };
    let longer = plan_options(&[5, 10, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0], &edit, false, 100);
    let at_most = |packet: &mut Vec<u8>| {
        packet[2..4].fill(0xff);
        packet.extend([0; 8]);
    };
    refused(&at_most, Some(&longer), Error::TooLong);
}

#[test]
fn a_big_tcp_aggregate_keeps_its_empty_length() {
    let mut packet = v4_segment(&[]).build(CsumState::Partial);
    packet[2..4].fill(0);
    let place = Place {
        csum: CsumState::Partial,
        ..PLACE
    };
    apply(&mut packet, place, &fullnat(), None).unwrap();
    assert_eq!(packet[2..4], [0, 0]);
}

#[test]
fn a_missing_udp_checksum_stays_missing_and_damage_stays_visible() {
    let before = Before {
        transport: Transport::Udp,
        ..v4_segment(&[])
    };
    let place = Place {
        transport: Transport::Udp,
        ..PLACE
    };
    let mut packet = before.build(CsumState::None);
    apply(&mut packet, place, &fullnat(), None).unwrap();
    assert_eq!(packet[26..28], [0, 0]);

    let mut packet = before.build(CsumState::Full);
    packet[30] ^= 0x40;
    apply(&mut packet, place, &fullnat(), None).unwrap();
    let (src, dst) = (fullnat().src.addr, fullnat().dst.addr);
    assert!(!crate::csum::verify(src, dst, 17, &packet[20..]));
    packet[30] ^= 0x40;
    assert!(crate::csum::verify(src, dst, 17, &packet[20..]));
}

#[test]
fn a_transport_has_its_protocol_number() {
    for transport in [Transport::Tcp, Transport::Udp] {
        assert_eq!(
            Transport::from_protocol(transport.protocol()),
            Some(transport)
        );
    }
    assert_eq!(Transport::from_protocol(132), None);
}
