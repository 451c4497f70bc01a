// SPDX-License-Identifier: GPL-2.0

//! The connection record: all that another director, or the next version of
//! this one, has to know to carry a connection on.
//!
//! It is meant for synchronisation, dumps and upgrades, and used by none of them
//! yet. Integers are in network order:
//!
//! ```text
//!  0  version 1          1  families: client leg << 4 | server leg, 4 or 6
//!  2  length of the record, a multiple of 4; what this version does not
//!     know of stands at its end and is passed over
//!  4  protocol           5  forwarding method
//!  6  state              7  0
//!  8  flags             12  fwmark
//! 16  ms until expiry   20  seq_add
//! 24  ack_add           28  client_next
//! 32  server_next       36  server_isn
//! 40  ports: client, virtual service, local, server
//! 48  addresses in the same order, each 4 or 16 bytes
//! ```

use crate::addr::{Address, AnyEndpoint, Endpoint, Family};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The version that is written, and the only one that is read.
pub const VERSION: u8 = 1;

/// Bytes before the addresses.
pub const FIXED_LEN: usize = 48;

/// Bytes of the longest record that is written.
pub const MAX_LEN: usize = FIXED_LEN + 64;

/// Bits of [`Record::flags`].
pub mod flags {
    /// The client's address is being inserted.
    pub const TOA: u32 = 1 << 0;
    /// The server has acknowledged data of the client.
    pub const ACKNOWLEDGED: u32 = 1 << 1;
    /// Counted as inactive.
    pub const INACTIVE: u32 = 1 << 2;
    /// Timestamps were taken off the SYN.
    pub const NO_TIMESTAMPS: u32 = 1 << 3;
    /// A template of persistence: it makes connections, and carries nothing.
    pub const TEMPLATE: u32 = 1 << 4;
}

/// One side of a connection: both ends as they stand in the packets of that
/// side, in the direction from the client to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leg {
    /// Over IPv4.
    V4 {
        /// The end nearer to the client.
        src: Endpoint<Ipv4Addr>,
        /// The end nearer to the server.
        dst: Endpoint<Ipv4Addr>,
    },
    /// Over IPv6.
    V6 {
        /// The end nearer to the client.
        src: Endpoint<Ipv6Addr>,
        /// The end nearer to the server.
        dst: Endpoint<Ipv6Addr>,
    },
}

impl Leg {
    /// The family.
    #[inline]
    pub const fn family(&self) -> Family {
        match self {
            Leg::V4 { .. } => Family::V4,
            Leg::V6 { .. } => Family::V6,
        }
    }

    /// A leg between ends of one family, `None` if they are of two.
    #[inline]
    pub fn new(src: AnyEndpoint, dst: AnyEndpoint) -> Option<Self> {
        match (src.addr, dst.addr) {
            (IpAddr::V4(s), IpAddr::V4(d)) => Some(Leg::V4 {
                src: Endpoint::new(s, src.port),
                dst: Endpoint::new(d, dst.port),
            }),
            (IpAddr::V6(s), IpAddr::V6(d)) => Some(Leg::V6 {
                src: Endpoint::new(s, src.port),
                dst: Endpoint::new(d, dst.port),
            }),
            _ => None,
        }
    }

    /// The end nearer to the client.
    #[inline]
    pub fn src(&self) -> AnyEndpoint {
        match self {
            Leg::V4 { src, .. } => src.any(),
            Leg::V6 { src, .. } => src.any(),
        }
    }

    /// The end nearer to the server.
    #[inline]
    pub fn dst(&self) -> AnyEndpoint {
        match self {
            Leg::V4 { dst, .. } => dst.any(),
            Leg::V6 { dst, .. } => dst.any(),
        }
    }

    #[inline]
    fn nibble(&self) -> u8 {
        match self {
            Leg::V4 { .. } => 4,
            Leg::V6 { .. } => 6,
        }
    }

    /// Writes both addresses to the front of `bytes`.
    #[inline]
    fn write<'b>(&self, bytes: &'b mut [u8]) -> Option<&'b mut [u8]> {
        match self {
            Leg::V4 { src, dst } => dst.addr.write_prefix(src.addr.write_prefix(bytes)?),
            Leg::V6 { src, dst } => dst.addr.write_prefix(src.addr.write_prefix(bytes)?),
        }
    }

    /// Reads both addresses off the front of `bytes`.
    #[inline]
    fn read(nibble: u8, ports: (u16, u16), bytes: &[u8]) -> Result<(Self, &[u8]), Error> {
        match nibble {
            4 => {
                let (src, dst, rest) = ends(ports, bytes)?;
                Ok((Leg::V4 { src, dst }, rest))
            }
            6 => {
                let (src, dst, rest) = ends(ports, bytes)?;
                Ok((Leg::V6 { src, dst }, rest))
            }
            _ => Err(Error::Family),
        }
    }
}

/// Two endpoints and what follows them.
type Ends<'a, A> = (Endpoint<A>, Endpoint<A>, &'a [u8]);

#[inline]
fn ends<A: Address>(ports: (u16, u16), bytes: &[u8]) -> Result<Ends<'_, A>, Error> {
    let (src, rest) = A::from_prefix(bytes).ok_or(Error::Length)?;
    let (dst, rest) = A::from_prefix(rest).ok_or(Error::Length)?;
    Ok((
        Endpoint::new(src, ports.0),
        Endpoint::new(dst, ports.1),
        rest,
    ))
}

/// Why bytes are not a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// Fewer bytes than the record says it has, or than any record has.
    Truncated,
    /// A version that is not known; the length counts all the same, so that
    /// [`Records`] goes on behind the record.
    Version(u8),
    /// A length that is no multiple of 4, or too short for what it holds.
    Length,
    /// A family that is neither 4 nor 6.
    Family,
}

/// A connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Protocol number: 6, 17, 132.
    pub protocol: u8,
    /// Forwarding method, see [`crate::netlink::ipvs::fwd`].
    pub method: u8,
    /// State, numbered as IPVS numbers those of the protocol.
    pub state: u8,
    /// See [`mod@flags`]; unknown bits are kept.
    pub flags: u32,
    /// The mark of the service, 0 for none.
    pub fwmark: u32,
    /// Milliseconds until the connection expires.
    pub expires_ms: u32,
    /// Client to virtual service.
    pub client_leg: Leg,
    /// Local address (with NAT: the client) to server.
    pub server_leg: Leg,
    /// Sequence numbers; all 0 where there is nothing to add.
    pub seq: Sequence,
}

/// The numbers of a TCP connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sequence {
    /// Added, wrapping, to the client's sequence numbers on the way in.
    pub seq_add: u32,
    /// Added, wrapping, to the server's sequence numbers on the way out.
    pub ack_add: u32,
    /// The next number expected of the client, as the client counts.
    pub client_next: u32,
    /// The next number expected of the server, as the server counts.
    pub server_next: u32,
    /// The first number that the server saw of the client's side.
    pub server_isn: u32,
}

impl Record {
    /// Bytes that the record takes: 64 to 112.
    #[inline]
    pub fn encoded_len(&self) -> usize {
        let [client, server] =
            [self.client_leg, self.server_leg].map(|leg| leg.family().addr_len());
        // 2 * (4 | 16) + 2 * (4 | 16) + 48
        client
            .wrapping_add(server)
            .wrapping_mul(2)
            .wrapping_add(FIXED_LEN)
    }

    /// Writes the record to the front of `bytes` and returns what is behind it,
    /// `None` when it does not fit.
    pub fn encode<'b>(&self, bytes: &'b mut [u8]) -> Option<&'b mut [u8]> {
        let len = self.encoded_len();
        let (record, behind) = bytes.split_at_mut_checked(len)?;
        let [l0, l1] = u16::try_from(len).ok()?.to_be_bytes();
        let families = (self.client_leg.nibble() << 4) | self.server_leg.nibble();
        let head = [
            VERSION,
            families,
            l0,
            l1,
            self.protocol,
            self.method,
            self.state,
            0,
        ];
        let words = [
            self.flags,
            self.fwmark,
            self.expires_ms,
            self.seq.seq_add,
            self.seq.ack_add,
            self.seq.client_next,
            self.seq.server_next,
            self.seq.server_isn,
        ];
        let ends = [
            self.client_leg.src(),
            self.client_leg.dst(),
            self.server_leg.src(),
            self.server_leg.dst(),
        ];
        let mut rest = put(record, head)?;
        for word in words {
            rest = put(rest, word.to_be_bytes())?;
        }
        for end in ends {
            rest = put(rest, end.port.to_be_bytes())?;
        }
        rest = self.client_leg.write(rest)?;
        self.server_leg.write(rest)?;
        Some(behind)
    }

    /// Reads the record at the front of `bytes`; gives it and what is behind it.
    ///
    /// # Errors
    ///
    /// One [`Error`] per cause.
    pub fn decode(bytes: &[u8]) -> Result<(Self, &[u8]), Error> {
        let (record, behind) = split(bytes)?;
        Ok((Self::read(record)?, behind))
    }

    fn read(record: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader(record);
        let [version, families, _, _, protocol, method, state, _] = reader.take()?;
        if version != VERSION {
            return Err(Error::Version(version));
        }
        let (flags, fwmark, expires_ms) = (reader.u32()?, reader.u32()?, reader.u32()?);
        let seq = Sequence {
            seq_add: reader.u32()?,
            ack_add: reader.u32()?,
            client_next: reader.u32()?,
            server_next: reader.u32()?,
            server_isn: reader.u32()?,
        };
        let client_ports = (reader.u16()?, reader.u16()?);
        let server_ports = (reader.u16()?, reader.u16()?);
        let (client_leg, rest) = Leg::read(families >> 4, client_ports, reader.0)?;
        let (server_leg, _) = Leg::read(families & 0x0f, server_ports, rest)?;
        Ok(Self {
            protocol,
            method,
            state,
            flags,
            fwmark,
            expires_ms,
            client_leg,
            server_leg,
            seq,
        })
    }
}

/// Splits a record off the front of `bytes`, whatever its version.
fn split(bytes: &[u8]) -> Result<(&[u8], &[u8]), Error> {
    let [_, _, l0, l1] = *bytes.first_chunk().ok_or(Error::Truncated)?;
    let len = usize::from(u16::from_be_bytes([l0, l1]));
    if len < 4 || len & 3 != 0 {
        return Err(Error::Length);
    }
    bytes.split_at_checked(len).ok_or(Error::Truncated)
}

fn put<const N: usize>(bytes: &mut [u8], value: [u8; N]) -> Option<&mut [u8]> {
    let (place, rest) = bytes.split_first_chunk_mut()?;
    *place = value;
    Some(rest)
}

/// What of a record has not been read.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let (value, rest) = self.0.split_first_chunk().ok_or(Error::Length)?;
        self.0 = rest;
        Ok(*value)
    }

    fn u32(&mut self) -> Result<u32, Error> {
        self.take().map(u32::from_be_bytes)
    }

    fn u16(&mut self) -> Result<u16, Error> {
        self.take().map(u16::from_be_bytes)
    }
}

/// An iterator over records that stand one behind the other. It passes over a
/// record that it cannot read, and ends where it no longer knows a length.
#[derive(Clone, Copy, Debug)]
pub struct Records<'a> {
    rest: &'a [u8],
}

impl<'a> Records<'a> {
    /// The records in `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }
}

impl Iterator for Records<'_> {
    type Item = Result<Record, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        match split(self.rest) {
            Ok((record, rest)) => {
                self.rest = rest;
                Some(Record::read(record))
            }
            Err(error) => {
                self.rest = &[];
                Some(Err(error))
            }
        }
    }
}

#[cfg(test)]
#[path = "conn_tests.rs"]
mod tests;
