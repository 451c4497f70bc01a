// SPDX-License-Identifier: GPL-2.0

//! The translation against packets built anew: whatever the plan, the result is
//! byte for byte the packet that one would have built from the start.

use core::net::{Ipv4Addr, Ipv6Addr};
use proptest::prelude::*;
use std::vec::Vec;

use super::*;
use crate::ip::TtlStep;
use crate::rewrite::apply::tests::{any_before, any_csum, any_plan, Before};
use crate::rewrite::options::plan as plan_options;
use crate::rewrite::{sack, TcpEdit};
use crate::testing::*;

pub(super) const EXTRA: Extra = Extra {
    id: 0x0707,
    aggregate: false,
    fragmented: false,
};

pub(super) fn place(l4_offset: usize, transport: Transport) -> Place {
    Place {
        l4_offset,
        transport,
        csum: CsumState::Full,
    }
}

/// Writes class and TTL into a header, and in IPv4 what the length says of
/// identification and DF, and the checksum.
pub(super) fn set_head<A: TestNetwork>(packet: &mut [u8], class: u8, ttl: u8, id: u16) {
    if A::VERSION == 6 {
        packet[0] = 0x60 | (class >> 4);
        packet[1] = (class << 4) | (packet[1] & 0x0f);
        packet[7] = ttl;
        return;
    }
    packet[1] = class;
    packet[8] = ttl;
    let len = u16::from_be_bytes([packet[2], packet[3]]);
    let (flags, id) = if len > 1260 { (0x40, 0) } else { (0, id) };
    packet[4..6].copy_from_slice(&id.to_be_bytes());
    packet[6..8].copy_from_slice(&[flags, 0]);
    packet[10..12].fill(0);
    let header_len = usize::from(packet[0] & 15) * 4;
    let check = !sum(&packet[..header_len]);
    packet[10..12].copy_from_slice(&check.to_be_bytes());
}

/// Does what the caller of `translate` does, step by step. Gives the options
/// too.
pub(super) fn carry_out<Old: TestNetwork, New: TestNetwork>(
    old: &[u8],
    place: Place,
    plan: &Plan<New>,
) -> (Vec<u8>, Vec<u8>) {
    let room = room::<Old, New>();
    let mut packet = [&vec![0xee; room], old].concat();
    let l4_at = room + place.l4_offset;
    if place.transport == Transport::Udp {
        let done =
            translate::<Old, New>(&mut packet[..l4_at + 8], place, plan, None, EXTRA).unwrap();
        packet.drain(..done.start);
        let l4 = &mut packet[New::HEADER_LEN..];
        let lacks = New::VERSION == 6 && place.csum == CsumState::Full && l4[6..8] == [0, 0];
        assert_eq!(done.needs_udp_checksum, lacks);
        if done.needs_udp_checksum {
            let payload = Sum::ZERO.add_bytes(&l4[8..]);
            finish_udp(l4, plan, payload).unwrap();
        }
        return (packet, Vec::new());
    }
    let old_end = l4_at + usize::from(packet[l4_at + 12] >> 4) * 4;
    let mut options = packet[l4_at + 20..old_end].to_vec();
    let edit = plan.tcp.filter(TcpEdit::changes_options);
    let Some(edit) = edit else {
        sack::shift(&mut options, plan.tcp.map_or(0, |edit| edit.sack_add));
        let done = translate::<Old, New>(&mut packet[..old_end], place, plan, None, EXTRA).unwrap();
        assert!(!done.needs_udp_checksum);
        packet.drain(..done.start);
        return (packet, options);
    };
    let is_syn = packet[l4_at + 13] & 2 != 0;
    let new = plan_options(&options, &edit, is_syn, 1000);
    let new_end = l4_at + 20 + new.as_slice().len();
    for _ in old_end..new_end {
        packet.insert(old_end, 0xee);
    }
    let header = &mut packet[..old_end.max(new_end)];
    let done = translate::<Old, New>(header, place, plan, Some(&new), EXTRA).unwrap();
    packet.drain(new_end.min(old_end)..old_end);
    packet.drain(..done.start);
    (packet, new.as_slice().to_vec())
}

fn equals_a_packet_built_anew<Old: TestNetwork, New: TestNetwork>(
    before: Before<Old>,
    csum: CsumState,
    plan: Plan<New>,
    class: u8,
    missing: bool,
) {
    let mut old = before.build(csum);
    set_head::<Old>(&mut old, class, 64, 0xabcd);
    let l4_at = before.l4_offset();
    let udp = before.transport == Transport::Udp;
    if missing && udp {
        old[l4_at + 6..l4_at + 8].fill(0);
    }
    let place = Place {
        csum,
        ..place(l4_at, before.transport)
    };
    let (new, options) = carry_out::<Old, New>(&old, place, &plan);
    New::check_header(&new);

    let edit = plan.tcp.unwrap_or_default();
    let (seq, mut ack) = before.numbers;
    if before.flags & 0x10 != 0 {
        ack = ack.wrapping_add(edit.ack_add);
    }
    let after = Before {
        src: plan.src,
        dst: plan.dst,
        extra: vec![],
        transport: before.transport,
        numbers: (seq.wrapping_add(edit.seq_add), ack),
        flags: before.flags,
        options,
        payload: before.payload,
    };
    // Towards IPv6 a missing checksum is computed.
    let csum_after = match (csum, New::VERSION, missing && udp) {
        (CsumState::Full, 4, true) => CsumState::None,
        _ => csum,
    };
    let mut expected = after.build(csum_after);
    if missing && udp && csum == CsumState::Partial {
        // Not missing there, but wrong, and to stay so.
        let at = New::HEADER_LEN + 6;
        expected[at..at + 2].copy_from_slice(&new[at..at + 2]);
    }
    let ttl = if plan.ttl == TtlStep::Keep { 64 } else { 63 };
    set_head::<New>(&mut expected, class, ttl, EXTRA.id);
    assert_eq!(new, expected);
}

fn any_transport() -> impl Strategy<Value = Transport> {
    prop_oneof![Just(Transport::Tcp), Just(Transport::Udp)]
}

fn any_packet<A: TestNetwork>() -> impl Strategy<Value = Before<A>> {
    any_transport().prop_flat_map(any_before)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_packet_to_ipv4(before in any_packet::<Ipv6Addr>(), csum in any_csum(), plan in any_plan::<Ipv4Addr>(), class in any::<u8>(), missing in any::<bool>()) {
        equals_a_packet_built_anew(before, csum, plan, class, missing);
    }

    #[test]
    fn any_packet_to_ipv6(before in any_packet::<Ipv4Addr>(), csum in any_csum(), plan in any_plan::<Ipv6Addr>(), class in any::<u8>(), missing in any::<bool>()) {
        equals_a_packet_built_anew(before, csum, plan, class, missing);
    }

    #[test]
    fn there_and_back_changes_nothing(before in any_packet::<Ipv6Addr>(), class in any::<u8>(), there in any_plan::<Ipv4Addr>()) {
        let before = Before { extra: vec![], ..before };
        let mut packet = before.build(CsumState::Full);
        set_head::<Ipv6Addr>(&mut packet, class, 64, 0);
        let add = there.tcp.unwrap_or_default();
        let edit = |seq_add: u32, ack_add: u32, sack_add: u32| Some(TcpEdit { seq_add, ack_add, sack_add, ..TcpEdit::default() });
        let there = Plan { ttl: TtlStep::Keep, tcp: edit(add.seq_add, add.ack_add, add.sack_add), ..there };
        let back = Plan {
            src: before.src,
            dst: before.dst,
            ttl: TtlStep::Keep,
            tcp: edit(add.seq_add.wrapping_neg(), add.ack_add.wrapping_neg(), add.sack_add.wrapping_neg()),
        };
        let (v4, _) = carry_out::<Ipv6Addr, Ipv4Addr>(&packet, place(40, before.transport), &there);
        let (v6, _) = carry_out::<Ipv4Addr, Ipv6Addr>(&v4, place(20, before.transport), &back);
        prop_assert_eq!(v6, packet);
    }

    #[test]
    fn any_bytes_are_translated_or_refused_whole(
        before in any_packet::<Ipv6Addr>(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        len in any::<prop::sample::Index>(),
        offset in prop_oneof![3 => Just(0usize), 1 => any::<usize>()],
        transport in any_transport(),
        plan in any_plan::<Ipv4Addr>(),
        csum in any_csum(),
    ) {
        let mut bytes = before.build(CsumState::Full);
        for (at, byte) in changes {
            *at.get_mut(&mut bytes) = byte;
        }
        bytes.truncate(len.index(bytes.len() + 1));
        let l4_offset = before.l4_offset().wrapping_add(offset);
        let at = Place { l4_offset, transport, csum };
        let new = plan_options(&before.options, &plan.tcp.unwrap_or_default(), true, 65535);
        for options in [None, Some(&new)] {
            let mut changed = bytes.clone();
            if translate::<Ipv6Addr, _>(&mut changed, at, &plan, options, EXTRA).is_err() {
                prop_assert_eq!(&changed, &bytes);
            }
        }
    }

    #[test]
    fn any_datagram_is_completed(before in any_before::<Ipv6Addr>(Transport::Udp), plan in any_plan::<Ipv6Addr>(), zero in any::<bool>()) {
        let mut payload = before.payload;
        let (src, dst) = (plan.src.addr, plan.dst.addr);
        if zero {
            // What makes the checksum come out as 0.
            payload.truncate(payload.len() & !1);
            let len = payload.len() + 10;
            let datagram = udp_datagram((1, 2), &[&payload[..], &[0, 0]].concat());
            let check = !sum(&[&Ipv6Addr::pseudo(src, dst, 17, len), &datagram[..]].concat());
            payload.extend(check.to_be_bytes());
        }
        let mut datagram = udp_datagram((1, 2), &payload);
        let mut expected = datagram.clone();
        finish_udp(&mut datagram, &plan, Sum::ZERO.add_bytes(&payload)).unwrap();
        fill_check(src, dst, 17, &mut expected);
        prop_assert_eq!(&datagram, &expected);
        if zero {
            prop_assert_eq!(&datagram[6..8], &[0xff, 0xff]);
        }
    }
}
