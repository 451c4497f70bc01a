// SPDX-License-Identifier: GPL-2.0

//! An address is four or sixteen octets, an endpoint is an address and a port.
//!
//! Code that does not care about the family is written once, over
//! [`Address`]. Where the family is known only at run time (configuration,
//! dumps) the type is [`AnyAddr`].

use core::fmt;
use core::hash::Hash;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::csum::Sum;

/// An address whose family is known only at run time.
pub type AnyAddr = IpAddr;

/// An endpoint whose family is known only at run time.
pub type AnyEndpoint = Endpoint<IpAddr>;

mod sealed {
    /// Keeps [`super::Address`] to the two families that exist.
    pub trait Sealed {}
    impl Sealed for core::net::Ipv4Addr {}
    impl Sealed for core::net::Ipv6Addr {}
}

/// An address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u16)]
pub enum Family {
    /// `AF_INET`
    V4 = 2,
    /// `AF_INET6`
    V6 = 10,
}

impl Family {
    /// The number that Linux gives the family: `AF_INET` 2, `AF_INET6` 10.
    #[inline]
    pub const fn af(self) -> u16 {
        match self {
            Family::V4 => 2,
            Family::V6 => 10,
        }
    }

    /// The family of a Linux number, `None` for any other than 2 and 10.
    #[inline]
    pub const fn from_af(af: u16) -> Option<Self> {
        match af {
            2 => Some(Family::V4),
            10 => Some(Family::V6),
            _ => None,
        }
    }

    /// Octets in an address of this family.
    #[inline]
    pub const fn addr_len(self) -> usize {
        match self {
            Family::V4 => 4,
            Family::V6 => 16,
        }
    }

    /// The family of an address.
    #[inline]
    pub const fn of(addr: &IpAddr) -> Self {
        match addr {
            IpAddr::V4(_) => Family::V4,
            IpAddr::V6(_) => Family::V6,
        }
    }

    /// Reads an address of this family from exactly as many bytes as it has.
    ///
    /// Sixteen bytes are also accepted for IPv4, of which the first four
    /// count: that is how the `IPVS` netlink family pads.
    #[inline]
    pub fn read(self, bytes: &[u8]) -> Option<IpAddr> {
        match (self, bytes.len()) {
            (Family::V4, 4 | 16) => Ipv4Addr::from_prefix(bytes).map(|(a, _)| IpAddr::V4(a)),
            (Family::V6, 16) => Ipv6Addr::from_prefix(bytes).map(|(a, _)| IpAddr::V6(a)),
            _ => None,
        }
    }
}

/// An IPv4 or an IPv6 address: [`Ipv4Addr`] and [`Ipv6Addr`], nothing else.
pub trait Address:
    sealed::Sealed
    + Copy
    + Eq
    + Ord
    + Hash
    + fmt::Debug
    + fmt::Display
    + Into<IpAddr>
    + Send
    + Sync
    + 'static
{
    /// Which of the two this is.
    const FAMILY: Family;

    /// Octets in an address.
    const LEN: usize;

    /// `0.0.0.0` or `::`.
    const UNSPECIFIED: Self;

    /// The octets in network order, as an array.
    type Octets: AsRef<[u8]> + Copy + Eq + fmt::Debug;

    /// The octets in network order.
    fn to_octets(self) -> Self::Octets;

    /// Splits an address off the front of `bytes`, `None` when they are too few.
    fn from_prefix(bytes: &[u8]) -> Option<(Self, &[u8])>;

    /// Writes the octets to the front of `bytes` and returns what is behind
    /// them, `None` (and nothing written) when they are too few.
    fn write_prefix(self, bytes: &mut [u8]) -> Option<&mut [u8]>;

    /// The ones-complement sum of the address, for pseudo headers.
    fn sum(self) -> Sum;

    /// By how much a sum that covers this address changes when `new` takes its
    /// place.
    fn change_to(self, new: Self) -> Sum;

    /// Four 32-bit words in host order; IPv4 fills the last and leaves the
    /// others 0. For hashing and for keys.
    fn to_words(self) -> [u32; 4];

    /// The address of which [`Self::to_words`] gives these.
    fn from_words(words: [u32; 4]) -> Self;

    /// The address when `any` is of this family.
    fn from_any(any: IpAddr) -> Option<Self>;

    /// Whether a host may have the address as its own: it is not unspecified,
    /// not multicast and not broadcast.
    fn is_host(self) -> bool;

    /// Whether packets to the address never leave a host.
    fn is_loopback(self) -> bool;

    /// Reads an address from exactly [`Self::LEN`] bytes.
    #[inline]
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        match Self::from_prefix(bytes) {
            Some((addr, [])) => Some(addr),
            _ => None,
        }
    }
}

impl Address for Ipv4Addr {
    const FAMILY: Family = Family::V4;
    const LEN: usize = 4;
    const UNSPECIFIED: Self = Ipv4Addr::UNSPECIFIED;
    type Octets = [u8; 4];

    #[inline]
    fn to_octets(self) -> [u8; 4] {
        self.octets()
    }

    #[inline]
    fn from_prefix(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (head, tail) = bytes.split_first_chunk::<4>()?;
        Some((Ipv4Addr::from(*head), tail))
    }

    #[inline]
    fn write_prefix(self, bytes: &mut [u8]) -> Option<&mut [u8]> {
        let (head, tail) = bytes.split_first_chunk_mut::<4>()?;
        *head = self.octets();
        Some(tail)
    }

    #[inline]
    fn sum(self) -> Sum {
        Sum::ZERO.add_u32(self.to_bits())
    }

    #[inline]
    fn change_to(self, new: Self) -> Sum {
        Sum::ZERO.replace_u32(self.to_bits(), new.to_bits())
    }

    #[inline]
    fn to_words(self) -> [u32; 4] {
        [0, 0, 0, self.to_bits()]
    }

    #[inline]
    fn from_words([_, _, _, word]: [u32; 4]) -> Self {
        Ipv4Addr::from_bits(word)
    }

    #[inline]
    fn from_any(any: IpAddr) -> Option<Self> {
        match any {
            IpAddr::V4(addr) => Some(addr),
            IpAddr::V6(_) => None,
        }
    }

    #[inline]
    fn is_host(self) -> bool {
        !(self.is_unspecified() || self.is_multicast() || self.is_broadcast())
    }

    #[inline]
    fn is_loopback(self) -> bool {
        Ipv4Addr::is_loopback(&self)
    }
}

impl Address for Ipv6Addr {
    const FAMILY: Family = Family::V6;
    const LEN: usize = 16;
    const UNSPECIFIED: Self = Ipv6Addr::UNSPECIFIED;
    type Octets = [u8; 16];

    #[inline]
    fn to_octets(self) -> [u8; 16] {
        self.octets()
    }

    #[inline]
    fn from_prefix(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (head, tail) = bytes.split_first_chunk::<16>()?;
        Some((Ipv6Addr::from(*head), tail))
    }

    #[inline]
    fn write_prefix(self, bytes: &mut [u8]) -> Option<&mut [u8]> {
        let (head, tail) = bytes.split_first_chunk_mut::<16>()?;
        *head = self.octets();
        Some(tail)
    }

    #[inline]
    fn sum(self) -> Sum {
        let [a, b, c, d] = self.to_words();
        Sum::ZERO.add_u32(a).add_u32(b).add_u32(c).add_u32(d)
    }

    #[inline]
    fn change_to(self, new: Self) -> Sum {
        let [a, b, c, d] = self.to_words();
        let [e, f, g, h] = new.to_words();
        Sum::ZERO
            .replace_u32(a, e)
            .replace_u32(b, f)
            .replace_u32(c, g)
            .replace_u32(d, h)
    }

    #[inline]
    fn to_words(self) -> [u32; 4] {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = self.octets();
        [
            u32::from_be_bytes([a, b, c, d]),
            u32::from_be_bytes([e, f, g, h]),
            u32::from_be_bytes([i, j, k, l]),
            u32::from_be_bytes([m, n, o, p]),
        ]
    }

    #[inline]
    fn from_words([a, b, c, d]: [u32; 4]) -> Self {
        let bits = (u128::from(a) << 96) | (u128::from(b) << 64) | (u128::from(c) << 32);
        Ipv6Addr::from_bits(bits | u128::from(d))
    }

    #[inline]
    fn from_any(any: IpAddr) -> Option<Self> {
        match any {
            IpAddr::V6(addr) => Some(addr),
            IpAddr::V4(_) => None,
        }
    }

    #[inline]
    fn is_host(self) -> bool {
        !(self.is_unspecified() || self.is_multicast())
    }

    #[inline]
    fn is_loopback(self) -> bool {
        Ipv6Addr::is_loopback(&self)
    }
}

/// An address and a port.
///
/// ```
/// use core::net::Ipv4Addr;
/// use lvs_wire::addr::Endpoint;
/// let vip = Endpoint::new(Ipv4Addr::new(192, 0, 2, 1), 443);
/// assert_eq!(vip.any().port, 443);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint<A> {
    /// The address.
    pub addr: A,
    /// The port, in host order.
    pub port: u16,
}

impl<A> Endpoint<A> {
    /// An endpoint from its parts; `port` in host order.
    #[inline]
    pub const fn new(addr: A, port: u16) -> Self {
        Self { addr, port }
    }
}

impl<A: Address> Endpoint<A> {
    /// The same endpoint with its family forgotten.
    #[inline]
    pub fn any(self) -> AnyEndpoint {
        Endpoint::new(self.addr.into(), self.port)
    }

    /// The endpoint when `any` is of this family.
    #[inline]
    pub fn from_any(any: AnyEndpoint) -> Option<Self> {
        Some(Endpoint::new(A::from_any(any.addr)?, any.port))
    }
}

/// As `core::net::SocketAddr` writes it: `192.0.2.1:80`, `[2001:db8::1]:80`.
impl<A: Copy + Into<IpAddr>> fmt::Display for Endpoint<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.addr.into() {
            IpAddr::V4(addr) => write!(f, "{addr}:{}", self.port),
            IpAddr::V6(addr) => write!(f, "[{addr}]:{}", self.port),
        }
    }
}

#[cfg(test)]
#[path = "addr_tests.rs"]
mod tests;
