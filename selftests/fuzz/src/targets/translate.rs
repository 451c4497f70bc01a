// SPDX-License-Identifier: GPL-2.0

//! Packets of one IP version become packets of the other: header by header what
//! RFC 7915 says, written by plain code, with checksums as right, or as wrong,
//! as they were.

use std::net::{Ipv4Addr, Ipv6Addr};

use arbitrary::Unstructured;
use lvs_wire::csum::Sum;
use lvs_wire::ip::{Network, TtlStep};
use lvs_wire::rewrite::options::OptionsOut;
use lvs_wire::rewrite::translate::{finish_udp, room, translate, Error, Extra};
use lvs_wire::rewrite::{CsumState, Place, Plan, Transport};

use super::rewrite::{make_room, new_options, prepare};
use crate::expected::{self, Checks};
use crate::input::{csum, plan, take};
use crate::reference::{mend_header, set_word, word, Ip};
use crate::rfc7915::may_be_translated;

/// How, what a translation needs besides, a plan, and a packet.
pub(super) fn run(data: &[u8]) {
    let mut u = Unstructured::new(data);
    let (how, id): (u8, u16) = (take(&mut u), take(&mut u));
    let extra = Extra {
        id,
        aggregate: how & 0x10 != 0,
        fragmented: how & 0x20 != 0,
    };
    match how & 1 {
        0 => between::<Ipv4Addr, Ipv6Addr>(u, how >> 1, extra),
        _ => between::<Ipv6Addr, Ipv4Addr>(u, how >> 1, extra),
    }
}

fn between<Old: Network, New: Network>(mut u: Unstructured<'_>, how: u8, extra: Extra) {
    let plan = plan::<New>(&mut u);
    let mut packet = u.take_rest().to_vec();
    let state = csum(how);
    if how & 4 != 0 {
        prepare(&mut packet, state);
    }
    let parsed = Old::parse(&packet).ok();
    let transport = parsed.and_then(|ip| Transport::from_protocol(ip.protocol));
    let place = Place {
        l4_offset: parsed.map_or(usize::from(how), |ip| ip.l4_offset),
        transport: transport.unwrap_or(Transport::Udp),
        csum: state,
    };
    if let Some(new) = new_options(&packet, place, &plan) {
        whole::<Old, New>(&packet, place, &plan, new.as_ref(), extra);
    }
}

fn whole<Old: Network, New: Network>(
    old: &[u8],
    place: Place,
    plan: &Plan<New>,
    new: Option<&OptionsOut>,
    extra: Extra,
) {
    let front = room::<Old, New>();
    let mut packet = [&vec![0xee; front], old].concat();
    let (old_end, new_end) = make_room(&mut packet, front + place.l4_offset, new);
    let before = packet.clone();
    let done = match translate::<Old, New>(&mut packet, place, plan, new, extra) {
        Ok(done) => done,
        Err(error) => {
            assert_eq!(packet, before, "written in spite of {error:?}");
            refused(old, error);
            return;
        }
    };
    if new_end < old_end {
        packet.drain(new_end..old_end);
    }
    packet.drain(..done.start);
    let was = Ip::read(old).expect("what was translated has a header");
    assert!(may_be_translated(&was), "{was:?}");
    let transport = place.transport.protocol();
    let l4 = expected::transport(
        &old[was.l4..],
        transport,
        plan,
        new.map(OptionsOut::as_slice),
    );
    let mut expected = header::<New>(old, &was, transport, plan, l4.len(), extra);
    expected.extend(l4);
    let is = Ip::read(&packet).expect("there is a header");
    assert!(is.header_ok(&packet), "header checksum");

    // What was in a header that says another transport is not known.
    let mut checks = match was.protocol == transport {
        true => Checks::of(old, &was, place.csum),
        false => Checks::Unknown,
    };
    let missing = New::VERSION == 6
        && place.csum == CsumState::Full
        && transport == 17
        && word(&packet, is.l4 + 6) == 0;
    assert_eq!(done.needs_udp_checksum, missing);
    if missing {
        let l4 = &mut packet[is.l4..];
        let payload = Sum::ZERO.add_bytes(&l4[8..]);
        finish_udp(l4, plan, payload).unwrap();
        // Computed from what the datagram says of its length.
        let says = usize::from(word(l4, 4)) == l4.len();
        checks = match checks {
            Checks::Absent if says => Checks::Full(true),
            _ => Checks::Unknown,
        };
    }
    if checks != Checks::Unknown {
        assert_eq!(
            Checks::of(&packet, &is, place.csum),
            checks,
            "transport checksum"
        );
    }
    if let Some(at) = is.check_at(&packet) {
        set_word(&mut expected, at, word(&packet, at));
    }
    assert_eq!(packet, expected);
}

/// Whether a refusal says what is so.
pub(super) fn refused(old: &[u8], error: Error) {
    let ip = Ip::read(old);
    let holds = |what: fn(&Ip) -> bool| ip.as_ref().is_some_and(what);
    assert!(match error {
        Error::Fragment => holds(|ip| ip.fragment.is_some_and(|f| f != (0, false))),
        Error::SegmentsLeft(at) => holds(|ip| ip.stations_left) && old[at as usize] != 0,
        Error::Authenticated => holds(|ip| ip.authenticated),
        _ => true,
    });
}

/// The new header.
fn header<New: Network>(
    old: &[u8],
    was: &Ip,
    protocol: u8,
    plan: &Plan<New>,
    l4_len: usize,
    extra: Extra,
) -> Vec<u8> {
    let (class, ttl) = match was.version {
        4 => (old[1], old[8]),
        _ => ((old[0] << 4) | (old[1] >> 4), old[7]),
    };
    let ttl = ttl - u8::from(plan.ttl == TtlStep::Decrement);
    // What the old header says, which may not be what is there.
    let payload = was
        .total
        .map(|total| total - was.l4 + l4_len - (old.len() - was.l4));
    let (src, dst) = (plan.src.addr.to_octets(), plan.dst.addr.to_octets());
    let field = |len: Option<usize>| match len.map(u16::try_from) {
        None => 0,
        Some(Ok(len)) => len,
        Some(Err(_)) => {
            assert!(extra.aggregate, "too long");
            0
        }
    };
    let mut header = Vec::new();
    if New::VERSION == 6 {
        let [high, low] = field(payload).to_be_bytes();
        header.extend([
            0x60 | (class >> 4),
            class << 4,
            0,
            0,
            high,
            low,
            protocol,
            ttl,
        ]);
        header.extend([src.as_ref(), dst.as_ref()].concat());
        return header;
    }
    let len = field(payload.map(|len| len + 20));
    let may_be_cut = (1..=1260).contains(&len) || extra.fragmented;
    let (flags, id) = if may_be_cut { (0, extra.id) } else { (0x40, 0) };
    header.extend([0x45, class]);
    header.extend(
        [
            len.to_be_bytes(),
            id.to_be_bytes(),
            [flags, 0],
            [ttl, protocol],
            [0, 0],
        ]
        .concat(),
    );
    header.extend([src.as_ref(), dst.as_ref()].concat());
    let ip = Ip::read(&header).expect("a header of 20 bytes");
    mend_header(&mut header, &ip);
    header
}
