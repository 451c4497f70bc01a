// SPDX-License-Identifier: GPL-2.0

//! A packet of one IP version becomes one of the other (RFC 7915), on its way
//! between an IPv6 client and an IPv4 server.
//!
//! The headers are changed where they stand. What precedes the payload grows or
//! shrinks at its front alone: the transport header keeps its place.
//!
//! ```text
//! before:  [room][old IP header, options, extension headers][TCP or UDP][payload]
//! after:   [ start, no longer packet ][   new IP header    ][TCP or UDP][payload]
//! ```
//!
//! 1. The caller puts [`room`] bytes in front of the packet: 20 from IPv4 to
//!    IPv6, none the other way. What is in them does not matter.
//! 2. [`translate`] writes the new IP header directly in front of the transport
//!    header, over the end of the old one.
//! 3. The caller takes [`Translated::start`] bytes off the front.
//!
//! Where TCP options change, the room for them is behind the old options, and
//! the gap that shorter ones leave is behind the new ones, exactly as
//! [`rewrite`](super) has it.
//!
//! ICMP errors are in [`icmp`].

mod head;
pub mod icmp;
mod types;
#[cfg(test)]
mod vectors;

use head::Head;

use super::options::OptionsOut;
use super::{apply::transport, CsumState, Place, Plan, Transport};
use crate::addr::Family;
use crate::csum::{self, Sum};
use crate::ip::{self, Network};
use crate::rewrite;
use crate::udp;

/// The most that a TCP server may announce as MSS to an IPv6 client: what an
/// Ethernet frame of 1500 bytes holds behind an IPv6 header of 40 bytes and a
/// TCP header of 20 (RFC 9293 section 3.7.1). An IPv4 server counts 20 bytes
/// for IP and announces 1460.
pub const MAX_MSS: u16 = 1440;

/// What a translation needs to know besides the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extra {
    /// The identification of an IPv4 packet that routers may fragment. A fresh
    /// one for each packet.
    pub id: u16,
    /// The packet is cut into segments before it leaves (GSO): a length that
    /// does not fit its field is written as 0 (BIG TCP).
    pub aggregate: bool,
    /// The packet came in fragments and may leave in fragments: an IPv4 header
    /// allows that, whatever the length (RFC 7915 section 5.1.1).
    pub fragmented: bool,
}

/// What has become of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Translated {
    /// Bytes at the front that no longer belong to the packet.
    pub start: usize,
    /// A UDP datagram came without a checksum, which IPv6 does not allow: its
    /// field is 0, until [`finish_udp`] has been told what the payload sums up
    /// to.
    pub needs_udp_checksum: bool,
}

/// Why a packet cannot be translated. Nothing has been written then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// What may also prevent a rewriting.
    Rewrite(rewrite::Error),
    /// There is no IP header, or one that ends elsewhere.
    Header(ip::Error),
    /// It is one fragment of several.
    Fragment,
    /// A routing header names stations that the packet has not been to. The
    /// sender is to be told by a parameter problem of code 0 that points to
    /// this byte of the packet.
    SegmentsLeft(u32),
    /// An authentication header, which covers the IP header.
    Authenticated,
    /// No ICMP error of the other family says the same.
    NoCounterpart,
}

impl From<rewrite::Error> for Error {
    #[inline]
    fn from(error: rewrite::Error) -> Self {
        Error::Rewrite(error)
    }
}

/// Bytes that have to be in front of a packet before [`translate`].
#[inline]
#[must_use]
pub const fn room<Old: Network, New: Network>() -> usize {
    New::HEADER_LEN.saturating_sub(Old::HEADER_LEN)
}

/// Changes the headers of a packet to those of another family, as `plan` says.
///
/// `header` begins with [`room`] bytes and then the IP header, and holds at
/// least everything up to the end of the transport header; the payload need not
/// be there. `place` counts from the IP header. `options` and the space for
/// them are as with [`super::apply()`].
///
/// Traffic class and TTL are kept, the latter less a step of the plan. Options
/// of IPv4 are left out, and so are the extension headers and the flow label of
/// IPv6. IPv4 packets of up to 1260 bytes may be fragmented, longer ones not,
/// unless they are [`Extra::fragmented`].
/// The transport's checksum is updated: what was wrong stays wrong.
///
/// # Errors
///
/// One [`Error`] per cause; nothing has been written then.
///
/// ```
/// use core::net::{Ipv4Addr, Ipv6Addr};
/// use lvs_wire::rewrite::{translate::*, CsumState, Place, Plan, Transport};
/// use lvs_wire::{addr::Endpoint, ip::TtlStep, ipv4};
/// let mut packet = [0; 48]; // IPv6 and UDP
/// packet[..8].copy_from_slice(&[0x6b, 0x80, 0, 0, 0, 8, 17, 64]);
/// packet[44..46].copy_from_slice(&[0, 8]);
/// let place = Place { l4_offset: 40, transport: Transport::Udp, csum: CsumState::None };
/// let end = |last, port| Endpoint::new(Ipv4Addr::new(192, 0, 2, last), port);
/// let plan = Plan { src: end(1, 1024), dst: end(2, 53), ttl: TtlStep::Decrement, tcp: None };
/// let extra = Extra { id: 7, aggregate: false, fragmented: false };
/// let done = translate::<Ipv6Addr, Ipv4Addr>(&mut packet, place, &plan, None, extra).unwrap();
/// let header = ipv4::Header::parse(&packet[done.start..]).unwrap();
/// assert!(header.checksum_ok());
/// assert_eq!((done.start, header.tos(), header.ttl(), header.total_len()), (20, 0xb8, 63, 28));
/// ```
#[inline]
pub fn translate<Old: Network, New: Network>(
    header: &mut [u8],
    place: Place,
    plan: &Plan<New>,
    options: Option<&OptionsOut>,
    extra: Extra,
) -> Result<Translated, Error> {
    let room = room::<Old, New>();
    let (front, l4) = room
        .checked_add(place.l4_offset)
        .and_then(|len| header.split_at_mut_checked(len))
        .ok_or(rewrite::Error::Truncated)?;
    let old = head::whole::<Old>(front.get(room..).unwrap_or(&[]))?;
    let (start, new_place) = last::<New>(front)?;
    transport(l4, place, plan, options, |grow| {
        let new = Head {
            ttl: plan.ttl.apply(old.ttl)?,
            protocol: place.transport.protocol(),
            payload_len: grown(old.payload_len, grow)?,
            ..old.between(plan.src.addr, plan.dst.addr)
        };
        new.write(new_place, extra)?;
        Ok(new.addresses().sub(old.addresses()))
    })?;
    Ok(Translated {
        start,
        needs_udp_checksum: New::FAMILY == Family::V6
            && lacks_checksum(place.transport, place.csum, l4),
    })
}

/// Completes a datagram that [`Translated::needs_udp_checksum`].
///
/// `l4` begins with the UDP header; `payload` is the sum of what follows it, as
/// many bytes as the header's length says less 8.
///
/// # Errors
///
/// `Truncated`: fewer than 8 bytes.
#[inline]
pub fn finish_udp<A: Network>(
    l4: &mut [u8],
    plan: &Plan<A>,
    payload: Sum,
) -> Result<(), rewrite::Error> {
    let fixed = l4
        .first_chunk_mut::<{ udp::HEADER_LEN }>()
        .ok_or(rewrite::Error::Truncated)?;
    let [ports @ .., len0, len1, e, f] = fixed;
    let len = u16::from_be_bytes([*len0, *len1]);
    let (src, dst) = (plan.src.addr, plan.dst.addr);
    let sum = csum::pseudo(src, dst, csum::UDP, u32::from(len))
        .add_bytes(ports)
        .add_u16(len)
        .add(payload);
    [*e, *f] = csum::udp_field(sum.checksum()).to_be_bytes();
    Ok(())
}

/// The last bytes of `front`, as many as a header of `New` has, and how many
/// are before them.
#[inline]
fn last<New: Network>(front: &mut [u8]) -> Result<(usize, &mut [u8]), rewrite::Error> {
    let start = front.len().checked_sub(New::HEADER_LEN);
    start
        .and_then(|start| Some((start, front.get_mut(start..)?)))
        .ok_or(rewrite::Error::Truncated)
}

/// A length that grows by `by`; an aggregate's stays unknown.
#[inline]
fn grown(len: Option<u32>, by: i16) -> Result<Option<u32>, rewrite::Error> {
    match len {
        None => Ok(None),
        Some(len) => match len.checked_add_signed(i32::from(by)) {
            None => Err(rewrite::Error::TooLong),
            len => Ok(len),
        },
    }
}

/// Whether a datagram says that it has no checksum.
#[inline]
fn lacks_checksum(transport: Transport, csum: CsumState, l4: &[u8]) -> bool {
    matches!(
        (transport, csum, l4),
        (
            Transport::Udp,
            CsumState::Full,
            [_, _, _, _, _, _, 0, 0, ..]
        )
    )
}

#[cfg(test)]
#[path = "translate_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "translate_properties.rs"]
mod properties;
