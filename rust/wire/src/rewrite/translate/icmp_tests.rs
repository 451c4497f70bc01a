// SPDX-License-Identifier: GPL-2.0

//! Errors against messages built anew, vectors, and each way to be refused.

use core::net::{Ipv4Addr, Ipv6Addr};
use proptest::prelude::*;
use std::vec::Vec;

use super::super::properties::{set_head, EXTRA};
use super::super::vectors::*;
use super::*;
use crate::addr::Endpoint;
use crate::ip::{self, TtlStep};
use crate::rewrite::icmp::tests::{any_error_plan, any_message, Message};
use crate::rewrite::CsumState;
use crate::testing::*;

/// Does what the caller of `translate_error` does.
fn carry_out<Old: TestNetwork, New: TestNetwork>(
    old: &[u8],
    icmp_offset: usize,
    plan: &ErrorPlan<New>,
) -> Result<Vec<u8>, Error> {
    let mut packet = [&vec![0xee; room::<Old, New>()], old].concat();
    let before = packet.clone();
    match translate_error::<Old, New>(&mut packet, icmp_offset, plan, EXTRA.id) {
        Ok(done) => Ok(packet[done.start..done.start + done.len].to_vec()),
        Err(error) => {
            assert_eq!(packet, before);
            Err(error)
        }
    }
}

/// Whether every checksum in an error that carries a whole packet is right.
fn check<A: TestNetwork>(packet: &[u8], embedded_is_whole: bool) {
    A::check_header(packet);
    let outer = A::parse(packet).unwrap();
    let message = &packet[A::HEADER_LEN..];
    let pseudo = match A::VERSION {
        6 => A::pseudo(outer.src, outer.dst, A::ICMP, message.len()),
        _ => vec![],
    };
    assert_eq!(sum(&[&pseudo, message].concat()), 0xffff, "ICMP");
    let embedded = A::parse(&message[8..]).unwrap();
    let l4 = &message[8 + A::HEADER_LEN..];
    if A::VERSION == 4 {
        assert_eq!(sum(&message[8..28]), 0xffff, "embedded IPv4 header");
    }
    if embedded_is_whole {
        let len = l4.len();
        let pseudo = A::pseudo(embedded.src, embedded.dst, embedded.protocol, len);
        assert_eq!(sum(&[&pseudo, l4].concat()), 0xffff, "embedded transport");
    }
}

fn equals_a_message_built_anew<Old: TestNetwork, New: TestNetwork>(
    before: &Message<Old>,
    plan: &ErrorPlan<New>,
    head: (u8, u8, [u8; 4]),
) {
    let old = before.build(CsumState::Full);
    let new = carry_out::<Old, New>(&old, before.icmp_offset(), plan).unwrap();
    let (seq, mut ack) = before.numbers;
    if before.flags & 0x10 != 0 && before.l4_len >= 16 {
        ack = ack.wrapping_add(plan.ack_add);
    }
    let after = Message {
        src: plan.src,
        dst: plan.dst,
        extra: vec![],
        head,
        embedded_src: plan.embedded_src,
        embedded_dst: plan.embedded_dst,
        embedded_extra: vec![],
        transport: before.transport,
        numbers: (seq.wrapping_add(plan.seq_add), ack),
        flags: before.flags,
        checksum: before.checksum,
        l4_len: before.l4_len,
    };
    let mut expected = after.build(CsumState::Full);
    // What an IPv4 header sums up to does not depend on what is in it, so that
    // the checksum of the message stays right.
    set_head::<New>(&mut expected, 0, 64, EXTRA.id);
    set_head::<New>(&mut expected[New::HEADER_LEN + 8..], 0, 64, 0);
    assert_eq!(new, expected);
    let has_checksum = before.checksum || before.transport == Transport::Tcp;
    check::<New>(&new, before.l4_len == 40 && has_checksum);
}

proptest! {
    #[test]
    fn any_error_to_ipv6(before in any_message::<Ipv4Addr>((3, 4, [0, 0, 5, 0xdc])), plan in any_error_plan::<Ipv6Addr>()) {
        // 20 more for the header, 20 less as the plan says.
        equals_a_message_built_anew(&before, &plan, (2, 0, [0, 0, 5, 0xdc]));
    }

    #[test]
    fn any_error_to_ipv4(before in any_message::<Ipv6Addr>((2, 0, [0, 0, 5, 0xdc])), plan in any_error_plan::<Ipv4Addr>()) {
        equals_a_message_built_anew(&before, &plan, (3, 4, [0, 0, 5, 0xb4]));
    }

    #[test]
    fn any_bytes_are_translated_or_refused_whole(
        before in any_message::<Ipv4Addr>((3, 3, [0; 4])),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        len in any::<prop::sample::Index>(),
        offset in prop_oneof![3 => Just(0usize), 1 => any::<usize>()],
        plan in any_error_plan::<Ipv6Addr>(),
    ) {
        let mut bytes = before.build(CsumState::Full);
        for (at, byte) in changes {
            *at.get_mut(&mut bytes) = byte;
        }
        bytes.truncate(len.index(bytes.len() + 1));
        let offset = before.icmp_offset().wrapping_add(offset);
        if let Ok(new) = carry_out::<Ipv4Addr, _>(&bytes, offset, &plan) {
            check::<Ipv6Addr>(&new, false);
        }
    }
}

fn to_client() -> ErrorPlan<Ipv6Addr> {
    let client = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7);
    let vip = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 1);
    ErrorPlan {
        src: vip,
        dst: client,
        ttl: TtlStep::Decrement,
        embedded_src: Endpoint::new(client, 12345),
        embedded_dst: Endpoint::new(vip, 443),
        seq_add: 500u32.wrapping_neg(),
        ack_add: 0,
        mtu_lower: 0,
    }
}

fn to_server() -> ErrorPlan<Ipv4Addr> {
    let (local, real) = (Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 1, 0, 2));
    ErrorPlan {
        src: local,
        dst: real,
        ttl: TtlStep::Decrement,
        embedded_src: Endpoint::new(real, 8443),
        embedded_dst: Endpoint::new(local, 61000),
        seq_add: 0,
        ack_add: 500,
        mtu_lower: 0,
    }
}

#[test]
fn a_client_is_told_what_fits_through_nat64() {
    let told = carry_out::<Ipv4Addr, _>(&TOO_BIG_V4, 20, &to_client());
    assert_eq!(told.unwrap(), TOO_BIG_TO_V6);
}

#[test]
fn a_server_is_told_what_fits_through_nat64() {
    let told = carry_out::<Ipv6Addr, _>(&TOO_BIG_V6, 40, &to_server());
    assert_eq!(told.unwrap(), TOO_BIG_TO_V4);
}

#[test]
fn every_truncation_is_named_and_nothing_is_written() {
    let named = |n: usize, error: Error, result: Result<Vec<u8>, Error>| {
        assert_eq!(result, Err(error), "{n} bytes");
    };
    use rewrite::Error as Re;
    for n in 0..56 {
        let expected = match n {
            0..28 => Re::Truncated,
            28..48 => Re::Embedded(ip::Error::Truncated),
            _ => Re::EmbeddedTransport,
        };
        let result = carry_out::<Ipv4Addr, _>(&TOO_BIG_V4[..n], 20, &to_client());
        named(n, expected.into(), result);
    }
    for n in 0..96 {
        let expected = match n {
            0..48 => Re::Truncated,
            48..88 => Re::Embedded(ip::Error::Truncated),
            _ => Re::EmbeddedTransport,
        };
        let result = carry_out::<Ipv6Addr, _>(&TOO_BIG_V6[..n], 40, &to_server());
        named(n, expected.into(), result);
    }
    assert!(carry_out::<Ipv4Addr, _>(&TOO_BIG_V4[..56], 20, &to_client()).is_ok());
    assert!(carry_out::<Ipv6Addr, _>(&TOO_BIG_V6[..96], 40, &to_server()).is_ok());
    // Not even the room.
    for n in 0..40 {
        let result = translate_error::<Ipv4Addr, _>(&mut [0; 40][..n], 20, &to_client(), 0);
        assert_eq!(result, Err(Re::Truncated.into()));
    }
}

#[test]
fn each_cause_has_its_error_and_nothing_is_written() {
    use rewrite::Error as Re;
    let refused = |at: usize, byte: u8, error: Error| {
        let mut packet = TOO_BIG_V4;
        packet[at] = byte;
        let result = carry_out::<Ipv4Addr, _>(&packet, 20, &to_client());
        assert_eq!(result, Err(error));
    };
    refused(0, 0x65, Error::Header(ip::Error::Version));
    refused(0, 0x44, Error::Header(ip::Error::HeaderLength));
    refused(6, 0x20, Error::Fragment);
    refused(8, 1, Re::TtlExpired.into());
    refused(20, 8, Re::NotAnError.into());
    refused(20, 5, Re::NotAnError.into()); // redirect
    refused(20, 4, Error::NoCounterpart); // source quench
    refused(21, 14, Error::NoCounterpart); // host precedence
    refused(28, 0x65, Re::Embedded(ip::Error::Version).into());
    refused(28 + 7, 1, Re::EmbeddedTransport.into()); // a later fragment
    refused(28 + 9, 132, Re::EmbeddedTransport.into()); // SCTP
}

#[test]
fn a_first_fragment_is_the_start_of_a_packet() {
    let mut packet = TOO_BIG_V4;
    packet[28 + 6] = 0x20;
    let told = carry_out::<Ipv4Addr, _>(&packet, 20, &to_client());
    assert_eq!(told.unwrap(), TOO_BIG_TO_V6);
}

/// The longest message about a whole segment.
fn long<A: TestNetwork>(src: A, dst: A, head: [u8; 8], payload: usize) -> Vec<u8> {
    let mut segment = tcp_segment((1, 2), 3, 4, 0x10, &[], &vec![7; payload]);
    fill_check(dst, src, 6, &mut segment);
    let embedded = A::packet(dst, src, 6, &[], &segment);
    A::packet(src, dst, A::ICMP, &[], &[&head[..], &embedded].concat())
}

#[test]
fn an_error_is_no_longer_than_it_may_be() {
    let (src, dst) = (Ipv4Addr::new(10, 9, 9, 9), Ipv4Addr::new(10, 0, 0, 1));
    let head = [3, 3, 0, 0, 0, 0, 0, 0];
    for (payload, len) in [(1171, 1279), (1172, 1280), (1173, 1280), (1400, 1280)] {
        let old = long(src, dst, head, payload);
        let new = carry_out::<Ipv4Addr, _>(&old, 20, &to_client()).unwrap();
        assert_eq!(new.len(), len);
        check::<Ipv6Addr>(&new, false);
    }
    let (src, dst) = (Ipv6Addr::LOCALHOST, Ipv6Addr::UNSPECIFIED);
    let head = [1, 4, 0, 0, 0, 0, 0, 0];
    for (payload, len) in [(507, 575), (508, 576), (509, 576), (1100, 576)] {
        let old = long(src, dst, head, payload);
        let new = carry_out::<Ipv6Addr, _>(&old, 40, &to_server()).unwrap();
        assert_eq!(new.len(), len);
        check::<Ipv4Addr>(&new, false);
    }
}

#[test]
fn extensions_are_left_out() {
    let (src, dst) = (Ipv4Addr::new(10, 9, 9, 9), Ipv4Addr::new(10, 0, 0, 1));
    // 32 words of the packet, then extensions.
    let old = long(src, dst, [11, 0, 0, 0, 0, 32, 0, 0], 400);
    let new = carry_out::<Ipv4Addr, _>(&old, 20, &to_client()).unwrap();
    assert_eq!(new.len(), 40 + 8 + 40 + 128 - 20);
    assert_eq!(new[40..42], [3, 0]);
    assert_eq!(new[44..48], [0; 4]);
    check::<Ipv6Addr>(&new, false);
    // A length beyond the message says nothing.
    let old = long(src, dst, [11, 0, 0, 0, 0, 200, 0, 0], 100);
    let new = carry_out::<Ipv4Addr, _>(&old, 20, &to_client()).unwrap();
    assert_eq!(new.len(), 40 + 8 + 40 + 20 + 100);
}
