// SPDX-License-Identifier: GPL-2.0

//! ICMP errors: what their receiver finds in them is what plain code makes of
//! them, and checksums are as right, or as wrong, as they were.

use std::net::{Ipv4Addr, Ipv6Addr};

use arbitrary::Unstructured;
use lvs_wire::icmp::{ErrorKind, Kind, Message};
use lvs_wire::ip::{Network, TtlStep};
use lvs_wire::rewrite::icmp::{apply_error, ErrorPlan};
use lvs_wire::rewrite::CsumState;

use super::rewrite::prepare;
use crate::expected::{addresses, Checks};
use crate::input::{csum, error_plan, take};
use crate::reference::{add_to_number, mend, mend_header, set_word, word, Ip};

/// How, a plan, and a packet.
pub(super) fn run(data: &[u8]) {
    let mut u = Unstructured::new(data);
    let how: u8 = take(&mut u);
    match how & 1 {
        0 => family::<Ipv4Addr>(u, how >> 1),
        _ => family::<Ipv6Addr>(u, how >> 1),
    }
}

fn family<A: Network>(mut u: Unstructured<'_>, how: u8) {
    let plan = error_plan::<A>(&mut u);
    let mut packet = u.take_rest().to_vec();
    let state = csum(how);
    if how & 4 != 0 {
        mend_embedded(&mut packet, how & 8 != 0);
        prepare(&mut packet, state);
    }
    let at = A::parse(&packet).map_or(usize::from(how), |ip| ip.l4_offset);
    let old = packet.clone();
    match apply_error(&mut packet, at, state, &plan) {
        Err(error) => assert_eq!(packet, old, "written in spite of {error:?}"),
        Ok(()) if Ip::read(&old).is_some_and(|ip| ip.version == A::VERSION) => {
            check(&old, &packet, state, &plan);
        }
        Ok(()) => {}
    }
}

/// Makes the checksums of the packet in an error right; if it is `whole`, that
/// of its transport too.
pub(super) fn mend_embedded(packet: &mut [u8], whole: bool) {
    let Some(outer) = Ip::read(packet) else {
        return;
    };
    let Some(embedded) = packet.get_mut(outer.l4 + 8..) else {
        return;
    };
    if whole {
        mend(embedded);
    } else if let Some(ip) = Ip::read(embedded) {
        mend_header(embedded, &ip);
    }
}

fn check<A: Network>(old: &[u8], new: &[u8], state: CsumState, plan: &ErrorPlan<A>) {
    let outer = Ip::read(old).unwrap();
    assert_eq!(Ip::read(new), Some(outer), "the outer header says the same");
    assert_eq!(outer.header_ok(old), outer.header_ok(new), "outer checksum");
    // The ICMP checksum needs the protocol only for the pseudo header.
    let icmp = Ip {
        protocol: A::ICMP,
        ..outer
    };
    let state_here = match (A::VERSION, state) {
        // ICMP of IPv4 has no pseudo header, so that there is nothing to keep.
        (4, CsumState::Partial) => CsumState::None,
        _ => state,
    };
    if outer.protocol == A::ICMP {
        let checks = Checks::of(old, &icmp, state_here);
        assert_eq!(Checks::of(new, &icmp, state_here), checks, "ICMP checksum");
    }
    let mut expected = old.to_vec();
    addresses(&mut expected, &outer, plan.src, plan.dst);
    expected[outer.ttl_at()] -= u8::from(plan.ttl == TtlStep::Decrement);
    mtu::<A>(&mut expected[outer.l4..], plan.mtu_lower);
    let at = outer.l4 + 8;
    let ip = Ip::read(&old[at..]).expect("the packet in it has been read");
    embedded(&mut expected[at..], &ip, plan);
    copy(&mut expected, new, &[outer.l4 + 2]);
    if outer.version == 4 {
        copy(&mut expected, new, &[10, at + 10]);
    }
    assert_eq!(
        ip.header_ok(&old[at..]),
        ip.header_ok(&new[at..]),
        "embedded checksum"
    );
    let checks = Checks::of(&old[at..], &ip, CsumState::Full);
    assert_eq!(
        Checks::of(&new[at..], &ip, CsumState::Full),
        checks,
        "embedded transport checksum"
    );
    let check_at = at + ip.l4 + if ip.protocol == 6 { 16 } else { 6 };
    if old.len() >= check_at + 2 {
        copy(&mut expected, new, &[check_at]);
    }
    assert_eq!(new, expected);
}

/// The MTU that is told.
fn mtu<A: Network>(message: &mut [u8], lower: u16) {
    let fixed: [u8; 8] = message[..8].try_into().unwrap();
    let parsed = Message::<A>::parse(&fixed).unwrap();
    if let Kind::Error(ErrorKind::TooBig { mtu }) = parsed.kind() {
        let least = mtu.min(if A::VERSION == 4 { 68 } else { 1280 });
        let new = mtu.saturating_sub(u32::from(lower)).max(least);
        match A::VERSION {
            4 => set_word(message, 6, u16::try_from(new).unwrap()),
            _ => message[4..8].copy_from_slice(&new.to_be_bytes()),
        }
    }
}

/// What becomes of the packet in an error, as far as it is there; its checksums
/// stay.
pub(super) fn embedded<A: Network>(packet: &mut [u8], ip: &Ip, plan: &ErrorPlan<A>) {
    addresses(packet, ip, plan.embedded_src.addr, plan.embedded_dst.addr);
    embedded_transport(&mut packet[ip.l4..], ip.protocol, plan);
}

/// The same of its transport header.
pub(super) fn embedded_transport<A>(l4: &mut [u8], protocol: u8, plan: &ErrorPlan<A>) {
    set_word(l4, 0, plan.embedded_src.port);
    set_word(l4, 2, plan.embedded_dst.port);
    if protocol == 6 {
        add_to_number(l4, 4, plan.seq_add);
        // Whether there is an acknowledgment is said behind it.
        if l4.len() >= 16 && l4[13] & 0x10 != 0 {
            add_to_number(l4, 8, plan.ack_add);
        }
    }
}

fn copy(expected: &mut [u8], from: &[u8], places: &[usize]) {
    for at in places {
        set_word(expected, *at, word(from, *at));
    }
}
