// SPDX-License-Identifier: GPL-2.0

//! Types and codes of ICMP errors, and what they are called in the other family
//! (RFC 7915 sections 4.2 and 5.2).

use core::net::{Ipv4Addr, Ipv6Addr};

use super::Error;
use crate::addr::Family;
use crate::icmp::HEADER_LEN;
use crate::ip::Network;

/// What routers of before RFC 1191, which tell no MTU, are likely to have
/// (RFC 1191 section 7.1).
const PLATEAUS: [u32; 11] = [
    65535, 32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296, 68,
];

/// By how much an IPv6 header is longer than an IPv4 header.
const LONGER: u32 = 20;

/// What an error is about besides its own first eight bytes.
#[derive(Clone, Copy)]
pub(super) struct About {
    /// The length of the packet that it carries, as that states it.
    pub(super) len: Option<u32>,
    /// Taken off the MTU, see [`crate::rewrite::icmp::ErrorPlan`].
    pub(super) mtu_lower: u16,
}

/// The first eight bytes of the error of `New` that says what `fixed` says,
/// with a checksum of 0.
///
/// # Errors
///
/// `NoCounterpart`.
#[inline]
pub(super) fn counterpart<Old: Network, New: Network>(
    fixed: &[u8; HEADER_LEN],
    about: About,
) -> Result<[u8; HEADER_LEN], Error> {
    let [kind, code, _, _, rest @ ..] = *fixed;
    let message = match (Old::FAMILY, New::FAMILY) {
        (Family::V4, Family::V6) => to_v6(kind, code, rest, about),
        (Family::V6, Family::V4) => to_v4(kind, code, rest, about),
        _ => None,
    };
    message.ok_or(Error::NoCounterpart)
}

/// Bytes of the packet in an error, before extensions: these begin where its
/// length attribute says (RFC 4884), and 0 says that there are none.
#[inline]
pub(super) fn datagram_len<Old: Network>(fixed: &[u8; HEADER_LEN]) -> Option<usize> {
    let [kind, _, _, _, v6_words, v4_words, _, _] = *fixed;
    let len = match (Old::FAMILY, kind) {
        (Family::V4, 3 | 11 | 12) => usize::from(v4_words) << 2,
        (Family::V6, 1 | 3) => usize::from(v6_words) << 3,
        _ => 0,
    };
    (len != 0).then_some(len)
}

/// Section 4.2.
#[inline]
fn to_v6(kind: u8, code: u8, rest: [u8; 4], about: About) -> Option<[u8; HEADER_LEN]> {
    let [pointer, _, mtu @ ..] = rest;
    let (kind, code, rest) = match (kind, code) {
        // Network, host, source route, isolation, type of service: no route.
        (3, 0 | 1 | 5..=8 | 11 | 12) => (1, 0, 0),
        // A protocol is a next header.
        (3, 2) => (4, 1, 6),
        (3, 3) => (1, 4, 0),
        (3, 4) => (2, 0, mtu_v6(u16::from_be_bytes(mtu), about)),
        // Prohibited.
        (3, 9 | 10 | 13 | 15) => (1, 1, 0),
        (11, code) => (3, code, 0),
        (12, 0 | 2) => (4, 0, pointer_v6(pointer)?),
        _ => return None,
    };
    let [a, b, c, d] = u32::to_be_bytes(rest);
    Some([kind, code, 0, 0, a, b, c, d])
}

/// Section 5.2.
#[inline]
fn to_v4(kind: u8, code: u8, rest: [u8; 4], about: About) -> Option<[u8; HEADER_LEN]> {
    let word = u32::from_be_bytes(rest);
    let (kind, code, pointer, mtu) = match (kind, code) {
        // Route, scope, address: no way to the host.
        (1, 0 | 2 | 3) => (3, 1, 0, 0),
        (1, 1) => (3, 10, 0, 0),
        (1, 4) => (3, 3, 0, 0),
        (2, _) => (3, 4, 0, mtu_v4(word, about)),
        (3, code) => (11, code, 0, 0),
        (4, 0) => (12, 0, pointer_v4(word)?, 0),
        // A next header is a protocol.
        (4, 1) => (3, 2, 0, 0),
        _ => return None,
    };
    let [high, low] = u16::to_be_bytes(mtu);
    Some([kind, code, 0, 0, pointer, 0, high, low])
}

/// The MTU for an IPv6 sender whose packets become IPv4 before a link of `mtu`.
#[inline]
fn mtu_v6(mtu: u16, about: About) -> u32 {
    let mtu = match mtu {
        0 => plateau_below(about.len.unwrap_or(0)),
        mtu => u32::from(mtu),
    };
    mtu.saturating_add(LONGER)
        .saturating_sub(u32::from(about.mtu_lower))
        .max(u32::from(Ipv6Addr::MIN_MTU))
}

/// The MTU for an IPv4 sender whose packets become IPv6 before a link of `mtu`.
/// A link that takes less than 1280 bytes of IPv6 is none.
#[inline]
fn mtu_v4(mtu: u32, about: About) -> u16 {
    let mtu = mtu
        .max(u32::from(Ipv6Addr::MIN_MTU))
        .saturating_sub(LONGER)
        .saturating_sub(u32::from(about.mtu_lower));
    u16::try_from(mtu)
        .unwrap_or(u16::MAX)
        .max(Ipv4Addr::MIN_MTU)
}

/// The greatest plateau below the length of a packet that was too big.
#[inline]
fn plateau_below(len: u32) -> u32 {
    PLATEAUS
        .into_iter()
        .find(|plateau| *plateau < len)
        .unwrap_or(0)
}

/// Figure 3: the field of an IPv6 header for one of an IPv4 header.
#[inline]
fn pointer_v6(pointer: u8) -> Option<u32> {
    match pointer {
        0 => Some(0),
        1 => Some(1),
        2 | 3 => Some(4),
        8 => Some(7),
        9 => Some(6),
        12..=15 => Some(8),
        16..=19 => Some(24),
        _ => None,
    }
}

/// Figure 6: the field of an IPv4 header for one of an IPv6 header.
#[inline]
fn pointer_v4(pointer: u32) -> Option<u8> {
    match pointer {
        0 => Some(0),
        1 => Some(1),
        4 | 5 => Some(2),
        6 => Some(9),
        7 => Some(8),
        8..=23 => Some(12),
        24..=39 => Some(16),
        _ => None,
    }
}

#[cfg(test)]
#[path = "types_tests.rs"]
mod tests;
