// SPDX-License-Identifier: GPL-2.0

//! The TOA option: the client's endpoint, told to the server in a TCP option.
//!
//! ```text
//! +--------+--------+-----------------+-----------------------------------+
//! |  kind  | 8, 20  |   client port   |  client address, 4 or 16 bytes    |
//! +--------+--------+-----------------+-----------------------------------+
//! ```
//!
//! Port and address are in network order. The kind is 254 by default; for IPv6
//! clients some balancers use 253. The family of the client decides the
//! length, not that of the packet which carries the option.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::addr::{Address, AnyEndpoint, Endpoint};
use crate::kinds::KindSet;
use crate::options::{self, Options};

/// Bytes of the option for an IPv4 client.
pub const LEN_V4: usize = 8;
/// Bytes of the option for an IPv6 client.
pub const LEN_V6: usize = 20;
/// Bytes of the longest option.
pub const MAX_LEN: usize = LEN_V6;

/// A client's endpoint as an option carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Toa {
    /// An IPv4 client.
    V4(Endpoint<Ipv4Addr>),
    /// An IPv6 client.
    V6(Endpoint<Ipv6Addr>),
}

/// Why options say nothing about the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// An option is malformed, and none before it was a TOA.
    Options(options::Error),
    /// There are options of such a kind, but of another length.
    Length,
}

impl Toa {
    /// Bytes of the whole option, a multiple of 4.
    #[inline]
    pub const fn option_len(&self) -> usize {
        match self {
            Toa::V4(_) => LEN_V4,
            Toa::V6(_) => LEN_V6,
        }
    }

    /// The client.
    #[inline]
    pub fn client(&self) -> AnyEndpoint {
        match *self {
            Toa::V4(client) => client.any(),
            Toa::V6(client) => client.any(),
        }
    }

    /// The whole option: `option_len` bytes, and zeros behind them.
    #[inline]
    pub fn to_bytes(&self, kind: u8) -> [u8; MAX_LEN] {
        match *self {
            Toa::V4(Endpoint { addr, port }) => {
                let [p, q] = port.to_be_bytes();
                let [a, b, c, d] = addr.octets();
                [
                    kind, 8, p, q, a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                ]
            }
            Toa::V6(Endpoint { addr, port }) => {
                let [r, s] = port.to_be_bytes();
                let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = addr.octets();
                [
                    kind, 20, r, s, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p,
                ]
            }
        }
    }

    /// Reads the data of one option, what follows kind and length; `None` when
    /// it has not the length of a TOA.
    #[inline]
    pub fn from_data(data: &[u8]) -> Option<Self> {
        let (port, addr) = data.split_first_chunk()?;
        let port = u16::from_be_bytes(*port);
        match addr.len() {
            4 => Some(Toa::V4(Endpoint::new(Ipv4Addr::from_bytes(addr)?, port))),
            16 => Some(Toa::V6(Endpoint::new(Ipv6Addr::from_bytes(addr)?, port))),
            _ => None,
        }
    }

    /// Looks for the first TOA of one of `kinds` among a segment's options.
    ///
    /// `Ok(None)` when no option is of these kinds.
    ///
    /// # Errors
    ///
    /// See [`Error`]. An option of another length is passed over: kind 254 is
    /// everybody's for experiments.
    ///
    /// ```
    /// use core::net::Ipv4Addr;
    /// use lvs_wire::{addr::Endpoint, kinds::KindSet, options::Options, toa::Toa};
    /// let options = [1, 1, 1, 1, 254, 8, 0x30, 0x39, 192, 0, 2, 7];
    /// let toa = Toa::find(Options::new(&options), KindSet::TOA)?;
    /// assert_eq!(toa, Some(Toa::V4(Endpoint::new(Ipv4Addr::new(192, 0, 2, 7), 12345))));
    /// # Ok::<(), lvs_wire::toa::Error>(())
    /// ```
    #[inline]
    pub fn find(options: Options<'_>, kinds: KindSet) -> Result<Option<Self>, Error> {
        let mut found = Ok(None);
        for option in options {
            let option = option.map_err(Error::Options)?;
            if !kinds.contains(option.kind) {
                continue;
            }
            match Self::from_data(option.data()) {
                Some(toa) => return Ok(Some(toa)),
                None => found = Err(Error::Length),
            }
        }
        found
    }
}

/// The IPv6 client of a connection over IPv4, as DPVS's module for servers tells
/// it (`struct toa_nat64_peer`).
///
/// ```text
/// +----------------------------------------+---------------+-----------+
/// |        client address, 16 bytes        |  client port  |  padding  |
/// +----------------------------------------+---------------+-----------+
/// ```
///
/// The padding is the C compiler's: an `in6_addr` is aligned to 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nat64Peer(pub Endpoint<Ipv6Addr>);

impl Nat64Peer {
    /// Bytes of the structure.
    pub const LEN: usize = 20;
    /// Bytes before the padding.
    pub const MEANT: usize = 18;

    /// The whole structure, with zeros for padding.
    pub const fn to_bytes(&self) -> [u8; Self::LEN] {
        let [r, s] = self.0.port.to_be_bytes();
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = self.0.addr.octets();
        [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, r, s, 0, 0]
    }
}

impl From<AnyEndpoint> for Toa {
    #[inline]
    fn from(client: AnyEndpoint) -> Self {
        match client.addr {
            IpAddr::V4(addr) => Toa::V4(Endpoint::new(addr, client.port)),
            IpAddr::V6(addr) => Toa::V6(Endpoint::new(addr, client.port)),
        }
    }
}

impl<A: Address> From<Endpoint<A>> for Toa {
    #[inline]
    fn from(client: Endpoint<A>) -> Self {
        client.any().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const V4: [u8; 8] = [
        254, 8, // kind, length
        0x30, 0x39, // port 12345
        192, 0, 2, 7, // address
    ];
    const V6: [u8; 20] = [
        254, 20, // kind, length
        0x01, 0xbb, // port 443
        0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, // address
    ];

    fn find(bytes: &[u8]) -> Result<Option<Toa>, Error> {
        Toa::find(Options::new(bytes), KindSet::new(&[254, 253]).unwrap())
    }

    #[test]
    fn both_lengths_survive_a_round_trip() {
        let v4 = Toa::from(Endpoint::new(Ipv4Addr::new(192, 0, 2, 7), 12345));
        assert_eq!(v4.option_len(), 8);
        assert_eq!(v4.to_bytes(254)[..8], V4);
        assert_eq!(v4.to_bytes(254)[8..], [0; 12]);
        assert_eq!(find(&V4), Ok(Some(v4)));
        assert_eq!(Toa::from(v4.client()), v4);

        let v6 = Toa::from(Endpoint::new(
            Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7),
            443,
        ));
        assert_eq!(v6.option_len(), 20);
        assert_eq!(v6.to_bytes(254), V6);
        assert_eq!(find(&v6.to_bytes(253)), Ok(Some(v6)));
        assert_eq!(Toa::from(v6.client()), v6);
    }

    #[test]
    fn the_answer_for_nat64_is_address_port_and_zeros() {
        let Ok(Some(Toa::V6(client))) = find(&V6) else {
            panic!("no client");
        };
        let bytes = Nat64Peer(client).to_bytes();
        assert_eq!(bytes[..16], V6[4..]);
        assert_eq!(bytes[16..Nat64Peer::MEANT], V6[2..4]);
        assert_eq!(bytes[Nat64Peer::MEANT..], [0, 0]);
    }

    #[test]
    fn the_first_of_several_counts() {
        let mut second = V4;
        second[7] = 8;
        let both = [V4, second].concat();
        assert_eq!(find(&both), find(&V4));
    }

    #[test]
    fn another_kind_is_not_a_toa() {
        let mut bytes = V4;
        bytes[0] = 252;
        assert_eq!(find(&bytes), Ok(None));
        assert_eq!(find(&[]), Ok(None));
    }

    #[test]
    fn another_length_is_passed_over_and_remembered() {
        for len in (2..=40).filter(|len| ![8, 20].contains(len)) {
            let mut bytes = vec![0u8; usize::from(len)];
            (bytes[0], bytes[1]) = (254, len);
            assert_eq!(find(&bytes), Err(Error::Length), "{len} bytes");
            bytes.extend(V4);
            assert_eq!(find(&bytes), find(&V4));
        }
    }

    #[test]
    fn every_truncation_is_named() {
        for toa in [&V4[..], &V6[..]] {
            for n in 1..toa.len() {
                let expected = match n {
                    1 => options::Error::NoLength,
                    _ => options::Error::PastEnd,
                };
                assert_eq!(find(&toa[..n]), Err(Error::Options(expected)));
            }
        }
    }
}
