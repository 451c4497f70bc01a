// SPDX-License-Identifier: GPL-2.0

//! The IPv4 header (RFC 791 section 3.1).
//!
//! ```text
//!  0       4       8              16     19                       31
//! +-------+-------+---------------+-------------------------------+
//! |  4    |  IHL  |      TOS      |         total length          |  0
//! |        identification         | 0 DF MF|   fragment offset    |  4
//! |      TTL      |   protocol    |        header checksum        |  8
//! |                        source address                         | 12
//! |                      destination address                      | 16
//! |                            options                            | 20
//! +---------------------------------------------------------------+
//! ```

use core::net::Ipv4Addr;

use crate::csum::{self, Sum};
use crate::icmp;
use crate::ip::{grown, Error, Fragment, HeadEdit, HeadError, Network, Packet};

/// Bytes of a header without options.
pub const HEADER_LEN: usize = 20;
/// Bytes of the longest header.
pub const MAX_HEADER_LEN: usize = 60;

const DONT_FRAGMENT: u16 = 0x4000;
const MORE_FRAGMENTS: u16 = 0x2000;
const OFFSET_MASK: u16 = 0x1fff;

/// A checked view of an IPv4 header.
#[derive(Clone, Copy, Debug)]
pub struct Header<'a> {
    fixed: &'a [u8; HEADER_LEN],
    options: &'a [u8],
}

impl<'a> Header<'a> {
    /// Checks the header at the start of `bytes`. The payload need not be there.
    ///
    /// # Errors
    ///
    /// [`Error::Truncated`], [`Error::Version`], [`Error::HeaderLength`],
    /// [`Error::TotalLength`].
    #[inline]
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let (fixed, rest) = bytes.split_first_chunk().ok_or(Error::Truncated)?;
        if fixed[0] >> 4 != 4 {
            return Err(Error::Version);
        }
        let options_len = header_len(fixed)
            .checked_sub(HEADER_LEN)
            .ok_or(Error::HeaderLength)?;
        let options = rest.get(..options_len).ok_or(Error::Truncated)?;
        let header = Self { fixed, options };
        match usize::from(header.total_len()) {
            0 => Ok(header),
            len if len < header.header_len() => Err(Error::TotalLength),
            _ => Ok(header),
        }
    }

    /// Bytes of the header with its options.
    #[inline]
    pub fn header_len(&self) -> usize {
        header_len(self.fixed)
    }

    /// Bytes of header and payload. 0 in an aggregate of 64 KiB and more (BIG
    /// TCP), whose length only the buffer knows.
    #[inline]
    pub fn total_len(&self) -> u16 {
        u16::from_be_bytes([self.fixed[2], self.fixed[3]])
    }

    /// Differentiated services and ECN.
    #[inline]
    pub fn tos(&self) -> u8 {
        self.fixed[1]
    }

    /// The identification.
    #[inline]
    pub fn id(&self) -> u16 {
        u16::from_be_bytes([self.fixed[4], self.fixed[5]])
    }

    /// Whether routers must not fragment the packet.
    #[inline]
    pub fn dont_fragment(&self) -> bool {
        self.fragment_word() & DONT_FRAGMENT != 0
    }

    /// Which fragment this is, `None` for a whole packet.
    #[inline]
    pub fn fragment(&self) -> Option<Fragment> {
        let word = self.fragment_word();
        if word & (MORE_FRAGMENTS | OFFSET_MASK) == 0 {
            return None;
        }
        Some(Fragment {
            offset: (word & OFFSET_MASK) << 3,
            more: word & MORE_FRAGMENTS != 0,
            id: u32::from(self.id()),
        })
    }

    /// Time to live.
    #[inline]
    pub fn ttl(&self) -> u8 {
        self.fixed[8]
    }

    /// Protocol of the payload.
    #[inline]
    pub fn protocol(&self) -> u8 {
        self.fixed[9]
    }

    /// The header checksum as it stands there.
    #[inline]
    pub fn checksum(&self) -> u16 {
        u16::from_be_bytes([self.fixed[10], self.fixed[11]])
    }

    /// Whether the header checksum is right.
    #[inline]
    pub fn checksum_ok(&self) -> bool {
        Sum::ZERO
            .add_bytes(self.fixed)
            .add_bytes(self.options)
            .fold()
            == 0xffff
    }

    /// Source address.
    #[inline]
    pub fn src(&self) -> Ipv4Addr {
        Ipv4Addr::new(
            self.fixed[12],
            self.fixed[13],
            self.fixed[14],
            self.fixed[15],
        )
    }

    /// Destination address.
    #[inline]
    pub fn dst(&self) -> Ipv4Addr {
        Ipv4Addr::new(
            self.fixed[16],
            self.fixed[17],
            self.fixed[18],
            self.fixed[19],
        )
    }

    /// The options, not looked into.
    #[inline]
    pub fn options(&self) -> &'a [u8] {
        self.options
    }

    #[inline]
    fn fragment_word(&self) -> u16 {
        u16::from_be_bytes([self.fixed[6], self.fixed[7]])
    }
}

#[inline]
fn header_len(fixed: &[u8; HEADER_LEN]) -> usize {
    usize::from(fixed[0] & 0x0f) << 2
}

impl Network for Ipv4Addr {
    const VERSION: u8 = 4;
    const HEADER_LEN: usize = HEADER_LEN;
    const HEAD_LEN: usize = 12;
    const ICMP: u8 = 1;
    const ICMP_PSEUDO: bool = false;
    const MIN_MTU: u16 = 68;

    #[inline]
    fn parse(bytes: &[u8]) -> Result<Packet<Self>, Error> {
        let header = Header::parse(bytes)?;
        Ok(Packet {
            src: header.src(),
            dst: header.dst(),
            protocol: header.protocol(),
            ttl: header.ttl(),
            l4_offset: header.header_len(),
            total_len: match header.total_len() {
                0 => None,
                len => Some(u32::from(len)),
            },
            dont_fragment: header.dont_fragment(),
            fragment: header.fragment(),
        })
    }

    #[inline]
    fn dsfield(header: &[u8]) -> u8 {
        header.get(1).copied().unwrap_or(0)
    }

    #[inline]
    fn icmp_kind(fixed: &[u8; 8]) -> icmp::Kind {
        icmp::kind_v4(fixed)
    }

    #[inline]
    fn set_icmp_mtu(fixed: &mut [u8; 8], mtu: u32) {
        let [.., high, low] = fixed;
        [*high, *low] = u16::try_from(mtu).unwrap_or(u16::MAX).to_be_bytes();
    }

    #[inline]
    fn edit_head(header: &mut [u8], edit: HeadEdit) -> Result<(), HeadError> {
        let [_, _, l0, l1, _, _, _, _, ttl, _, c0, c1] =
            header.first_chunk_mut::<12>().ok_or(HeadError::Truncated)?;
        let old_len = u16::from_be_bytes([*l0, *l1]);
        let new_len = grown(old_len, edit.grow)?;
        let new_ttl = edit.ttl.apply(*ttl)?;
        let mut change = edit.addresses;
        if new_len != old_len {
            change = change.add_signed(edit.grow);
            [*l0, *l1] = new_len.to_be_bytes();
        }
        if new_ttl != *ttl {
            // The TTL is the upper half of a word (RFC 1141).
            change = change.sub_u16(0x0100);
            *ttl = new_ttl;
        }
        [*c0, *c1] = csum::update(u16::from_be_bytes([*c0, *c1]), change).to_be_bytes();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ip::TtlStep;

    /// A whole UDP packet's header with one word of options.
    const VECTOR: [u8; 24] = [
        0x46, 0xb8, 0x00, 0x34, // version 4, 24 bytes; TOS; total length 52
        0x12, 0x34, 0x40, 0x00, // identification; DF
        0x40, 0x11, 0xa6, 0x91, // TTL 64; UDP; checksum
        192, 0, 2, 1, // source
        198, 51, 100, 2, // destination
        0x94, 0x04, 0x00, 0x00, // router alert
    ];

    #[test]
    fn a_header_is_read() {
        let header = Header::parse(&VECTOR).unwrap();
        assert_eq!(header.header_len(), 24);
        assert_eq!(header.total_len(), 52);
        assert_eq!(header.tos(), 0xb8);
        assert_eq!(Ipv4Addr::dsfield(&VECTOR), 0xb8);
        assert_eq!(Ipv4Addr::dsfield(&VECTOR[..1]), 0);
        assert_eq!(header.id(), 0x1234);
        assert!(header.dont_fragment());
        assert_eq!(header.fragment(), None);
        assert_eq!((header.ttl(), header.protocol()), (64, 17));
        assert_eq!(header.src(), Ipv4Addr::new(192, 0, 2, 1));
        assert_eq!(header.dst(), Ipv4Addr::new(198, 51, 100, 2));
        assert_eq!(header.options(), &VECTOR[20..]);
        assert_eq!(header.checksum(), 0xa691);
        assert!(header.checksum_ok());
    }

    #[test]
    fn every_truncation_is_named() {
        for n in 0..VECTOR.len() {
            assert_eq!(
                Header::parse(&VECTOR[..n]).unwrap_err(),
                Error::Truncated,
                "{n} bytes"
            );
        }
    }

    #[test]
    fn each_lie_has_its_error() {
        let with = |at: usize, value: u8| {
            let mut bytes = VECTOR;
            bytes[at] = value;
            Header::parse(&bytes).map(|_| ()).unwrap_err()
        };
        assert_eq!(with(0, 0x66), Error::Version);
        for ihl in 0..5 {
            assert_eq!(with(0, 0x40 | ihl), Error::HeaderLength);
        }
        assert_eq!(with(0, 0x47), Error::Truncated);
        assert_eq!(with(3, 23), Error::TotalLength);
    }

    #[test]
    fn an_aggregate_too_big_for_the_field_has_no_length() {
        let mut bytes = VECTOR;
        bytes[3] = 0;
        let packet = Ipv4Addr::parse(&bytes).unwrap();
        assert_eq!(packet.total_len, None);
    }

    #[test]
    fn fragments_are_told_apart() {
        let mut bytes = VECTOR;
        bytes[6..8].copy_from_slice(&[0x20, 0x00]);
        let first = Ipv4Addr::parse(&bytes).unwrap();
        let expected = Fragment {
            offset: 0,
            more: true,
            id: 0x1234,
        };
        assert_eq!(first.fragment, Some(expected));
        assert!(first.has_transport());
        bytes[6..8].copy_from_slice(&[0x1f, 0xff]);
        let last = Ipv4Addr::parse(&bytes).unwrap();
        let expected = Fragment {
            offset: 65528,
            more: false,
            id: 0x1234,
        };
        assert_eq!(last.fragment, Some(expected));
        assert!(!last.has_transport());
        assert!(!last.dont_fragment);
    }

    #[test]
    fn editing_the_head_keeps_the_checksum_right() {
        let mut bytes = VECTOR;
        assert!(Header::parse(&bytes).unwrap().checksum_ok());
        let edit = HeadEdit {
            ttl: TtlStep::Decrement,
            grow: 8,
            addresses: Sum::ZERO,
        };
        Ipv4Addr::edit_head(&mut bytes, edit).unwrap();
        let header = Header::parse(&bytes).unwrap();
        assert!(header.checksum_ok());
        assert_eq!((header.ttl(), header.total_len()), (63, 60));
        for n in 0..12 {
            assert_eq!(
                Ipv4Addr::edit_head(&mut bytes[..n], edit),
                Err(HeadError::Truncated)
            );
        }
        bytes[8] = 1;
        let before = bytes;
        assert_eq!(
            Ipv4Addr::edit_head(&mut bytes, edit),
            Err(HeadError::TtlExpired)
        );
        assert_eq!(bytes, before);
    }
}
