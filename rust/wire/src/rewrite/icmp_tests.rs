// SPDX-License-Identifier: GPL-2.0

//! ICMP errors against messages built anew, and each way to be refused.

use core::net::{Ipv4Addr, Ipv6Addr};
use proptest::prelude::*;
use std::vec::Vec;

use super::*;
use crate::ip;
use crate::testing::*;

/// An ICMP error before the rewriting.
#[derive(Clone, Debug)]
pub(crate) struct Message<A> {
    pub(crate) src: A,
    pub(crate) dst: A,
    pub(crate) extra: Vec<u8>,
    /// Type, code, and the four bytes behind the checksum.
    pub(crate) head: (u8, u8, [u8; 4]),
    pub(crate) embedded_src: Endpoint<A>,
    pub(crate) embedded_dst: Endpoint<A>,
    pub(crate) embedded_extra: Vec<u8>,
    pub(crate) transport: Transport,
    pub(crate) numbers: (u32, u32),
    pub(crate) flags: u8,
    pub(crate) checksum: bool,
    /// Bytes of the embedded transport header and payload that are there.
    pub(crate) l4_len: usize,
}

impl<A: TestNetwork> Message<A> {
    pub(crate) fn icmp_offset(&self) -> usize {
        A::HEADER_LEN + self.extra.len()
    }

    pub(crate) fn build(&self, csum: CsumState) -> Vec<u8> {
        let (src, dst) = (self.embedded_src, self.embedded_dst);
        let ports = (src.port, dst.port);
        let (seq, ack) = self.numbers;
        let mut l4 = match self.transport {
            Transport::Tcp => tcp_segment(ports, seq, ack, self.flags, &[1; 4], &[9; 16]),
            Transport::Udp => udp_datagram(ports, &[9; 32]),
        };
        let protocol = self.transport.protocol();
        if self.checksum || self.transport == Transport::Tcp {
            fill_check(src.addr, dst.addr, protocol, &mut l4);
        }
        let embedded = A::packet(src.addr, dst.addr, protocol, &self.embedded_extra, &l4);
        let left_out = l4.len() - self.l4_len;

        let (kind, code, rest) = self.head;
        let mut message = vec![kind, code, 0, 0];
        message.extend(rest);
        message.extend(&embedded[..embedded.len() - left_out]);
        match (csum, A::ICMP_PSEUDO) {
            (CsumState::Full, true) => fill_check(self.src, self.dst, A::ICMP, &mut message),
            (CsumState::Full, false) => {
                let check = !sum(&message);
                message[2..4].copy_from_slice(&check.to_be_bytes());
            }
            (CsumState::Partial, true) => fill_partial(self.src, self.dst, A::ICMP, &mut message),
            _ => {}
        }
        A::packet(self.src, self.dst, A::ICMP, &self.extra, &message)
    }

    /// The message that the plan asks for.
    fn after(&self, plan: &ErrorPlan<A>, head: (u8, u8, [u8; 4])) -> Self {
        let (seq, mut ack) = self.numbers;
        if self.flags & 0x10 != 0 && self.l4_len >= 16 {
            ack = ack.wrapping_add(plan.ack_add);
        }
        Message {
            src: plan.src,
            dst: plan.dst,
            head,
            embedded_src: plan.embedded_src,
            embedded_dst: plan.embedded_dst,
            numbers: (seq.wrapping_add(plan.seq_add), ack),
            ..self.clone()
        }
    }
}

pub(crate) fn any_message<A: TestNetwork>(
    head: (u8, u8, [u8; 4]),
) -> impl Strategy<Value = Message<A>> {
    let outer = (A::any_addr(), A::any_addr(), A::any_extra());
    let inner = (any_endpoint(), any_endpoint(), A::any_extra());
    let transport = prop_oneof![Just(Transport::Tcp), Just(Transport::Udp)];
    // Half a checksum could not be updated.
    let l4_len = (4usize..=20).prop_map(|half| half * 2);
    let rest = (
        transport,
        any::<(u32, u32)>(),
        any::<u8>(),
        any::<bool>(),
        l4_len,
    );
    (outer, inner, rest).prop_map(move |((src, dst, extra), inner, rest)| {
        let (embedded_src, embedded_dst, embedded_extra) = inner;
        let (transport, numbers, flags, checksum, l4_len) = rest;
        Message {
            src,
            dst,
            extra,
            head,
            embedded_src,
            embedded_dst,
            embedded_extra,
            transport,
            numbers,
            flags,
            checksum,
            l4_len,
        }
    })
}

pub(crate) fn any_error_plan<A: TestNetwork>() -> impl Strategy<Value = ErrorPlan<A>> {
    let ends = (A::any_addr(), A::any_addr(), any_endpoint(), any_endpoint());
    (ends, any::<(u32, u32)>()).prop_map(|((src, dst, embedded_src, embedded_dst), numbers)| {
        ErrorPlan {
            src,
            dst,
            ttl: TtlStep::Keep,
            embedded_src,
            embedded_dst,
            seq_add: numbers.0,
            ack_add: numbers.1,
            mtu_lower: 20,
        }
    })
}

fn any_csum() -> impl Strategy<Value = CsumState> {
    prop_oneof![
        Just(CsumState::Full),
        Just(CsumState::Partial),
        Just(CsumState::None)
    ]
}

fn equals_a_message_built_anew<A: TestNetwork>(
    before: &Message<A>,
    csum: CsumState,
    plan: &ErrorPlan<A>,
    head: (u8, u8, [u8; 4]),
) {
    let mut packet = before.build(csum);
    apply_error(&mut packet, before.icmp_offset(), csum, plan).unwrap();
    assert_eq!(packet, before.after(plan, head).build(csum));
}

const TOO_BIG_V4: (u8, u8, [u8; 4]) = (3, 4, [0, 0, 0x05, 0xdc]);
const LOWERED_V4: (u8, u8, [u8; 4]) = (3, 4, [0, 0, 0x05, 0xc8]);
const TOO_BIG_V6: (u8, u8, [u8; 4]) = (2, 0, [0, 0, 0x05, 0xdc]);
const LOWERED_V6: (u8, u8, [u8; 4]) = (2, 0, [0, 0, 0x05, 0xc8]);
const UNREACHABLE_V4: (u8, u8, [u8; 4]) = (3, 3, [0; 4]);

proptest! {
    #[test]
    fn any_ipv4_error(before in any_message::<Ipv4Addr>(TOO_BIG_V4), csum in any_csum(), plan in any_error_plan()) {
        equals_a_message_built_anew(&before, csum, &plan, LOWERED_V4);
    }

    #[test]
    fn any_ipv6_error(before in any_message::<Ipv6Addr>(TOO_BIG_V6), csum in any_csum(), plan in any_error_plan()) {
        equals_a_message_built_anew(&before, csum, &plan, LOWERED_V6);
    }

    #[test]
    fn any_bytes_are_rewritten_or_refused_whole(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..120),
        is_ipv4 in any::<bool>(),
        plan in any_error_plan::<Ipv4Addr>(),
        csum in any_csum(),
    ) {
        if let (true, Some(fixed)) = (is_ipv4, bytes.get_mut(20..29)) {
            fixed.copy_from_slice(&[3, 3, 0, 0, 0, 0, 0, 0, 0x45]);
        }
        let before = bytes.clone();
        if apply_error(&mut bytes, 20, csum, &plan).is_err() {
            prop_assert_eq!(bytes, before);
        }
    }
}

/// A router reports to a local address, of a segment to a real server.
fn message() -> Message<Ipv4Addr> {
    Message {
        src: Ipv4Addr::new(10, 9, 9, 9),
        dst: Ipv4Addr::new(10, 0, 0, 1),
        extra: vec![],
        head: UNREACHABLE_V4,
        embedded_src: Endpoint::new(Ipv4Addr::new(10, 0, 0, 1), 61000),
        embedded_dst: Endpoint::new(Ipv4Addr::new(10, 1, 0, 2), 8443),
        embedded_extra: vec![],
        transport: Transport::Tcp,
        numbers: (1500, 2000),
        flags: 0x10,
        checksum: true,
        l4_len: 8,
    }
}

/// To the client, of its segment to the virtual service.
fn to_client() -> ErrorPlan<Ipv4Addr> {
    ErrorPlan {
        src: Ipv4Addr::new(198, 51, 100, 1),
        dst: Ipv4Addr::new(192, 0, 2, 7),
        ttl: TtlStep::Decrement,
        embedded_src: Endpoint::new(Ipv4Addr::new(192, 0, 2, 7), 12345),
        embedded_dst: Endpoint::new(Ipv4Addr::new(198, 51, 100, 1), 443),
        seq_add: 500u32.wrapping_neg(),
        ack_add: 0,
        mtu_lower: 8,
    }
}

#[test]
fn an_error_through_fullnat() {
    let mut packet = message().build(CsumState::Full);
    apply_error(&mut packet, 20, CsumState::Full, &to_client()).unwrap();
    #[rustfmt::skip]
    let expected = [
        0x45, 0x00, 0x00, 0x38, 0xab, 0xcd, 0x40, 0x00, // total length 56, identification, DF
        0x3f, 0x01, 0xa3, 0xbb, // TTL 63, ICMP, checksum
        198, 51, 100, 1, 192, 0, 2, 7, // the virtual service tells the client
        0x03, 0x03, 0xc7, 0x20, 0, 0, 0, 0, // port unreachable, checksum
        0x45, 0x00, 0x00, 0x3c, 0xab, 0xcd, 0x40, 0x00, // the client's own segment
        0x40, 0x06, 0xa2, 0xb2, // TTL, TCP, checksum
        192, 0, 2, 7, 198, 51, 100, 1, // addresses
        0x30, 0x39, 0x01, 0xbb, // 12345 to 443
        0x00, 0x00, 0x03, 0xe8, // sequence 1000, as the client counts
    ];
    assert_eq!(packet, expected);
}

#[test]
fn the_mtu_is_lowered_to_what_a_link_must_carry() {
    assert_eq!(lowered_mtu::<Ipv4Addr>(1500, 8), 1492);
    assert_eq!(lowered_mtu::<Ipv4Addr>(70, 8), 68);
    assert_eq!(lowered_mtu::<Ipv4Addr>(0, 8), 0);
    assert_eq!(lowered_mtu::<Ipv6Addr>(1290, 20), 1280);
    assert_eq!(lowered_mtu::<Ipv6Addr>(1000, 20), 1000);
    assert_eq!(lowered_mtu::<Ipv6Addr>(u32::MAX, 20), u32::MAX - 20);
}

#[test]
fn every_truncation_is_named_and_nothing_is_written() {
    let packet = message().build(CsumState::Full);
    for n in 0..packet.len() {
        let expected = match n {
            0..28 => Error::Truncated,
            28..48 => Error::Embedded(ip::Error::Truncated),
            _ => Error::EmbeddedTransport,
        };
        let mut short = packet[..n].to_vec();
        let result = apply_error(&mut short, 20, CsumState::Full, &to_client());
        assert_eq!(result, Err(expected), "{n} bytes");
        assert_eq!(short, packet[..n]);
    }
}

#[test]
fn each_cause_has_its_error_and_nothing_is_written() {
    let refused = |at: usize, byte: u8, error| {
        let mut packet = message().build(CsumState::Full);
        packet[at] = byte;
        let before = packet.clone();
        let result = apply_error(&mut packet, 20, CsumState::Full, &to_client());
        assert_eq!(result, Err(error));
        assert_eq!(packet, before);
    };
    refused(8, 1, Error::TtlExpired);
    refused(20, 8, Error::NotAnError);
    refused(28, 0x65, Error::Embedded(ip::Error::Version));
    refused(28 + 7, 1, Error::EmbeddedTransport); // a later fragment
    refused(28 + 9, 132, Error::EmbeddedTransport); // SCTP
    let mut packet = message().build(CsumState::Full);
    let result = apply_error(&mut packet, 19, CsumState::Full, &to_client());
    assert!(matches!(result, Err(Error::NotAnError | Error::Truncated)));
}

#[test]
fn the_head_of_a_header_has_each_error_of_its_own() {
    assert_eq!(Error::from(ip::HeadError::Truncated), Error::Truncated);
    assert_eq!(Error::from(ip::HeadError::TooLong), Error::TooLong);
}

#[test]
fn rewriting_there_and_back_changes_nothing() {
    let before = Message {
        l4_len: 40,
        ..message()
    };
    let mut packet = before.build(CsumState::Full);
    let there = ErrorPlan {
        ttl: TtlStep::Keep,
        ack_add: 77,
        ..to_client()
    };
    apply_error(&mut packet, 20, CsumState::Full, &there).unwrap();
    let back = ErrorPlan {
        src: before.src,
        dst: before.dst,
        embedded_src: before.embedded_src,
        embedded_dst: before.embedded_dst,
        seq_add: there.seq_add.wrapping_neg(),
        ack_add: there.ack_add.wrapping_neg(),
        ..there
    };
    apply_error(&mut packet, 20, CsumState::Full, &back).unwrap();
    assert_eq!(packet, before.build(CsumState::Full));
}
