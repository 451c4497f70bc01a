// SPDX-License-Identifier: GPL-2.0

//! The IPv6 header and its extension headers (RFC 8200).
//!
//! ```text
//!  0       4              12             16             24        31
//! +-------+---------------+---------------+--------------+--------+
//! |  6    | traffic class |             flow label                |  0
//! |        payload length         |  next header  |   hop limit   |  4
//! |                   source address, 16 bytes                    |  8
//! |                destination address, 16 bytes                  | 24
//! +---------------------------------------------------------------+
//! ```
//!
//! Hop-by-hop, routing, destination-options, fragment and authentication
//! headers are walked over. The routing header is not interpreted: the
//! destination is what the fixed header says.

use core::net::Ipv6Addr;

use crate::icmp;
use crate::ip::{grown, Error, Fragment, HeadEdit, HeadError, Network, Packet};

/// Bytes of the fixed header.
pub const HEADER_LEN: usize = 40;

/// Extension headers that are walked over before giving up.
pub const MAX_EXTENSIONS: usize = 8;

const HOP_BY_HOP: u8 = 0;
pub(crate) const ROUTING: u8 = 43;
pub(crate) const FRAGMENT: u8 = 44;
pub(crate) const AUTHENTICATION: u8 = 51;
const DESTINATION: u8 = 60;

/// A checked view of an IPv6 header and its extension headers.
#[derive(Clone, Copy, Debug)]
pub struct Header<'a> {
    fixed: &'a [u8; HEADER_LEN],
    payload: Payload,
}

/// Where the extension headers end.
#[derive(Clone, Copy, Debug)]
struct Payload {
    protocol: u8,
    offset: usize,
    fragment: Option<Fragment>,
}

impl<'a> Header<'a> {
    /// Checks the header at the start of `bytes`. The payload need not be
    /// there, the extension headers must.
    ///
    /// # Errors
    ///
    /// [`Error::Truncated`], [`Error::Version`], [`Error::ExtensionTruncated`],
    /// [`Error::TooManyExtensions`], [`Error::TotalLength`].
    #[inline]
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let (fixed, rest) = bytes.split_first_chunk().ok_or(Error::Truncated)?;
        if fixed[0] >> 4 != 6 {
            return Err(Error::Version);
        }
        let payload = walk(fixed[6], rest)?;
        let header = Self { fixed, payload };
        match usize::from(header.payload_len()) {
            0 => Ok(header),
            len if len < payload.offset.saturating_sub(HEADER_LEN) => Err(Error::TotalLength),
            _ => Ok(header),
        }
    }

    /// Bytes after the fixed header, extension headers included. 0 in a
    /// jumbogram or an aggregate of 64 KiB and more (BIG TCP).
    #[inline]
    pub fn payload_len(&self) -> u16 {
        u16::from_be_bytes([self.fixed[4], self.fixed[5]])
    }

    /// Differentiated services and ECN.
    #[inline]
    pub fn traffic_class(&self) -> u8 {
        (self.fixed[0] << 4) | (self.fixed[1] >> 4)
    }

    /// The flow label, 20 bits.
    #[inline]
    pub fn flow_label(&self) -> u32 {
        u32::from_be_bytes([0, self.fixed[1] & 0x0f, self.fixed[2], self.fixed[3]])
    }

    /// Hop limit.
    #[inline]
    pub fn hop_limit(&self) -> u8 {
        self.fixed[7]
    }

    /// Protocol of what follows the extension headers.
    #[inline]
    pub fn protocol(&self) -> u8 {
        self.payload.protocol
    }

    /// Bytes of the fixed header and the extension headers.
    #[inline]
    pub fn header_len(&self) -> usize {
        self.payload.offset
    }

    /// Which fragment this is, `None` for a whole packet. An atomic fragment
    /// (RFC 6946) is a whole packet with a fragment header: offset 0, no more.
    #[inline]
    pub fn fragment(&self) -> Option<Fragment> {
        self.payload.fragment
    }

    /// Source address.
    #[inline]
    pub fn src(&self) -> Ipv6Addr {
        let [_, _, _, _, _, _, _, _, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, ..] =
            *self.fixed;
        Ipv6Addr::from([a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p])
    }

    /// Destination address.
    #[inline]
    pub fn dst(&self) -> Ipv6Addr {
        let [.., a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = *self.fixed;
        Ipv6Addr::from([a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p])
    }
}

/// Walks over extension headers; `rest` is what follows the fixed header.
#[inline]
fn walk(first: u8, rest: &[u8]) -> Result<Payload, Error> {
    let mut payload = Payload {
        protocol: first,
        offset: HEADER_LEN,
        fragment: None,
    };
    let mut rest = rest;
    for _ in 0..=MAX_EXTENSIONS {
        let fixed: Result<&[u8; 8], Error> = rest.first_chunk().ok_or(Error::ExtensionTruncated);
        let len = match payload.protocol {
            HOP_BY_HOP | ROUTING | DESTINATION => usize::from(fixed?[1]).wrapping_add(1) << 3,
            AUTHENTICATION => usize::from(fixed?[1]).wrapping_add(2) << 2,
            FRAGMENT => {
                payload.fragment = Some(fragment(fixed?));
                8
            }
            _ => return Ok(payload),
        };
        let next = fixed?[0];
        rest = rest.get(len..).ok_or(Error::ExtensionTruncated)?;
        // At most nine headers of at most 2048 bytes.
        payload.offset = payload.offset.wrapping_add(len);
        payload.protocol = next;
        if payload
            .fragment
            .is_some_and(|fragment| fragment.offset != 0)
        {
            return Ok(payload);
        }
    }
    Err(Error::TooManyExtensions)
}

/// Reads a fragment header (RFC 8200 section 4.5).
#[inline]
fn fragment(header: &[u8; 8]) -> Fragment {
    let [_, _, high, low, a, b, c, d] = *header;
    let word = u16::from_be_bytes([high, low]);
    Fragment {
        offset: word & !7,
        more: word & 1 != 0,
        id: u32::from_be_bytes([a, b, c, d]),
    }
}

impl Network for Ipv6Addr {
    const VERSION: u8 = 6;
    const HEADER_LEN: usize = HEADER_LEN;
    const HEAD_LEN: usize = 8;
    const ICMP: u8 = 58;
    const ICMP_PSEUDO: bool = true;
    const MIN_MTU: u16 = 1280;

    #[inline]
    fn parse(bytes: &[u8]) -> Result<Packet<Self>, Error> {
        let header = Header::parse(bytes)?;
        Ok(Packet {
            src: header.src(),
            dst: header.dst(),
            protocol: header.protocol(),
            ttl: header.hop_limit(),
            l4_offset: header.header_len(),
            total_len: match header.payload_len() {
                0 => None,
                // 40 and at most 65535.
                len => Some(u32::from(len).wrapping_add(40)),
            },
            dont_fragment: true,
            fragment: header.fragment(),
        })
    }

    #[inline]
    fn dsfield(header: &[u8]) -> u8 {
        match header {
            [a, b, ..] => (a << 4) | (b >> 4),
            _ => 0,
        }
    }

    #[inline]
    fn icmp_kind(fixed: &[u8; 8]) -> icmp::Kind {
        icmp::kind_v6(fixed)
    }

    #[inline]
    fn set_icmp_mtu(fixed: &mut [u8; 8], mtu: u32) {
        let [.., a, b, c, d] = fixed;
        [*a, *b, *c, *d] = mtu.to_be_bytes();
    }

    #[inline]
    fn edit_head(header: &mut [u8], edit: HeadEdit) -> Result<(), HeadError> {
        let [_, _, _, _, l0, l1, _, hops] =
            header.first_chunk_mut::<8>().ok_or(HeadError::Truncated)?;
        let old_len = u16::from_be_bytes([*l0, *l1]);
        let new_len = grown(old_len, edit.grow)?;
        *hops = edit.ttl.apply(*hops)?;
        [*l0, *l1] = new_len.to_be_bytes();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::csum::Sum;
    use crate::ip::TtlStep;
    use std::vec::Vec;

    const FIXED: [u8; 40] = [
        0x6b, 0x81, 0x23, 0x45, // version 6; class b8; flow label 12345
        0x00, 0x20, 0x06, 0x40, // payload length 32; TCP; hop limit 64
        0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, // source
        0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, // destination
    ];

    /// The fixed header with extension headers `(kind, bytes)` before TCP.
    fn chain(extensions: &[(u8, &[u8])]) -> Vec<u8> {
        let mut bytes = FIXED.to_vec();
        bytes[4..6].copy_from_slice(&[0x10, 0]);
        bytes[6] = extensions.first().map_or(6, |e| e.0);
        for (n, (_, extension)) in extensions.iter().enumerate() {
            let at = bytes.len();
            bytes.extend_from_slice(extension);
            bytes[at] = extensions.get(n + 1).map_or(6, |e| e.0);
        }
        bytes
    }

    #[test]
    fn a_header_is_read() {
        let header = Header::parse(&FIXED).unwrap();
        assert_eq!(header.traffic_class(), 0xb8);
        assert_eq!(Ipv6Addr::dsfield(&FIXED), 0xb8);
        assert_eq!(Ipv6Addr::dsfield(&FIXED[..1]), 0);
        assert_eq!(header.flow_label(), 0x12345);
        assert_eq!(header.payload_len(), 32);
        assert_eq!(
            (header.protocol(), header.hop_limit(), header.header_len()),
            (6, 64, 40)
        );
        assert_eq!(header.src(), Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1));
        assert_eq!(header.dst(), Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2));
        let packet = Ipv6Addr::parse(&FIXED).unwrap();
        assert_eq!(packet.total_len, Some(72));
        assert!(packet.has_transport() && packet.dont_fragment);
    }

    #[test]
    fn extension_headers_are_walked_over() {
        let bytes = chain(&[
            (0, &[0, 0, 0, 0, 0, 0, 0, 0]),                          // hop-by-hop
            (60, &[0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), // destination, 16 bytes
            (43, &[0, 0, 0, 0, 0, 0, 0, 0]),                         // routing
            (
                51,
                &[
                    0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                ],
            ), // AH, 24 bytes
            (44, &[0, 0, 0x00, 0x01, 0xde, 0xad, 0xbe, 0xef]),       // first fragment
        ]);
        let packet = Ipv6Addr::parse(&bytes).unwrap();
        assert_eq!(
            (packet.protocol, packet.l4_offset),
            (6, 40 + 8 + 16 + 8 + 24 + 8)
        );
        let expected = Fragment {
            offset: 0,
            more: true,
            id: 0xdead_beef,
        };
        assert_eq!(packet.fragment, Some(expected));
        assert!(packet.has_transport());
        for n in 0..bytes.len() {
            let expected = if n < 40 {
                Error::Truncated
            } else {
                Error::ExtensionTruncated
            };
            assert_eq!(
                Header::parse(&bytes[..n]).unwrap_err(),
                expected,
                "{n} bytes"
            );
        }
    }

    #[test]
    fn the_walk_ends_at_a_later_fragment() {
        // What follows is payload, though it says "destination options".
        let mut bytes = chain(&[(44, &[0, 0, 0x05, 0xa8, 0, 0, 0, 7])]);
        bytes[40] = 60;
        let packet = Ipv6Addr::parse(&bytes).unwrap();
        assert_eq!((packet.protocol, packet.l4_offset), (60, 48));
        assert_eq!(
            packet.fragment,
            Some(Fragment {
                offset: 1448,
                more: false,
                id: 7
            })
        );
        assert!(!packet.has_transport());
    }

    #[test]
    fn a_chain_has_an_end() {
        let extension: (u8, &[u8]) = (60, &[0; 8]);
        let most = chain(&[extension; MAX_EXTENSIONS]);
        assert_eq!(
            Header::parse(&most).unwrap().header_len(),
            40 + 8 * MAX_EXTENSIONS
        );
        let more = chain(&[extension; MAX_EXTENSIONS + 1]);
        assert_eq!(Header::parse(&more).unwrap_err(), Error::TooManyExtensions);
    }

    #[test]
    fn each_lie_has_its_error() {
        let mut bytes = FIXED;
        bytes[0] = 0x45;
        assert_eq!(Header::parse(&bytes).unwrap_err(), Error::Version);
        let mut bytes = chain(&[(60, &[0; 8])]);
        bytes[4..6].copy_from_slice(&[0, 7]);
        assert_eq!(Header::parse(&bytes).unwrap_err(), Error::TotalLength);
        bytes[4..6].copy_from_slice(&[0, 0]);
        assert_eq!(Ipv6Addr::parse(&bytes).unwrap().total_len, None);
    }

    #[test]
    fn editing_the_head_changes_length_and_hops() {
        let mut bytes = FIXED;
        let edit = HeadEdit {
            ttl: TtlStep::Decrement,
            grow: 20,
            addresses: Sum::ZERO,
        };
        Ipv6Addr::edit_head(&mut bytes, edit).unwrap();
        let header = Header::parse(&bytes).unwrap();
        assert_eq!((header.hop_limit(), header.payload_len()), (63, 52));
        for n in 0..8 {
            assert_eq!(
                Ipv6Addr::edit_head(&mut bytes[..n], edit),
                Err(HeadError::Truncated)
            );
        }
        bytes[4..6].copy_from_slice(&[0xff, 0xff]);
        let before = bytes;
        assert_eq!(
            Ipv6Addr::edit_head(&mut bytes, edit),
            Err(HeadError::TooLong)
        );
        assert_eq!(bytes, before);
    }
}
