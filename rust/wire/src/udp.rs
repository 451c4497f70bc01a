// SPDX-License-Identifier: GPL-2.0

//! The UDP header (RFC 768): source port, destination port, length, checksum.

/// Bytes of a header.
pub const HEADER_LEN: usize = 8;

/// Why bytes are not a UDP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// Fewer than 8 bytes.
    Truncated,
    /// A length under 8.
    Length,
}

/// A checked view of a UDP header.
#[derive(Clone, Copy, Debug)]
pub struct Header<'a> {
    fixed: &'a [u8; HEADER_LEN],
}

impl<'a> Header<'a> {
    /// Checks the header at the start of `bytes`. The payload need not be there.
    ///
    /// # Errors
    ///
    /// One [`Error`] per cause. A length of 0 (jumbograms of IPv6) is refused.
    #[inline]
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let header = Self {
            fixed: bytes.first_chunk().ok_or(Error::Truncated)?,
        };
        match header.len() {
            0..=7 => Err(Error::Length),
            _ => Ok(header),
        }
    }

    /// Source port.
    #[inline]
    pub fn src_port(&self) -> u16 {
        u16::from_be_bytes([self.fixed[0], self.fixed[1]])
    }

    /// Destination port.
    #[inline]
    pub fn dst_port(&self) -> u16 {
        u16::from_be_bytes([self.fixed[2], self.fixed[3]])
    }

    /// Bytes of header and payload, 8 at least.
    #[inline]
    #[expect(clippy::len_without_is_empty, reason = "a datagram is never empty")]
    pub fn len(&self) -> u16 {
        u16::from_be_bytes([self.fixed[4], self.fixed[5]])
    }

    /// The checksum as it stands there; 0 means that there is none.
    #[inline]
    pub fn checksum(&self) -> u16 {
        u16::from_be_bytes([self.fixed[6], self.fixed[7]])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VECTOR: [u8; 8] = [
        0x30, 0x39, 0x00, 0x35, // 12345 to 53
        0x00, 0x10, 0xab, 0xcd, // length 16; checksum
    ];

    #[test]
    fn a_header_is_read() {
        let header = Header::parse(&VECTOR).unwrap();
        assert_eq!((header.src_port(), header.dst_port()), (12345, 53));
        assert_eq!((header.len(), header.checksum()), (16, 0xabcd));
    }

    #[test]
    fn every_truncation_is_named() {
        for n in 0..8 {
            assert_eq!(Header::parse(&VECTOR[..n]).unwrap_err(), Error::Truncated);
        }
    }

    #[test]
    fn a_length_under_the_header_is_refused() {
        let mut bytes = VECTOR;
        for len in 0..8 {
            bytes[5] = len;
            assert_eq!(Header::parse(&bytes).unwrap_err(), Error::Length);
        }
    }
}
