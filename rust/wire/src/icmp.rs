// SPDX-License-Identifier: GPL-2.0

//! ICMP (RFC 792) and ICMPv6 (RFC 4443) messages, as far as a balancer cares:
//! the errors, and the packet that each carries.

use core::marker::PhantomData;

use crate::ip::{self, Network, Packet};

/// Bytes before the embedded packet of an error.
pub const HEADER_LEN: usize = 8;

/// Why bytes are not an ICMP message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// Fewer than 8 bytes.
    Truncated,
}

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An error that carries the start of the packet that it is about.
    Error(ErrorKind),
    /// A ping.
    EchoRequest,
    /// The answer to a ping.
    EchoReply,
    /// Anything else: redirects, neighbour discovery, ...
    Other,
}

/// What an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// Destination, port or protocol unreachable, or prohibited.
    Unreachable,
    /// "Fragmentation needed" and "packet too big".
    TooBig {
        /// What the next hop takes; 0 from routers older than RFC 1191.
        mtu: u32,
    },
    /// Source quench, IPv4 only.
    SourceQuench,
    /// The TTL ran out, or the time for reassembly.
    TimeExceeded,
    /// Something in the header is not understood.
    ParameterProblem,
}

/// A checked view of an ICMP message of the family of `A`.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a, A> {
    fixed: &'a [u8; HEADER_LEN],
    body: &'a [u8],
    family: PhantomData<A>,
}

impl<'a, A: Network> Message<'a, A> {
    /// Checks the message at the start of `bytes`.
    ///
    /// # Errors
    ///
    /// [`Error::Truncated`].
    #[inline]
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let (fixed, body) = bytes.split_first_chunk().ok_or(Error::Truncated)?;
        Ok(Self {
            fixed,
            body,
            family: PhantomData,
        })
    }

    /// What the message is.
    #[inline]
    pub fn kind(&self) -> Kind {
        A::icmp_kind(self.fixed)
    }

    /// Type and code as they stand there.
    #[inline]
    pub fn type_code(&self) -> (u8, u8) {
        (self.fixed[0], self.fixed[1])
    }

    /// The checksum as it stands there.
    #[inline]
    pub fn checksum(&self) -> u16 {
        u16::from_be_bytes([self.fixed[2], self.fixed[3]])
    }

    /// What follows the first eight bytes: of an error, the packet it is about.
    #[inline]
    pub fn body(&self) -> &'a [u8] {
        self.body
    }

    /// The IP header that an error carries.
    ///
    /// # Errors
    ///
    /// As [`Network::parse`].
    #[inline]
    pub fn embedded(&self) -> Result<Packet<A>, ip::Error> {
        A::parse(self.body)
    }
}

/// The ports in the first four bytes of an embedded TCP or UDP header, source
/// first, in host order. `None` when the bytes are too few.
#[inline]
pub fn embedded_ports(l4: &[u8]) -> Option<(u16, u16)> {
    let [a, b, c, d] = *l4.first_chunk()?;
    Some((u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])))
}

/// Types of RFC 792.
#[inline]
pub(crate) fn kind_v4(fixed: &[u8; HEADER_LEN]) -> Kind {
    match (fixed[0], fixed[1]) {
        (0, _) => Kind::EchoReply,
        (3, 4) => Kind::Error(ErrorKind::TooBig {
            mtu: u32::from(u16::from_be_bytes([fixed[6], fixed[7]])),
        }),
        (3, _) => Kind::Error(ErrorKind::Unreachable),
        (4, _) => Kind::Error(ErrorKind::SourceQuench),
        (8, _) => Kind::EchoRequest,
        (11, _) => Kind::Error(ErrorKind::TimeExceeded),
        (12, _) => Kind::Error(ErrorKind::ParameterProblem),
        _ => Kind::Other,
    }
}

/// Types of RFC 4443.
#[inline]
pub(crate) fn kind_v6(fixed: &[u8; HEADER_LEN]) -> Kind {
    match fixed[0] {
        1 => Kind::Error(ErrorKind::Unreachable),
        2 => Kind::Error(ErrorKind::TooBig {
            mtu: u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]),
        }),
        3 => Kind::Error(ErrorKind::TimeExceeded),
        4 => Kind::Error(ErrorKind::ParameterProblem),
        128 => Kind::EchoRequest,
        129 => Kind::EchoReply,
        _ => Kind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::{Ipv4Addr, Ipv6Addr};

    fn kind<A: Network>(head: [u8; 8]) -> Kind {
        Message::<A>::parse(&head).unwrap().kind()
    }

    #[test]
    fn the_kinds_of_both_families_are_told() {
        let v4 = |kind_: u8, code: u8| kind::<Ipv4Addr>([kind_, code, 0, 0, 0, 0, 5, 0xdc]);
        assert_eq!(v4(3, 4), Kind::Error(ErrorKind::TooBig { mtu: 1500 }));
        assert_eq!(v4(3, 3), Kind::Error(ErrorKind::Unreachable));
        assert_eq!(v4(4, 0), Kind::Error(ErrorKind::SourceQuench));
        assert_eq!(v4(11, 0), Kind::Error(ErrorKind::TimeExceeded));
        assert_eq!(v4(12, 0), Kind::Error(ErrorKind::ParameterProblem));
        assert_eq!(
            (v4(8, 0), v4(0, 0), v4(5, 0)),
            (Kind::EchoRequest, Kind::EchoReply, Kind::Other)
        );

        let v6 = |kind_: u8| kind::<Ipv6Addr>([kind_, 0, 0, 0, 0, 0, 5, 0xdc]);
        assert_eq!(v6(2), Kind::Error(ErrorKind::TooBig { mtu: 1500 }));
        assert_eq!(v6(1), Kind::Error(ErrorKind::Unreachable));
        assert_eq!(v6(3), Kind::Error(ErrorKind::TimeExceeded));
        assert_eq!(v6(4), Kind::Error(ErrorKind::ParameterProblem));
        assert_eq!(
            (v6(128), v6(129), v6(137)),
            (Kind::EchoRequest, Kind::EchoReply, Kind::Other)
        );
    }

    #[test]
    fn a_message_gives_the_packet_it_is_about() {
        let bytes = [
            3, 3, 0xab, 0xcd, 0, 0, 0, 0, // port unreachable, checksum
            0x45, 0, 0, 28, 0, 1, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 198, 51, 100,
            2, // IPv4, UDP
            0x30, 0x39, 0x00, 0x35, // 12345 to 53
        ];
        let message = Message::<Ipv4Addr>::parse(&bytes).unwrap();
        assert_eq!(message.type_code(), (3, 3));
        assert_eq!(message.checksum(), 0xabcd);
        let embedded = message.embedded().unwrap();
        assert_eq!(embedded.dst, Ipv4Addr::new(198, 51, 100, 2));
        let l4 = &message.body()[embedded.l4_offset..];
        assert_eq!(embedded_ports(l4), Some((12345, 53)));
        assert_eq!(embedded_ports(&l4[..3]), None);
        for n in 0..8 {
            assert_eq!(
                Message::<Ipv4Addr>::parse(&bytes[..n]).unwrap_err(),
                Error::Truncated
            );
        }
        for n in 8..28 {
            let message = Message::<Ipv4Addr>::parse(&bytes[..n]).unwrap();
            assert_eq!(message.embedded().unwrap_err(), ip::Error::Truncated);
        }
    }
}
