// SPDX-License-Identifier: GPL-2.0

//! RFC 7915 as tables: what of one IP version has a counterpart in the other.

use crate::reference::{word, Ip};

/// Whether a packet may be translated at all: it is no fragment, has been where
/// it is to go, and nothing in it vouches for its header.
pub(crate) fn may_be_translated(ip: &Ip) -> bool {
    ip.fragment.is_none_or(|f| f == (0, false)) && !ip.stations_left && !ip.authenticated
}

/// Figure 3: where in an IPv6 header an octet of an IPv4 header is.
const POINTERS_TO_V6: [Option<u32>; 20] = {
    let (no, from, to) = (None, Some(8), Some(24));
    [
        Some(0),
        Some(1),
        Some(4),
        Some(4),
        no,
        no,
        no,
        no,
        Some(7),
        Some(6),
        no,
        no,
        from,
        from,
        from,
        from,
        to,
        to,
        to,
        to,
    ]
};

/// Figure 6, by the first octet of each field: where in an IPv4 header it is.
const POINTERS_TO_V4: [(u32, Option<u8>); 9] = [
    (0, Some(0)),
    (1, Some(1)),
    (2, None),
    (4, Some(2)),
    (6, Some(9)),
    (7, Some(8)),
    (8, Some(12)),
    (24, Some(16)),
    (40, None),
];

/// RFC 1191 section 7.1.
const PLATEAUS: [u32; 11] = [
    68, 296, 508, 1006, 1492, 2002, 4352, 8166, 17914, 32000, 65535,
];

/// Type, code and the last four octets of the error that says what `message`,
/// which carries `about`, says; MTUs are less by `lower`.
pub(crate) fn error(message: &[u8], about: &Ip, lower: u16) -> Option<(u8, u8, u32)> {
    let last = u32::from_be_bytes(message[4..8].try_into().unwrap());
    let found = match about.version {
        4 => to_v6(message, about, lower)?,
        _ => to_v4(message[0], message[1], last, lower)?,
    };
    Some(found)
}

/// Section 4.2.
fn to_v6(message: &[u8], about: &Ip, lower: u16) -> Option<(u8, u8, u32)> {
    match (message[0], message[1]) {
        (3, 2) => Some((4, 1, 6)),
        (3, 3) => Some((1, 4, 0)),
        (3, 4) => Some((2, 0, mtu_to_v6(word(message, 6), about, lower))),
        (3, 9 | 10 | 13 | 15) => Some((1, 1, 0)),
        (3, 14) => None,
        (3, code) if code < 13 => Some((1, 0, 0)),
        (11, code) => Some((3, code, 0)),
        (12, 0 | 2) => {
            let pointer = POINTERS_TO_V6.get(usize::from(message[4]))?;
            Some((4, 0, (*pointer)?))
        }
        _ => None,
    }
}

fn mtu_to_v6(mtu: u16, about: &Ip, lower: u16) -> u32 {
    let mut mtu = u32::from(mtu);
    if mtu == 0 {
        let len = about.total.map_or(0, |len| len as u32);
        mtu = PLATEAUS
            .into_iter()
            .take_while(|p| *p < len)
            .last()
            .unwrap_or(0);
    }
    (mtu + 20).saturating_sub(u32::from(lower)).max(1280)
}

/// Section 5.2.
fn to_v4(kind: u8, code: u8, last: u32, lower: u16) -> Option<(u8, u8, u32)> {
    match (kind, code) {
        (1, 0 | 2 | 3) => Some((3, 1, 0)),
        (1, 1) => Some((3, 10, 0)),
        (1, 4) => Some((3, 3, 0)),
        (2, _) => {
            let mtu = (last.max(1280) - 20).saturating_sub(u32::from(lower));
            Some((3, 4, mtu.clamp(68, 65535)))
        }
        (3, code) => Some((11, code, 0)),
        (4, 0) => {
            let (_, pointer) = POINTERS_TO_V4
                .into_iter()
                .rfind(|(first, _)| *first <= last)?;
            Some((12, 0, u32::from(pointer?) << 24))
        }
        (4, 1) => Some((3, 2, 0)),
        _ => None,
    }
}

/// How much of an error's body is the packet that it is about: extensions begin
/// where the length attribute says (RFC 4884).
pub(crate) fn packet_in(version: u8, message: &[u8]) -> &[u8] {
    let body = &message[8..];
    let len = match (version, message[0]) {
        (4, 3 | 11 | 12) => usize::from(message[5]) * 4,
        (6, 1 | 3) => usize::from(message[4]) * 8,
        _ => 0,
    };
    if len == 0 || len > body.len() {
        body
    } else {
        &body[..len]
    }
}
