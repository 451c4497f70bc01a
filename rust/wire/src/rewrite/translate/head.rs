// SPDX-License-Identifier: GPL-2.0

//! [`Head`]: what of an IP header has a counterpart in the other family.

use super::{Error, Extra};
use crate::addr::Family;
use crate::csum::Sum;
use crate::ip::{self, Network, Packet};
use crate::ipv6;
use crate::rewrite;

/// The longest IPv4 packet that routers may fragment: an IPv6 packet longer than
/// the 1280 bytes that every link takes was sent by somebody who discovers the
/// path MTU, and expects to be told (RFC 7915 section 5.1).
const MAX_FRAGMENTABLE: u16 = 1260;

/// An IP header, without what has no counterpart: options, extension headers,
/// flow label and identification.
pub(super) struct Head<A> {
    /// Type of service, traffic class.
    pub(super) class: u8,
    /// Time to live, hop limit.
    pub(super) ttl: u8,
    /// Protocol of the payload.
    pub(super) protocol: u8,
    /// Bytes behind the header. `None` for an aggregate that is too big for
    /// the field, which is 0 then.
    pub(super) payload_len: Option<u32>,
    /// Source address.
    pub(super) src: A,
    /// Destination address.
    pub(super) dst: A,
}

impl<A: Network> Head<A> {
    /// The head of `bytes`, from which `packet` has been parsed.
    #[inline]
    pub(super) fn of(bytes: &[u8], packet: &Packet<A>) -> Self {
        let class = match (A::FAMILY, bytes) {
            (Family::V4, [_, tos, ..]) => *tos,
            (Family::V6, [high, low, ..]) => (high << 4) | (low >> 4),
            _ => 0,
        };
        // A few KiB at most, and never more than the whole.
        let header_len = u32::try_from(packet.l4_offset).unwrap_or(0);
        Self {
            class,
            ttl: packet.ttl,
            protocol: packet.protocol,
            payload_len: packet.total_len.map(|len| len.saturating_sub(header_len)),
            src: packet.src,
            dst: packet.dst,
        }
    }

    /// The head of the other family between these addresses.
    #[inline]
    pub(super) fn between<New>(&self, src: New, dst: New) -> Head<New> {
        Head {
            class: self.class,
            ttl: self.ttl,
            protocol: self.protocol,
            payload_len: self.payload_len,
            src,
            dst,
        }
    }

    /// The sum of both addresses.
    #[inline]
    pub(super) fn addresses(&self) -> Sum {
        self.src.sum().add(self.dst.sum())
    }

    /// Writes the header to the front of `place`.
    ///
    /// # Errors
    ///
    /// `Truncated`, `TooLong`; nothing has been written then.
    #[inline]
    pub(super) fn write(&self, place: &mut [u8], extra: Extra) -> Result<(), rewrite::Error> {
        if place.len() < A::HEADER_LEN {
            return Err(rewrite::Error::Truncated);
        }
        let len = self.length_field(extra.aggregate)?;
        let addresses = match A::FAMILY {
            Family::V4 => self.write_v4(place, len, extra),
            Family::V6 => self.write_v6(place, len),
        };
        let rest = addresses.and_then(|rest| self.src.write_prefix(rest));
        rest.and_then(|rest| self.dst.write_prefix(rest))
            .map(|_| ())
            .ok_or(rewrite::Error::Truncated)
    }

    /// What precedes the addresses; gives what is behind that.
    #[inline]
    fn write_v4<'a>(&self, place: &'a mut [u8], len: u16, extra: Extra) -> Option<&'a mut [u8]> {
        // An identification is for reassembly (RFC 6864).
        let (flags, id) = match len {
            1..=MAX_FRAGMENTABLE => (0, extra.id),
            _ if extra.fragmented => (0, extra.id),
            _ => (0x40, 0),
        };
        let ([l0, l1], [i0, i1]) = (len.to_be_bytes(), id.to_be_bytes());
        let (class, ttl, protocol) = (self.class, self.ttl, self.protocol);
        let head = [0x45, class, l0, l1, i0, i1, flags, 0, ttl, protocol];
        let check = self.addresses().add_bytes(&head).checksum();
        let (fixed, rest) = place.split_first_chunk_mut::<10>()?;
        *fixed = head;
        let (field, rest) = rest.split_first_chunk_mut()?;
        *field = check.to_be_bytes();
        Some(rest)
    }

    /// What precedes the addresses; gives what is behind that.
    #[inline]
    fn write_v6<'a>(&self, place: &'a mut [u8], len: u16) -> Option<&'a mut [u8]> {
        let [l0, l1] = len.to_be_bytes();
        let (high, low) = (0x60 | (self.class >> 4), self.class << 4);
        let (fixed, rest) = place.split_first_chunk_mut()?;
        *fixed = [high, low, 0, 0, l0, l1, self.protocol, self.ttl];
        Some(rest)
    }

    /// The value of the length field: of the whole in IPv4, of the payload in
    /// IPv6.
    #[inline]
    fn length_field(&self, aggregate: bool) -> Result<u16, rewrite::Error> {
        let header: u32 = match A::FAMILY {
            Family::V4 => 20,
            Family::V6 => 0,
        };
        let Some(len) = self.payload_len else {
            return Ok(0);
        };
        match u16::try_from(len.saturating_add(header)) {
            Ok(len) => Ok(len),
            Err(_) if aggregate => Ok(0),
            Err(_) => Err(rewrite::Error::TooLong),
        }
    }
}

/// Parses the header in `bytes`, which ends where the transport header begins,
/// of a whole packet.
///
/// # Errors
///
/// One [`Error`] per cause.
#[inline]
pub(super) fn whole<A: Network>(bytes: &[u8]) -> Result<Head<A>, Error> {
    let packet: Packet<A> = A::parse(bytes).map_err(Error::Header)?;
    if packet.l4_offset != bytes.len() {
        return Err(Error::Header(ip::Error::HeaderLength));
    }
    // A lone fragment with everything in it is a whole packet (RFC 6946).
    if packet.fragment.is_some_and(|f| f.offset != 0 || f.more) {
        return Err(Error::Fragment);
    }
    if A::FAMILY == Family::V6 && packet.l4_offset != A::HEADER_LEN {
        extensions(bytes)?;
    }
    Ok(Head::of(bytes, &packet))
}

/// Looks for an extension header that must not be left out, among those of a
/// parsed header.
fn extensions(bytes: &[u8]) -> Result<(), Error> {
    let mut kind = bytes.get(6).copied().unwrap_or(0);
    let mut rest = bytes.get(ipv6::HEADER_LEN..).unwrap_or(&[]);
    while let [next, len, _, left, ..] = *rest {
        let len = match kind {
            ipv6::ROUTING if left != 0 => {
                let at = bytes.len().saturating_sub(rest.len()).saturating_add(3);
                return Err(Error::SegmentsLeft(u32::try_from(at).unwrap_or(0)));
            }
            ipv6::AUTHENTICATION => return Err(Error::Authenticated),
            ipv6::FRAGMENT => 8,
            _ => usize::from(len).saturating_add(1) << 3,
        };
        kind = next;
        rest = rest.get(len..).unwrap_or(&[]);
    }
    Ok(())
}

#[cfg(test)]
#[path = "head_tests.rs"]
mod tests;
