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
use crate::ip::{Network, Packet, TtlStep};
use crate::tcp::Flags;

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
    let before = Sum::ZERO.add_bytes(fixed).add_bytes(body);
    let mut embedded = Embedded::parse::<A>(body)?;

    let pseudo = ip_header(outer, plan.src, plan.dst, plan.ttl, 0)?;
    if let ErrorKind::TooBig { mtu } = kind {
        A::set_icmp_mtu(fixed, lowered_mtu::<A>(mtu, plan.mtu_lower));
    }
    // Cannot fail: the header has been parsed, and no TTL is used up.
    embedded.rewrite(plan)?;
    let change = embedded.add_to(Sum::ZERO.sub(before).add_bytes(fixed));

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

/// The MTU that is told instead of `mtu`.
#[inline]
fn lowered_mtu<A: Network>(mtu: u32, lower: u16) -> u32 {
    mtu.saturating_sub(u32::from(lower))
        .max(u32::from(A::MIN_MTU))
        .min(mtu)
}

/// The transport of the packet in an error; of a later fragment, or of any but
/// TCP and UDP, nothing can be told.
#[inline]
pub(super) fn embedded_transport<A>(packet: &Packet<A>) -> Result<Transport, Error> {
    Transport::from_protocol(packet.protocol)
        .filter(|_| packet.has_transport())
        .ok_or(Error::EmbeddedTransport)
}

/// The embedded packet, as far as it is there.
struct Embedded<'a> {
    ip: &'a mut [u8],
    l4: EmbeddedL4<'a>,
}

impl<'a> Embedded<'a> {
    #[inline]
    fn parse<A: Network>(body: &'a mut [u8]) -> Result<Self, Error> {
        let packet = A::parse(body).map_err(Error::Embedded)?;
        let transport = embedded_transport(&packet)?;
        let (ip, l4) = body
            .split_at_mut_checked(packet.l4_offset)
            .ok_or(Error::EmbeddedTransport)?;
        let l4 = EmbeddedL4::parse(transport, l4)?;
        Ok(Self { ip, l4 })
    }

    /// Changes the packet, and its checksums as far as they are there.
    #[inline]
    fn rewrite<A: Network>(&mut self, plan: &ErrorPlan<A>) -> Result<(), Error> {
        let (src, dst) = (plan.embedded_src.addr, plan.embedded_dst.addr);
        let addresses = ip_header(self.ip, src, dst, TtlStep::Keep, 0)?;
        self.l4.rewrite(plan, addresses);
        Ok(())
    }

    /// Adds the packet to a sum; each part begins at an even offset.
    #[inline]
    fn add_to(&self, sum: Sum) -> Sum {
        self.l4.add_to(sum.add_bytes(self.ip))
    }
}

/// The embedded transport header, as far as it is there.
pub(super) struct EmbeddedL4<'a> {
    transport: Transport,
    /// Ports, then TCP's sequence number or UDP's length and checksum.
    first: &'a mut [u8; 8],
    rest: &'a mut [u8],
}

impl<'a> EmbeddedL4<'a> {
    /// The header at the start of `l4`, and what follows it.
    #[inline]
    pub(super) fn parse(transport: Transport, l4: &'a mut [u8]) -> Result<Self, Error> {
        let (first, rest) = l4.split_first_chunk_mut().ok_or(Error::EmbeddedTransport)?;
        Ok(Self {
            transport,
            first,
            rest,
        })
    }

    /// Changes ports and numbers, and the checksum if it is there; `addresses`
    /// is by how much the sum of the addresses has changed.
    #[inline]
    pub(super) fn rewrite<A: Network>(&mut self, plan: &ErrorPlan<A>, addresses: Sum) {
        let [a, b, c, d, e, f, g, h] = *self.first;
        let old_ports = u32::from_be_bytes([a, b, c, d]);
        let (src, dst) = (plan.embedded_src.port, plan.embedded_dst.port);
        let new_ports = (u32::from(src) << 16) | u32::from(dst);
        let change = addresses.replace_u32(old_ports, new_ports);
        let mut second = [e, f, g, h];
        match self.transport {
            Transport::Tcp => {
                let change = add(&mut second, plan.seq_add, change);
                embedded_tcp(self.rest, change, plan.ack_add);
            }
            Transport::Udp => {
                let [g, h] = update_udp(u16::from_be_bytes([g, h]), change).to_be_bytes();
                second = [e, f, g, h];
            }
        }
        let ([a, b, c, d], [e, f, g, h]) = (new_ports.to_be_bytes(), second);
        *self.first = [a, b, c, d, e, f, g, h];
    }

    /// Adds header and rest to a sum.
    #[inline]
    pub(super) fn add_to(&self, sum: Sum) -> Sum {
        sum.add_bytes(self.first).add_bytes(self.rest)
    }
}

/// Adds to a word in network order, and to `change` by how much the sum changes.
#[inline]
fn add(word: &mut [u8; 4], add: u32, change: Sum) -> Sum {
    let old = u32::from_be_bytes(*word);
    let new = old.wrapping_add(add);
    *word = new.to_be_bytes();
    change.replace_u32(old, new)
}

/// What follows the sequence number of a TCP header, as far as it is there.
#[inline]
fn embedded_tcp(rest: &mut [u8], change: Sum, ack_add: u32) {
    let Some((ack, rest)) = rest.split_first_chunk_mut() else {
        return;
    };
    let [_, flags, _, _, check @ ..] = rest else {
        return;
    };
    let mut change = change;
    if Flags(*flags).ack() {
        change = add(ack, ack_add, change);
    }
    if let Some(check) = check.first_chunk_mut() {
        *check = update(u16::from_be_bytes(*check), change).to_be_bytes();
    }
}

#[cfg(test)]
#[path = "icmp_tests.rs"]
pub(super) mod tests;
