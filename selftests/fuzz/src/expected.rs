// SPDX-License-Identifier: GPL-2.0

//! What a transport header becomes, by plain code. Checksums are left as they
//! are: [`Checks`] looks at those.

use lvs_wire::addr::Address;
use lvs_wire::rewrite::{CsumState, Plan};

use crate::options;
use crate::reference::{add_to_number, set_word, sum, word, Ip};

/// The TCP or UDP packet part behind an IP header, after `plan`; `new` are its
/// new options if they are planned anew.
pub(crate) fn transport<A: Address>(
    old: &[u8],
    protocol: u8,
    plan: &Plan<A>,
    new: Option<&[u8]>,
) -> Vec<u8> {
    let mut l4 = old.to_vec();
    if protocol == 6 {
        let end = usize::from(old[12] >> 4) * 4;
        let edit = plan.tcp.unwrap_or_default();
        add_to_number(&mut l4, 4, edit.seq_add);
        if old[13] & 0x10 != 0 {
            add_to_number(&mut l4, 8, edit.ack_add);
        }
        if let Some(new) = new {
            l4[12] = (l4[12] & 15) | (((20 + new.len()) / 4) << 4) as u8;
            l4.splice(20..end, new.iter().copied());
        } else if edit.sack_add != 0 {
            options::shift_all(&mut l4[20..end], edit.sack_add);
        }
    }
    set_word(&mut l4, 0, plan.src.port);
    set_word(&mut l4, 2, plan.dst.port);
    l4
}

/// Writes the addresses of an IP header.
pub(crate) fn addresses<A: Address>(packet: &mut [u8], ip: &Ip, src: A, dst: A) {
    let (src, dst) = (src.to_octets(), dst.to_octets());
    packet[ip.addresses()].copy_from_slice(&[src.as_ref(), dst.as_ref()].concat());
}

/// What the transport's checksum of a packet was like before a rewriting, and
/// has to be like behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Checks {
    /// Complete; right or wrong.
    Full(bool),
    /// UDP without one.
    Absent,
    /// The sum of the pseudo header; right or wrong.
    Partial(bool),
    /// Not to be touched.
    Kept(u16),
    /// The packet is not what it says, so that nobody can tell.
    Unknown,
}

impl Checks {
    /// Looks at a packet with this header.
    pub(crate) fn of(packet: &[u8], ip: &Ip, state: CsumState) -> Self {
        let Some(at) = ip.check_at(packet) else {
            return Checks::Unknown;
        };
        let field = word(packet, at);
        if state == CsumState::None {
            return Checks::Kept(field);
        }
        if !ip.is_whole(packet) {
            return Checks::Unknown;
        }
        match (state, field) {
            (CsumState::Partial, _) => Checks::Partial(field == sum(&ip.pseudo(packet))),
            (_, 0) if ip.protocol == 17 => Checks::Absent,
            _ => Checks::Full(ip.transport_ok(packet)),
        }
    }
}
