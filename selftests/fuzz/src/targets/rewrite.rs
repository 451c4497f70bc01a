// SPDX-License-Identifier: GPL-2.0

//! The one rewriting: the packet is what plain code makes of it, checksums that
//! were right are right, those that were wrong are wrong, and a refusal has
//! written nothing.

use std::net::{Ipv4Addr, Ipv6Addr};

use arbitrary::Unstructured;
use lvs_wire::ip::{Network, TtlStep};
use lvs_wire::rewrite::options::{plan as plan_options, OptionsOut};
use lvs_wire::rewrite::{apply, CsumState, Place, Plan, Transport};
use lvs_wire::tcp;

use crate::expected::{self, Checks};
use crate::input::{csum, plan, take};
use crate::reference::{mend, set_word, sum, word, Ip};

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
    let plan = plan::<A>(&mut u);
    let mut packet = u.take_rest().to_vec();
    let state = csum(how);
    if how & 4 != 0 {
        prepare(&mut packet, state);
    }
    let Ok(ip) = A::parse(&packet) else {
        return anywhere(&packet, usize::from(how), &plan);
    };
    let Some(transport) = Transport::from_protocol(ip.protocol) else {
        return anywhere(&packet, ip.l4_offset, &plan);
    };
    let place = Place {
        l4_offset: ip.l4_offset,
        transport,
        csum: state,
    };
    let Some(new) = new_options(&packet, place, &plan) else {
        return anywhere(&packet, ip.l4_offset, &plan);
    };
    whole(&packet, place, &plan, new.as_ref());
}

/// Makes a packet right, with the checksum that `state` says.
pub(super) fn prepare(packet: &mut [u8], state: CsumState) {
    let Some(ip) = mend(packet) else { return };
    if let (CsumState::Partial, Some(at)) = (state, ip.check_at(packet)) {
        let partial = sum(&ip.pseudo(packet));
        set_word(packet, at, partial);
    }
}

/// The options of a segment as the module plans them; `None` if it has no TCP
/// header.
#[expect(
    clippy::option_option,
    reason = "no options are needed, or none can be made"
)]
pub(super) fn new_options<A>(
    packet: &[u8],
    place: Place,
    plan: &Plan<A>,
) -> Option<Option<OptionsOut>> {
    let edit = plan.tcp.filter(|edit| edit.changes_options());
    let (Transport::Tcp, Some(edit)) = (place.transport, edit) else {
        return Some(None);
    };
    let header = tcp::Header::parse(packet.get(place.l4_offset..)?).ok()?;
    let spare = 65535usize.saturating_sub(packet.len());
    let options = header.option_bytes();
    Some(Some(plan_options(
        options,
        &edit,
        header.flags().syn(),
        spare,
    )))
}

/// Puts the room for longer options behind the old ones; gives where they end,
/// and where the new ones will.
pub(super) fn make_room(
    packet: &mut Vec<u8>,
    l4: usize,
    new: Option<&OptionsOut>,
) -> (usize, usize) {
    let Some(new) = new else { return (0, 0) };
    let old_end = l4 + usize::from(packet[l4 + 12] >> 4) * 4;
    let new_end = l4 + 20 + new.as_slice().len();
    let room = vec![0xee; new_end.saturating_sub(old_end)];
    packet.splice(old_end..old_end, room);
    (old_end, new_end)
}

fn whole<A: Network>(old: &[u8], place: Place, plan: &Plan<A>, new: Option<&OptionsOut>) {
    let mut packet = old.to_vec();
    let (old_end, new_end) = make_room(&mut packet, place.l4_offset, new);
    let before = packet.clone();
    if let Err(error) = apply(&mut packet, place, plan, new) {
        assert_eq!(packet, before, "written in spite of {error:?}");
        return;
    }
    if new_end < old_end {
        packet.drain(new_end..old_end);
    }
    let was = Ip::read(old).unwrap();
    let Some(is) = Ip::read(&packet) else {
        // Shorter options can make the length less than that of the header only
        // if it did not cover the options before.
        let length = was.total.unwrap_or(old.len());
        assert!(
            length < old.len() && new_end < old_end,
            "the header is none any more"
        );
        return;
    };
    assert_eq!(is.l4, was.l4);
    assert_eq!(was.header_ok(old), is.header_ok(&packet), "header checksum");
    let checks = Checks::of(old, &was, place.csum);
    assert_eq!(
        Checks::of(&packet, &is, place.csum),
        checks,
        "transport checksum"
    );

    let l4 = expected::transport(
        &old[was.l4..],
        was.protocol,
        plan,
        new.map(OptionsOut::as_slice),
    );
    let mut expected = [&old[..was.l4], &l4].concat();
    expected::addresses(&mut expected, &was, plan.src.addr, plan.dst.addr);
    expected[was.ttl_at()] -= u8::from(plan.ttl == TtlStep::Decrement);
    if was.total.is_some() {
        let grown = usize::from(word(old, was.len_at())) + expected.len() - old.len();
        set_word(&mut expected, was.len_at(), u16::try_from(grown).unwrap());
    }
    copy_checks(&mut expected, &packet, &is);
    assert_eq!(packet, expected);
}

/// The checksums have been looked at.
fn copy_checks(expected: &mut [u8], packet: &[u8], ip: &Ip) {
    assert_eq!(expected.len(), packet.len());
    let header = (ip.version == 4).then_some(10);
    for at in [header, ip.check_at(packet)].into_iter().flatten() {
        set_word(expected, at, word(packet, at));
    }
}

/// Any bytes at any place: changed within bounds, or refused and left alone.
fn anywhere<A: Network>(packet: &[u8], l4_offset: usize, plan: &Plan<A>) {
    for transport in [Transport::Tcp, Transport::Udp] {
        let place = Place {
            l4_offset,
            transport,
            csum: CsumState::Full,
        };
        let mut changed = packet.to_vec();
        if apply(&mut changed, place, plan, None).is_err() {
            assert_eq!(changed, packet);
        }
    }
}
