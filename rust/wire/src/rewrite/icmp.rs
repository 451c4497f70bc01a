// SPDX-License-Identifier: GPL-2.0

//! Changing an ICMP error so that its receiver recognises its own packet in it.
//!
//! ```text
//! [outer IP][ICMP, 8 bytes][embedded IP][embedded TCP or UDP, >= 8 bytes]
//! ```
//!
//! The embedded packet is as the reporting router saw it: its addresses, ports,
//! sequence numbers and checksums are translated back, or the receiver finds no
//! connection for it, or one to which the sequence number does not belong, and
//! path MTU discovery turns into a black hole.

use super::apply::ip_header;
use super::{CsumState, Error, Transport};
use crate::addr::Endpoint;
use crate::csum::{update, update_partial, update_udp, Sum};
use crate::icmp::{ErrorKind, Kind, HEADER_LEN};
use crate::ip::{Network, TtlStep};

/// What an ICMP error is to become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorPlan<A> {
    /// The new source of the message.
    pub src: A,
    /// The new destination of the message.
    pub dst: A,
    /// What happens to its TTL.
    pub ttl: TtlStep,
    /// The new source of the embedded packet.
    pub embedded_src: Endpoint<A>,
    /// The new destination of the embedded packet.
    pub embedded_dst: Endpoint<A>,
    /// Added, wrapping, to the embedded TCP sequence number.
    pub seq_add: u32,
    /// Added, wrapping, to the embedded TCP acknowledgment number, if it is
    /// there and the segment has ACK.
    pub ack_add: u32,
    /// Taken off the MTU of a "too big" message: what the balancer adds to
    /// packets on this leg. The result is never under the family's minimum,
    /// unless it was.
    pub mtu_lower: u16,
}

/// Changes an ICMP error as `plan` says.
///
/// `packet` begins with the outer IP header; `icmp_offset` is where its ICMP
/// header begins. Only what is in `packet` is read or written, so that at least
/// 8 bytes of the embedded transport header have to be there; bytes behind
/// `packet` are covered by the checksum and need not be. `csum` is what the
/// ICMP checksum field holds.
///
/// # Errors
///
/// One [`Error`] per cause; nothing has been written then.
#[inline]
pub fn apply_error<A: Network>(
    packet: &mut [u8],
    icmp_offset: usize,
    csum: CsumState,
    plan: &ErrorPlan<A>,
) -> Result<(), Error> {
    let (outer, message) = packet
        .split_at_mut_checked(icmp_offset)
        .ok_or(Error::Truncated)?;
    let (fixed, body) = message
        .split_first_chunk_mut::<HEADER_LEN>()
        .ok_or(Error::Truncated)?;
    let Kind::Error(kind) = A::icmp_kind(fixed) else {
        return Err(Error::NotAnError);
    };
    let (transport, l4_offset) = embedded_transport::<A>(body)?;

    let pseudo = ip_header(outer, plan.src, plan.dst, plan.ttl, 0)?;
    let before = Sum::ZERO.add_bytes(fixed).add_bytes(body);
    if let ErrorKind::TooBig { mtu } = kind {
        A::set_icmp_mtu(fixed, lowered_mtu::<A>(mtu, plan.mtu_lower));
    }
    // Cannot fail: `embedded_transport` has parsed it, and no TTL is used up.
    embedded(body, l4_offset, transport, plan)?;
    let change = Sum::ZERO.sub(before).add_bytes(fixed).add_bytes(body);

    let [_, _, c, d, ..] = fixed;
    let field = u16::from_be_bytes([*c, *d]);
    let check = match csum {
        CsumState::Full if A::ICMP_PSEUDO => update(field, change.add(pseudo)),
        CsumState::Full => update(field, change),
        CsumState::Partial if A::ICMP_PSEUDO => update_partial(field, pseudo),
        CsumState::Partial | CsumState::None => field,
    };
    [*c, *d] = check.to_be_bytes();
    Ok(())
}

/// Finds the transport header of the embedded packet.
#[inline]
fn embedded_transport<A: Network>(body: &[u8]) -> Result<(Transport, usize), Error> {
    let packet = A::parse(body).map_err(Error::Embedded)?;
    let transport = Transport::from_protocol(packet.protocol).filter(|_| packet.has_transport());
    let l4 = body.get(packet.l4_offset..).unwrap_or(&[]);
    match (transport, l4.first_chunk::<8>()) {
        (Some(transport), Some(_)) => Ok((transport, packet.l4_offset)),
        _ => Err(Error::EmbeddedTransport),
    }
}

/// The MTU that is told instead of `mtu`.
#[inline]
fn lowered_mtu<A: Network>(mtu: u32, lower: u16) -> u32 {
    mtu.saturating_sub(u32::from(lower))
        .max(u32::from(A::MIN_MTU))
        .min(mtu)
}

/// Changes the embedded packet, and its checksums as far as they are there.
#[inline]
fn embedded<A: Network>(
    body: &mut [u8],
    l4_offset: usize,
    transport: Transport,
    plan: &ErrorPlan<A>,
) -> Result<(), Error> {
    let (src, dst) = (plan.embedded_src, plan.embedded_dst);
    let (ip, l4) = body
        .split_at_mut_checked(l4_offset)
        .ok_or(Error::Truncated)?;
    let change = ip_header(ip, src.addr, dst.addr, TtlStep::Keep, 0)?;
    let (ports, rest) = l4.split_first_chunk_mut::<4>().ok_or(Error::Truncated)?;
    let new_ports = (u32::from(src.port) << 16) | u32::from(dst.port);
    let change = add(
        ports,
        new_ports.wrapping_sub(u32::from_be_bytes(*ports)),
        change,
    );
    match transport {
        Transport::Tcp => embedded_tcp(rest, change, plan.seq_add, plan.ack_add),
        Transport::Udp => embedded_udp(rest, change),
    }
    Ok(())
}

/// Adds to a word in network order, and to `change` by how much the sum changes.
#[inline]
fn add(word: &mut [u8; 4], add: u32, change: Sum) -> Sum {
    let old = u32::from_be_bytes(*word);
    let new = old.wrapping_add(add);
    *word = new.to_be_bytes();
    change.replace_u32(old, new)
}

/// What follows the ports of a TCP header: at least the sequence number.
#[inline]
fn embedded_tcp(rest: &mut [u8], change: Sum, seq_add: u32, ack_add: u32) {
    let Some((seq, rest)) = rest.split_first_chunk_mut() else {
        return;
    };
    let mut change = add(seq, seq_add, change);
    let Some((ack, rest)) = rest.split_first_chunk_mut() else {
        return;
    };
    let [_, flags, _, _, check @ ..] = rest else {
        return;
    };
    if *flags & 0x10 != 0 {
        change = add(ack, ack_add, change);
    }
    if let Some(check) = check.first_chunk_mut() {
        *check = update(u16::from_be_bytes(*check), change).to_be_bytes();
    }
}

/// What follows the ports of a UDP header: length and checksum.
#[inline]
fn embedded_udp(rest: &mut [u8], change: Sum) {
    if let [_, _, c, d, ..] = rest {
        [*c, *d] = update_udp(u16::from_be_bytes([*c, *d]), change).to_be_bytes();
    }
}

#[cfg(test)]
#[path = "icmp_tests.rs"]
mod tests;
