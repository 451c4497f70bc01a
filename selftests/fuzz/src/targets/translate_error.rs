// SPDX-License-Identifier: GPL-2.0

//! ICMP errors of one IP version become errors of the other: well-formed, with
//! right checksums, of a length that their receivers heed, and with the packet
//! in them that their receiver has sent.

use std::net::{Ipv4Addr, Ipv6Addr};

use arbitrary::Unstructured;
use lvs_wire::icmp::{Kind, Message};
use lvs_wire::ip::{Network, TtlStep};
use lvs_wire::rewrite::icmp::ErrorPlan;
use lvs_wire::rewrite::translate::icmp::{room, translate_error};
use lvs_wire::rewrite::translate::Error;
use lvs_wire::rewrite::CsumState;

use super::icmp_error::{embedded_transport, mend_embedded};
use super::translate::refused;
use crate::expected::Checks;
use crate::input::{error_plan, take};
use crate::reference::{mend, word, Ip};
use crate::rfc7915::{self, may_be_translated, packet_in};

/// How, a plan, how much is to be added to the end, and a packet.
pub(super) fn run(data: &[u8]) {
    let mut u = Unstructured::new(data);
    let (how, id): (u8, u16) = (take(&mut u), take(&mut u));
    match how & 1 {
        0 => between::<Ipv4Addr, Ipv6Addr>(u, how >> 1, id),
        _ => between::<Ipv6Addr, Ipv4Addr>(u, how >> 1, id),
    }
}

fn between<Old: Network, New: Network>(mut u: Unstructured<'_>, how: u8, id: u16) {
    let plan = error_plan::<New>(&mut u);
    let more: u16 = take(&mut u);
    let mut old = u.take_rest().to_vec();
    old.extend(std::iter::repeat_n(0x5a, usize::from(more % 2048)));
    if how & 4 != 0 {
        mend_embedded(&mut old, how & 8 != 0);
        mend(&mut old);
    }
    let at = Old::parse(&old).map_or(usize::from(how), |ip| ip.l4_offset);
    let mut packet = [&vec![0xee; room::<Old, New>()], &old[..]].concat();
    let before = packet.clone();
    match translate_error::<Old, New>(&mut packet, at, &plan, id) {
        Err(error) => {
            assert_eq!(packet, before, "written in spite of {error:?}");
            refused(&old, error);
            if error == Error::NoCounterpart {
                let outer = Ip::read(&old).unwrap();
                let message = &old[outer.l4..];
                let about = Ip::read(packet_in(outer.version, message)).unwrap();
                assert_eq!(rfc7915::error(message, &about, plan.mtu_lower), None);
            }
        }
        Ok(done) => check::<Old, New>(&old, &packet[done.start..done.start + done.len], &plan),
    }
}

fn check<Old: Network, New: Network>(old: &[u8], new: &[u8], plan: &ErrorPlan<New>) {
    let (was, is) = (Ip::read(old).unwrap(), Ip::read(new).expect("an IP header"));
    assert_eq!((is.version, is.l4), (New::VERSION, New::HEADER_LEN));
    assert!(is.is_whole(new), "length");
    assert!(is.header_ok(new), "header checksum");
    assert_eq!(is.protocol, New::ICMP);
    assert!(is.transport_ok(new), "ICMP checksum");
    let outer = New::parse(new).unwrap();
    assert_eq!((outer.src, outer.dst), (plan.src, plan.dst));
    let ttl = old[if was.version == 4 { 8 } else { 7 }];
    assert_eq!(outer.ttl, ttl - u8::from(plan.ttl == TtlStep::Decrement));

    let message = Message::<New>::parse(&new[is.l4..]).unwrap();
    let said = Message::<Old>::parse(&old[was.l4..]).unwrap();
    let (Kind::Error(_), Kind::Error(_)) = (message.kind(), said.kind()) else {
        panic!("{:?} of {:?}", message.kind(), said.kind());
    };
    assert!(may_be_translated(&was), "{was:?}");
    // Extensions are left out, and nothing says that there are any.
    let about = packet_in(was.version, &old[was.l4..]);
    let ip = Ip::read(about).unwrap();
    let (kind, code) = message.type_code();
    let last = u32::from_be_bytes(new[is.l4 + 4..is.l4 + 8].try_into().unwrap());
    let expected = rfc7915::error(&old[was.l4..], &ip, plan.mtu_lower);
    assert_eq!(Some((kind, code, last)), expected);
    let headers = 2 * New::HEADER_LEN + 8;
    let most = if New::VERSION == 4 { 576 } else { 1280 };
    assert_eq!(new.len(), (headers + about.len() - ip.l4).min(most));
    embedded::<Old, New>(about, message.body(), plan);
}

fn embedded<Old: Network, New: Network>(old: &[u8], new: &[u8], plan: &ErrorPlan<New>) {
    let (was, is) = (Ip::read(old).unwrap(), Ip::read(new).expect("an IP header"));
    let (packet, before) = (New::parse(new).unwrap(), Old::parse(old).unwrap());
    let ends = (plan.embedded_src.addr, plan.embedded_dst.addr);
    assert_eq!((packet.src, packet.dst), ends);
    assert_eq!((packet.ttl, packet.protocol), (before.ttl, before.protocol));
    assert_eq!(
        (is.version, is.l4, is.fragment),
        (New::VERSION, New::HEADER_LEN, None)
    );
    assert!(is.header_ok(new), "embedded header checksum");
    assert_eq!(
        packet.src.to_octets().as_ref(),
        &new[is.addresses()][..New::LEN]
    );
    let len = was
        .total
        .map(|total| total - was.l4 + if is.version == 4 { 20 } else { 0 });
    let field = match is.total {
        None => 0,
        Some(total) if is.version == 4 => total,
        Some(total) => total - 40,
    };
    assert!(len == Some(field) || field == 0, "embedded length");

    let l4 = &new[is.l4..];
    let mut expected = old[was.l4..][..l4.len()].to_vec();
    embedded_transport(&mut expected, was.protocol, plan);
    let check_at = if was.protocol == 6 { 16 } else { 6 };
    if l4.len() >= check_at + 2 {
        expected[check_at..check_at + 2].copy_from_slice(&word(l4, check_at).to_be_bytes());
    }
    assert_eq!(l4, expected);
    // Told only where the whole packet is there, and nothing behind it.
    let checks = Checks::of(old, &was, CsumState::Full);
    if is.is_whole(new) && checks != Checks::Unknown {
        assert_eq!(
            Checks::of(new, &is, CsumState::Full),
            checks,
            "embedded transport checksum"
        );
    }
}
