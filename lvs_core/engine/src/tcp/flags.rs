// SPDX-License-Identifier: GPL-2.0

//! [`Flags`]: the control bits of one TCP header (RFC 9293 section 3.1).

/// The control bits as they stand in byte 13 of the header.
///
/// ```
/// # use lvs_engine::tcp::Flags;
/// let syn_ack = Flags::SYN | Flags::ACK;
/// assert_eq!(syn_ack, Flags::from_byte(0x12));
/// assert!(syn_ack.syn() && syn_ack.ack() && !syn_ack.rst());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flags(pub u8);

impl Flags {
    /// No bit set.
    pub const NONE: Self = Self(0);
    /// The sender has no more data.
    pub const FIN: Self = Self(0x01);
    /// A connection is opened.
    pub const SYN: Self = Self(0x02);
    /// The connection is aborted.
    pub const RST: Self = Self(0x04);
    /// The acknowledgement number is valid.
    pub const ACK: Self = Self(0x10);

    /// The flags in byte 13 of a TCP header; bits of no interest are kept but never looked at.
    #[inline]
    #[must_use]
    pub const fn from_byte(byte: u8) -> Self {
        Self(byte)
    }

    /// FIN is set.
    #[inline]
    #[must_use]
    pub const fn fin(self) -> bool {
        self.0 & Self::FIN.0 != 0
    }

    /// SYN is set.
    #[inline]
    #[must_use]
    pub const fn syn(self) -> bool {
        self.0 & Self::SYN.0 != 0
    }

    /// RST is set.
    #[inline]
    #[must_use]
    pub const fn rst(self) -> bool {
        self.0 & Self::RST.0 != 0
    }

    /// ACK is set.
    #[inline]
    #[must_use]
    pub const fn ack(self) -> bool {
        self.0 & Self::ACK.0 != 0
    }

    /// SYN alone: a client opens a connection.
    #[inline]
    #[must_use]
    pub const fn opens(self) -> bool {
        self.syn() && !self.ack() && !self.rst()
    }

    /// ACK, and none of SYN, FIN and RST: data, or the acknowledgement of some.
    #[inline]
    #[must_use]
    pub const fn is_data(self) -> bool {
        self.0 & (Self::SYN.0 | Self::FIN.0 | Self::RST.0 | Self::ACK.0) == Self::ACK.0
    }

    /// Sequence numbers that SYN and FIN take.
    #[inline]
    #[must_use]
    pub const fn sequence_length(self) -> u32 {
        (self.syn() as u32).wrapping_add(self.fin() as u32)
    }
}

impl From<lvs_wire::tcp::Flags> for Flags {
    #[inline]
    fn from(flags: lvs_wire::tcp::Flags) -> Self {
        Self(flags.0)
    }
}

impl core::ops::BitOr for Flags {
    type Output = Self;

    #[inline]
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_says_its_bits() {
        for byte in 0..=u8::MAX {
            let flags = Flags::from_byte(byte);
            assert_eq!(flags, lvs_wire::tcp::Flags(byte).into());
            assert_eq!(flags.fin(), byte & 1 != 0);
            assert_eq!(flags.syn(), byte & 2 != 0);
            assert_eq!(flags.rst(), byte & 4 != 0);
            assert_eq!(flags.ack(), byte & 16 != 0);
            assert_eq!(flags.opens(), byte & 0x16 == 2);
            assert_eq!(flags.is_data(), byte & 0x17 == 0x10);
            assert_eq!(flags.sequence_length(), (byte & 3).count_ones());
        }
    }
}
