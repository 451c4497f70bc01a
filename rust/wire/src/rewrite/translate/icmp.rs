// SPDX-License-Identifier: GPL-2.0

//! An ICMP error of one family becomes one of the other, with the packet in it.
//!
//! ```text
//! before:  [room][outer IP][ICMP, 8 bytes][embedded IP][TCP or UDP, >= 8 bytes][more]
//! after:   [ start ][new outer IP][ICMP  ][new embedded IP][TCP or UDP][ less  ]
//!                   '------------------------- len -------------------------'
//! ```
//!
//! 1. The caller has found the message's checksum right, and puts [`room`]
//!    bytes in front of the packet: 40 from IPv4 to IPv6, none the other way.
//! 2. [`translate_error`] writes everything in front of the embedded transport
//!    header anew, which keeps its place.
//! 3. The caller takes [`TranslatedError::start`] bytes off the front, and cuts
//!    the packet off after [`TranslatedError::len`] bytes. The checksum covers
//!    exactly these: nobody else has to compute it.

use super::head::{self, Head};
use super::{types, Error, Extra};
use crate::addr::Family;
use crate::csum::{self, Sum};
use crate::icmp::{Kind, HEADER_LEN};
use crate::ip::{Network, Packet};
use crate::rewrite::icmp::{embedded_transport, EmbeddedL4, ErrorPlan};
use crate::rewrite::{self, Transport};

/// What has become of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct TranslatedError {
    /// Bytes at the front that no longer belong to the packet.
    pub start: usize,
    /// The length of the packet behind these. What follows is to be cut off.
    pub len: usize,
}

/// Bytes that have to be in front of a packet before [`translate_error`].
#[inline]
#[must_use]
pub const fn room<Old: Network, New: Network>() -> usize {
    super::room::<Old, New>().saturating_mul(2)
}

/// The longest error of a family, as its senders have to heed (RFC 1812 section
/// 4.3.2.3, RFC 4443 section 2.4).
#[inline]
const fn max_len<New: Network>() -> usize {
    match New::FAMILY {
        Family::V4 => 576,
        Family::V6 => 1280,
    }
}

/// Changes an ICMP error to one of another family, as `plan` says.
///
/// `packet` begins with [`room`] bytes and then the outer IP header, whose
/// message begins `icmp_offset` bytes behind its start. It should hold the
/// whole message, or as much as an error of the other family may be long: what
/// is not there is lost. At least 8 bytes of the embedded transport header have
/// to be there. `id` is for the outer IPv4 header, as [`Extra::id`].
///
/// Type, code, pointer and MTU become what RFC 7915 has for them; the MTU less
/// [`ErrorPlan::mtu_lower`]. The embedded packet keeps its TTL, and its
/// checksum, as far as it is there, is updated. A first fragment becomes the
/// start of a whole packet: its receiver has sent one. Extensions of the
/// message (RFC 4884) are left out.
///
/// # Errors
///
/// One [`Error`] per cause; nothing has been written then.
#[inline]
pub fn translate_error<Old: Network, New: Network>(
    packet: &mut [u8],
    icmp_offset: usize,
    plan: &ErrorPlan<New>,
    id: u16,
) -> Result<TranslatedError, Error> {
    let room = room::<Old, New>();
    let old = packet.get(room..).ok_or(rewrite::Error::Truncated)?;
    let said = Said::<Old>::read(old, icmp_offset)?;
    let about = types::About {
        len: said.embedded_len,
        mtu_lower: plan.mtu_lower,
    };
    let fixed = types::counterpart::<Old, New>(&said.fixed, about)?;
    let ttl = plan.ttl.apply(said.outer.ttl);
    let ttl = ttl.map_err(rewrite::Error::from)?;
    let parts = Parts::split::<New>(packet, room.saturating_add(said.l4_at), said.l4_len)?;
    let mut l4 = EmbeddedL4::parse(said.transport, parts.l4)?;

    // Nothing fails from here on: the parts are as long as what goes there.
    let payload_len = u32::try_from(parts.len.saturating_sub(New::HEADER_LEN)).ok();
    let outer = Head {
        ttl,
        protocol: New::ICMP,
        payload_len,
        ..said.outer.between(plan.src, plan.dst)
    };
    let (src, dst) = (plan.embedded_src.addr, plan.embedded_dst.addr);
    let embedded = said.embedded.between(src, dst);
    let extra = |id| Extra {
        id,
        aggregate: true,
        fragmented: false,
    };
    outer.write(parts.outer, extra(id))?;
    embedded.write(parts.embedded, extra(0))?;
    l4.rewrite(plan, embedded.addresses().sub(said.embedded.addresses()));

    let mut sum = l4.add_to(Sum::ZERO.add_bytes(&fixed).add_bytes(parts.embedded));
    if New::ICMP_PSEUDO {
        let len = payload_len.unwrap_or(0);
        sum = sum.add(csum::pseudo(plan.src, plan.dst, New::ICMP, len));
    }
    let [kind, code, _, _, a, b, c, d] = fixed;
    let [high, low] = sum.checksum().to_be_bytes();
    *parts.fixed = [kind, code, high, low, a, b, c, d];
    Ok(TranslatedError {
        start: parts.start,
        len: parts.len,
    })
}

/// What an error says.
struct Said<A> {
    outer: Head<A>,
    fixed: [u8; HEADER_LEN],
    embedded: Head<A>,
    /// The length of the embedded packet, as that states it.
    embedded_len: Option<u32>,
    transport: Transport,
    /// Where the embedded transport header begins.
    l4_at: usize,
    /// How much of it, and of what follows, is there.
    l4_len: usize,
}

impl<A: Network> Said<A> {
    /// Reads the error in `packet`, which begins with its IP header.
    #[inline]
    fn read(packet: &[u8], icmp_offset: usize) -> Result<Self, Error> {
        let (header, message) = packet
            .split_at_checked(icmp_offset)
            .ok_or(rewrite::Error::Truncated)?;
        let outer = head::whole(header)?;
        let (fixed, body) = message
            .split_first_chunk()
            .ok_or(rewrite::Error::Truncated)?;
        if !matches!(A::icmp_kind(fixed), Kind::Error(_)) {
            return Err(rewrite::Error::NotAnError.into());
        }
        let datagram = types::datagram_len::<A>(fixed);
        let body = datagram.and_then(|len| body.get(..len)).unwrap_or(body);
        let packet: Packet<A> = A::parse(body).map_err(rewrite::Error::Embedded)?;
        Ok(Self {
            outer,
            fixed: *fixed,
            embedded: Head::of(body, &packet),
            embedded_len: packet.total_len,
            transport: embedded_transport(&packet)?,
            l4_at: icmp_offset
                .saturating_add(HEADER_LEN)
                .saturating_add(packet.l4_offset),
            l4_len: body.len().saturating_sub(packet.l4_offset),
        })
    }
}

/// Where the parts of a new error go.
struct Parts<'a> {
    start: usize,
    len: usize,
    outer: &'a mut [u8],
    fixed: &'a mut [u8; HEADER_LEN],
    embedded: &'a mut [u8],
    l4: &'a mut [u8],
}

impl<'a> Parts<'a> {
    /// The parts around `l4_at`, where `l4_len` bytes are there.
    #[inline]
    fn split<A: Network>(
        packet: &'a mut [u8],
        l4_at: usize,
        l4_len: usize,
    ) -> Result<Self, rewrite::Error> {
        let headers = A::HEADER_LEN.saturating_mul(2).saturating_add(HEADER_LEN);
        let l4_len = l4_len.min(max_len::<A>().saturating_sub(headers));
        let start = l4_at.checked_sub(headers);
        start
            .and_then(|start| {
                let (_, place) = packet.split_at_mut_checked(start)?;
                let (outer, place) = place.split_at_mut_checked(A::HEADER_LEN)?;
                let (fixed, place) = place.split_first_chunk_mut()?;
                let (embedded, place) = place.split_at_mut_checked(A::HEADER_LEN)?;
                Some(Self {
                    start,
                    len: headers.saturating_add(l4_len),
                    outer,
                    fixed,
                    embedded,
                    l4: place.get_mut(..l4_len)?,
                })
            })
            .ok_or(rewrite::Error::Truncated)
    }
}

#[cfg(test)]
#[path = "icmp_tests.rs"]
mod tests;
