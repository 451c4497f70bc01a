// SPDX-License-Identifier: GPL-2.0

//! What IPv4 and IPv6 have in common.
//!
//! [`Packet`] is what code that does not care about the version wants to know
//! of an IP header, [`Network`] is what an address family knows about its
//! headers. The headers themselves are in [`crate::ipv4`] and [`crate::ipv6`].

use crate::addr::Address;
use crate::csum::Sum;
use crate::icmp;

/// The IP header of one packet, parsed.
///
/// ```
/// use core::net::Ipv4Addr;
/// use lvs_wire::ip::{Network, Packet};
/// let header = [
///     0x45, 0, 0, 28, 0, 1, 0x40, 0, // version and length, total length, id, DF
///     64, 17, 0, 0, 192, 0, 2, 1, 198, 51, 100, 2, // TTL, UDP, addresses
/// ];
/// let packet: Packet<Ipv4Addr> = Network::parse(&header)?;
/// assert_eq!((packet.l4_offset, packet.protocol), (20, 17));
/// # Ok::<(), lvs_wire::ip::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<A> {
    /// Source address.
    pub src: A,
    /// Destination address.
    pub dst: A,
    /// Protocol of what begins at [`l4_offset`](Self::l4_offset); extension
    /// headers of IPv6 have been walked over.
    pub protocol: u8,
    /// Time to live, hop limit.
    pub ttl: u8,
    /// Bytes from the start of the IP header to the transport header.
    pub l4_offset: usize,
    /// Length of headers and payload as the header states it. `None` for an
    /// aggregate that is too big for the field (BIG TCP), whose field is 0.
    pub total_len: Option<u32>,
    /// Whether routers must not fragment the packet; always so in IPv6.
    pub dont_fragment: bool,
    /// Which fragment this is, `None` for a whole packet.
    pub fragment: Option<Fragment>,
}

impl<A> Packet<A> {
    /// Whether a transport header begins at [`l4_offset`](Self::l4_offset): so
    /// in every packet but the second and further fragments.
    #[inline]
    pub fn has_transport(&self) -> bool {
        self.fragment.is_none_or(|fragment| fragment.offset == 0)
    }
}

/// Which piece of a fragmented packet a fragment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// Bytes of the payload before this fragment.
    pub offset: u16,
    /// Whether further fragments follow.
    pub more: bool,
    /// What the fragments of a packet have in common; 16 bits in IPv4.
    pub id: u32,
}

/// Why bytes are not an IP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// Fewer bytes than the fixed header, or than the header says it has.
    Truncated,
    /// The version is not the one asked for.
    Version,
    /// An IPv4 header length under 20.
    HeaderLength,
    /// A total length under the length of the header.
    TotalLength,
    /// An IPv6 extension header is cut off.
    ExtensionTruncated,
    /// More IPv6 extension headers than anything legitimate has.
    TooManyExtensions,
}

/// What an address family knows about its headers.
pub trait Network: Address {
    /// The version in the first four bits.
    const VERSION: u8;

    /// Bytes of the fixed header.
    const HEADER_LEN: usize;

    /// Bytes before the source address.
    const HEAD_LEN: usize;

    /// Protocol number of the family's ICMP.
    const ICMP: u8;

    /// Whether the ICMP checksum covers a pseudo header.
    const ICMP_PSEUDO: bool;

    /// The smallest MTU that a link may have (RFC 791, RFC 8200).
    const MIN_MTU: u16;

    /// Parses the IP header at the start of `bytes`.
    ///
    /// # Errors
    ///
    /// One [`Error`] per cause. `bytes` need not hold the payload.
    fn parse(bytes: &[u8]) -> Result<Packet<Self>, Error>;

    /// Differentiated services and ECN, from the start of a header; 0 when it
    /// is cut off.
    fn dsfield(header: &[u8]) -> u8;

    /// What an ICMP message of this family is, from its first eight bytes.
    fn icmp_kind(fixed: &[u8; 8]) -> icmp::Kind;

    /// Writes the MTU into the first eight bytes of a "too big" message.
    fn set_icmp_mtu(fixed: &mut [u8; 8], mtu: u32);

    /// Changes what precedes the addresses, at the start of `header`.
    ///
    /// # Errors
    ///
    /// See [`HeadError`]; nothing has been written then.
    fn edit_head(header: &mut [u8], edit: HeadEdit) -> Result<(), HeadError>;
}

/// A change to an IP header besides its addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadEdit {
    /// What happens to the TTL.
    pub ttl: TtlStep,
    /// Bytes that the packet has grown by.
    pub grow: i16,
    /// By how much the sum of the addresses changes, for IPv4's checksum.
    pub addresses: Sum,
}

/// What happens to the TTL or hop limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TtlStep {
    /// It stays.
    Keep,
    /// It is decremented, as by any router.
    Decrement,
}

impl TtlStep {
    /// The TTL after the step.
    ///
    /// # Errors
    ///
    /// [`HeadError::TtlExpired`] where a router would have to drop the packet.
    #[inline]
    pub fn apply(self, ttl: u8) -> Result<u8, HeadError> {
        match (self, ttl) {
            (TtlStep::Keep, ttl) => Ok(ttl),
            (TtlStep::Decrement, 0 | 1) => Err(HeadError::TtlExpired),
            (TtlStep::Decrement, ttl) => Ok(ttl.wrapping_sub(1)),
        }
    }
}

/// Why an IP header cannot be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadError {
    /// Fewer bytes than the fixed header.
    Truncated,
    /// The TTL is used up: the sender is to be told by ICMP.
    TtlExpired,
    /// The length would no longer fit its field.
    TooLong,
}

/// The value of a 16-bit length field after growing; 0 stands for an aggregate
/// too big for the field and stays 0.
#[inline]
pub(crate) fn grown(field: u16, grow: i16) -> Result<u16, HeadError> {
    match (field, grow) {
        (0, _) | (_, 0) => Ok(field),
        _ => field.checked_add_signed(grow).ok_or(HeadError::TooLong),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_router_drops_at_ttl_one() {
        assert_eq!(TtlStep::Decrement.apply(2), Ok(1));
        assert_eq!(TtlStep::Decrement.apply(1), Err(HeadError::TtlExpired));
        assert_eq!(TtlStep::Decrement.apply(0), Err(HeadError::TtlExpired));
        assert_eq!(TtlStep::Keep.apply(0), Ok(0));
    }

    #[test]
    fn a_length_never_wraps() {
        assert_eq!(grown(65535, 0), Ok(65535));
        assert_eq!(grown(65528, 8), Err(HeadError::TooLong));
        assert_eq!(grown(48, -8), Ok(40));
        assert_eq!(grown(8, -20), Err(HeadError::TooLong));
        assert_eq!(grown(0, 8), Ok(0));
    }
}
