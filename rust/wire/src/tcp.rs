// SPDX-License-Identifier: GPL-2.0

//! The TCP header (RFC 9293 section 3.1).
//!
//! ```text
//!  0               8              16                             31
//! +---------------+---------------+-------------------------------+
//! |          source port          |       destination port        |  0
//! |                        sequence number                        |  4
//! |                     acknowledgment number                     |  8
//! | offset| resv  |     flags     |            window             | 12
//! |           checksum            |        urgent pointer         | 16
//! |                       options, 0 to 40                        | 20
//! +---------------------------------------------------------------+
//! ```

use crate::options::{kind, Options};

/// Bytes of a header without options.
pub const HEADER_LEN: usize = 20;
/// Bytes of the longest header.
pub const MAX_HEADER_LEN: usize = 60;
/// Bytes that options may take.
pub const MAX_OPTIONS_LEN: usize = 40;

/// Why bytes are not a TCP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// Fewer than 20 bytes.
    Truncated,
    /// A data offset under 20 bytes.
    DataOffset,
    /// Fewer bytes than the data offset says.
    OptionsTruncated,
}

/// The eight flags of byte 13.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags(pub u8);

impl Flags {
    /// No more data from the sender.
    pub const FIN: Flags = Flags(0x01);
    /// Opens a connection.
    pub const SYN: Flags = Flags(0x02);
    /// Resets the connection.
    pub const RST: Flags = Flags(0x04);
    /// Push.
    pub const PSH: Flags = Flags(0x08);
    /// The acknowledgment number counts.
    pub const ACK: Flags = Flags(0x10);
    /// The urgent pointer counts.
    pub const URG: Flags = Flags(0x20);

    /// These flags and those.
    #[inline]
    #[must_use]
    pub const fn with(self, other: Flags) -> Self {
        Flags(self.0 | other.0)
    }

    /// Whether any of those flags is set.
    #[inline]
    pub const fn any(self, of: Flags) -> bool {
        self.0 & of.0 != 0
    }

    /// FIN is set.
    #[inline]
    pub const fn fin(self) -> bool {
        self.any(Flags::FIN)
    }

    /// SYN is set.
    #[inline]
    pub const fn syn(self) -> bool {
        self.any(Flags::SYN)
    }

    /// RST is set.
    #[inline]
    pub const fn rst(self) -> bool {
        self.any(Flags::RST)
    }

    /// ACK is set.
    #[inline]
    pub const fn ack(self) -> bool {
        self.any(Flags::ACK)
    }
}

/// A checked view of a TCP header.
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
    /// One [`Error`] per cause. What the options say is checked by whoever
    /// reads them.
    #[inline]
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let (fixed, rest) = bytes.split_first_chunk().ok_or(Error::Truncated)?;
        let len = options_len(fixed).ok_or(Error::DataOffset)?;
        let options = rest.get(..len).ok_or(Error::OptionsTruncated)?;
        Ok(Self { fixed, options })
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

    /// Sequence number.
    #[inline]
    pub fn seq(&self) -> u32 {
        u32::from_be_bytes([self.fixed[4], self.fixed[5], self.fixed[6], self.fixed[7]])
    }

    /// Acknowledgment number; counts only with [`Flags::ACK`].
    #[inline]
    pub fn ack(&self) -> u32 {
        u32::from_be_bytes([self.fixed[8], self.fixed[9], self.fixed[10], self.fixed[11]])
    }

    /// Bytes of the header with its options.
    #[inline]
    pub fn header_len(&self) -> usize {
        usize::from(self.fixed[12] >> 4) << 2
    }

    /// The flags.
    #[inline]
    pub fn flags(&self) -> Flags {
        Flags(self.fixed[13])
    }

    /// The window, not scaled.
    #[inline]
    pub fn window(&self) -> u16 {
        u16::from_be_bytes([self.fixed[14], self.fixed[15]])
    }

    /// The checksum as it stands there.
    #[inline]
    pub fn checksum(&self) -> u16 {
        u16::from_be_bytes([self.fixed[16], self.fixed[17]])
    }

    /// The urgent pointer.
    #[inline]
    pub fn urgent(&self) -> u16 {
        u16::from_be_bytes([self.fixed[18], self.fixed[19]])
    }

    /// The options.
    #[inline]
    pub fn options(&self) -> Options<'a> {
        Options::new(self.options)
    }

    /// Whether there are options besides timestamps, laid out as stacks do on
    /// all but SYNs (RFC 7323, appendix A).
    #[inline]
    pub fn has_rare_options(&self) -> bool {
        match self.options {
            [] => false,
            [kind::NOP, kind::NOP, kind::TIMESTAMPS, 10, stamps @ ..] => stamps.len() != 8,
            _ => true,
        }
    }

    /// The options as bytes.
    #[inline]
    pub fn option_bytes(&self) -> &'a [u8] {
        self.options
    }
}

/// Bytes of options that a fixed header announces, `None` for a data offset
/// under 20 bytes.
#[inline]
pub fn options_len(fixed: &[u8; HEADER_LEN]) -> Option<usize> {
    (usize::from(fixed[12] >> 4) << 2).checked_sub(HEADER_LEN)
}

/// The fixed header as five words in host order.
#[inline]
pub(crate) fn to_words(fixed: &[u8; HEADER_LEN]) -> [u32; 5] {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t] = *fixed;
    [
        u32::from_be_bytes([a, b, c, d]),
        u32::from_be_bytes([e, f, g, h]),
        u32::from_be_bytes([i, j, k, l]),
        u32::from_be_bytes([m, n, o, p]),
        u32::from_be_bytes([q, r, s, t]),
    ]
}

/// The fixed header of five words in host order.
#[inline]
pub(crate) fn from_words(words: [u32; 5]) -> [u8; HEADER_LEN] {
    let [v, w, x, y, z] = words.map(u32::to_be_bytes);
    let ([a, b, c, d], [e, f, g, h]) = (v, w);
    let ([i, j, k, l], [m, n, o, p], [q, r, s, t]) = (x, y, z);
    [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t]
}

#[cfg(test)]
mod tests {
    use super::*;

    const VECTOR: [u8; 24] = [
        0x30, 0x39, 0x01, 0xbb, // 12345 to 443
        0x11, 0x22, 0x33, 0x44, // sequence number
        0x55, 0x66, 0x77, 0x88, // acknowledgment number
        0x60, 0x12, 0xfa, 0xf0, // 24 bytes; SYN ACK; window 64240
        0xab, 0xcd, 0x00, 0x05, // checksum; urgent pointer
        0x02, 0x04, 0x05, 0xb4, // MSS 1460
    ];

    #[test]
    fn a_header_is_read() {
        let header = Header::parse(&VECTOR).unwrap();
        assert_eq!((header.src_port(), header.dst_port()), (12345, 443));
        assert_eq!((header.seq(), header.ack()), (0x1122_3344, 0x5566_7788));
        assert_eq!(
            (header.window(), header.checksum(), header.urgent()),
            (64240, 0xabcd, 5)
        );
        assert_eq!(header.header_len(), 24);
        let flags = header.flags();
        assert!(flags.syn() && flags.ack() && !flags.fin() && !flags.rst());
        assert_eq!(flags, Flags::SYN.with(Flags::ACK));
        assert_eq!(header.option_bytes(), &VECTOR[20..]);
        assert_eq!(header.options().count(), 1);
    }

    #[test]
    fn every_truncation_is_named() {
        for n in 0..20 {
            assert_eq!(Header::parse(&VECTOR[..n]).unwrap_err(), Error::Truncated);
        }
        for n in 20..24 {
            assert_eq!(
                Header::parse(&VECTOR[..n]).unwrap_err(),
                Error::OptionsTruncated
            );
        }
    }

    #[test]
    fn a_data_offset_under_five_is_refused() {
        let mut bytes = VECTOR;
        for offset in 0..5 {
            bytes[12] = offset << 4;
            assert_eq!(Header::parse(&bytes).unwrap_err(), Error::DataOffset);
        }
    }
}
