// SPDX-License-Identifier: GPL-2.0

//! The Internet checksum (RFC 1071) and its incremental update (RFC 1624).
//!
//! A [`Sum`] is a ones-complement sum that has not been folded yet: terms are
//! added in any order and width, and folded once.
//!
//! ```
//! use lvs_wire::csum::{update, Sum};
//! let before = [0x45, 0x00, 0x00, 0x1c];
//! let after = [0x45, 0x00, 0x00, 0x24];
//! let check = Sum::ZERO.add_bytes(&before).checksum();
//! let change = Sum::ZERO.sub_u16(0x1c).add_u16(0x24);
//! assert_eq!(update(check, change), Sum::ZERO.add_bytes(&after).checksum());
//! ```

use crate::addr::Address;

/// `IPPROTO_TCP`
pub const TCP: u8 = 6;
/// `IPPROTO_UDP`
pub const UDP: u8 = 17;

/// An unfolded ones-complement sum.
///
/// Words go in and come out as numbers in host order. Inside they are summed
/// as they stand in memory, because byte order cancels out (RFC 1071 section
/// 2): a word that is only copied from packet to packet is never swapped.
///
/// It holds 2^32 terms of 32 bits before it could wrap, more than any packet
/// has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Sum(u64);

impl Sum {
    /// The sum of nothing.
    pub const ZERO: Sum = Sum(0);

    /// Adds a 16-bit word.
    #[inline]
    pub const fn add_u16(self, word: u16) -> Self {
        // CAST: widens; `u64::from` is not const.
        Sum(self.0.wrapping_add(word.to_be() as u64))
    }

    /// Adds two 16-bit words at once.
    #[inline]
    pub const fn add_u32(self, words: u32) -> Self {
        // CAST: widens; `u64::from` is not const.
        Sum(self.0.wrapping_add(words.to_be() as u64))
    }

    /// Takes a 16-bit word out again: adds its complement.
    #[inline]
    pub const fn sub_u16(self, word: u16) -> Self {
        self.add_u16(!word)
    }

    /// Takes two 16-bit words out again.
    #[inline]
    pub const fn sub_u32(self, words: u32) -> Self {
        self.add_u32(!words)
    }

    /// Replaces one pair of words by another.
    #[inline]
    pub const fn replace_u32(self, old: u32, new: u32) -> Self {
        self.sub_u32(old).add_u32(new)
    }

    /// Replaces one word by another.
    #[inline]
    pub const fn replace_u16(self, old: u16, new: u16) -> Self {
        self.sub_u16(old).add_u16(new)
    }

    /// Adds to a 16-bit word that the sum covers, or takes from it.
    #[inline]
    pub const fn add_signed(self, difference: i16) -> Self {
        if difference < 0 {
            self.sub_u16(difference.unsigned_abs())
        } else {
            self.add_u16(difference.unsigned_abs())
        }
    }

    /// Adds what another sum holds.
    #[inline]
    pub const fn add(self, other: Sum) -> Self {
        Sum(self.0.wrapping_add(other.0))
    }

    /// Takes what another sum holds out again.
    #[inline]
    pub const fn sub(self, other: Sum) -> Self {
        self.sub_u16(other.fold())
    }

    /// Adds bytes that begin at an even offset; an odd last byte counts as if a
    /// zero followed it.
    #[inline]
    pub fn add_bytes(self, bytes: &[u8]) -> Self {
        let mut sum = self;
        let mut rest = bytes;
        while let Some((word, tail)) = rest.split_first_chunk::<4>() {
            sum = sum.add_u32(u32::from_be_bytes(*word));
            rest = tail;
        }
        if let Some((word, tail)) = rest.split_first_chunk::<2>() {
            sum = sum.add_u16(u16::from_be_bytes(*word));
            rest = tail;
        }
        match rest {
            [last] => sum.add_u16(u16::from_be_bytes([*last, 0])),
            _ => sum,
        }
    }

    /// Takes bytes that begin at an even offset out again.
    #[inline]
    pub fn sub_bytes(self, bytes: &[u8]) -> Self {
        self.sub(Sum::ZERO.add_bytes(bytes))
    }

    /// Folds the sum to 16 bits. 0 only when every term was 0.
    #[inline]
    pub const fn fold(self) -> u16 {
        // A number plus itself with its halves swapped has, in its upper half,
        // the sum of both halves and the carry out of it.
        // CAST: the shift leaves 32, then 16 bits.
        let s = (self.0.wrapping_add(self.0.rotate_left(32)) >> 32) as u32;
        let s = (s.wrapping_add(s.rotate_left(16)) >> 16) as u16;
        u16::from_be(s)
    }

    /// The value of a checksum field over what was added.
    #[inline]
    pub const fn checksum(self) -> u16 {
        !self.fold()
    }
}

/// The sum of a pseudo header (RFC 9293 section 3.1, RFC 8200 section 8.1).
///
/// `len` is the length of the transport header and its payload.
#[inline]
pub fn pseudo<A: Address>(src: A, dst: A, protocol: u8, len: u32) -> Sum {
    src.sum()
        .add(dst.sum())
        .add_u16(u16::from(protocol))
        .add_u32(len)
}

/// A complemented checksum field after `change` (RFC 1624, equation 3).
///
/// What was wrong before is wrong afterwards: an update never hides damage.
#[inline]
pub const fn update(field: u16, change: Sum) -> u16 {
    change.add_u16(!field).checksum()
}

/// An uncomplemented field after `change`: `CHECKSUM_PARTIAL`, where the field
/// holds the folded sum of the pseudo header.
#[inline]
pub const fn update_partial(field: u16, change: Sum) -> u16 {
    change.add_u16(field).fold()
}

/// A UDP checksum field after `change`: 0 means that there is none and stays
/// 0, and a checksum that comes out as 0 is sent as 0xffff (RFC 768).
#[inline]
pub const fn update_udp(field: u16, change: Sum) -> u16 {
    match field {
        0 => 0,
        _ => udp_field(update(field, change)),
    }
}

/// How a computed UDP checksum is written into its field.
#[inline]
pub const fn udp_field(checksum: u16) -> u16 {
    match checksum {
        0 => 0xffff,
        other => other,
    }
}

/// Whether `segment`, a whole TCP or UDP header with its payload, has a right
/// checksum.
///
/// A UDP checksum of 0 (none) is right in IPv4 only; the caller decides.
#[inline]
pub fn verify<A: Address>(src: A, dst: A, protocol: u8, segment: &[u8]) -> bool {
    // A segment longer than 4 GiB does not exist; its checksum would be wrong.
    let len = u32::try_from(segment.len()).unwrap_or(0);
    pseudo(src, dst, protocol, len).add_bytes(segment).fold() == 0xffff
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::{Ipv4Addr, Ipv6Addr};
    use proptest::prelude::*;

    /// The plain reading of RFC 1071, two bytes at a time.
    fn reference(bytes: &[u8]) -> u16 {
        let mut sum = 0u32;
        for pair in bytes.chunks(2) {
            sum += (u32::from(pair[0]) << 8) | pair.get(1).copied().map_or(0, u32::from);
            sum = (sum & 0xffff) + (sum >> 16);
        }
        sum as u16
    }

    #[test]
    fn the_header_of_rfc_1071_examples_sums_up() {
        // RFC 1071 section 3: 00 01 f2 03 f4 f5 f6 f7 sums to ddf2.
        let sum = Sum::ZERO.add_bytes(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]);
        assert_eq!(sum.fold(), 0xddf2);
        assert_eq!(sum.checksum(), !0xddf2);
    }

    #[test]
    fn the_example_of_rfc_1624_keeps_the_right_zero() {
        // Section 4: HC = dd2f, m = 5555, m' = 3285 gives 0000, not ffff.
        assert_eq!(
            update(0xdd2f, Sum::ZERO.replace_u16(0x5555, 0x3285)),
            0x0000
        );
    }

    #[test]
    fn a_fold_carries_around() {
        assert_eq!(Sum(0x1_ffff_ffff).fold(), 0x0001u16.to_be());
        assert_eq!(Sum(u64::MAX).fold(), 0xffff);
        assert_eq!(Sum(0xffff_0000_0001_0000).fold(), 0x0001u16.to_be());
        assert_eq!(Sum::ZERO.fold(), 0);
    }

    #[test]
    fn a_signed_difference_is_what_a_replacement_is() {
        for (old, new) in [(40u16, 48u16), (48, 40), (7, 7), (1, 0)] {
            let difference = new as i16 - old as i16;
            let sum = Sum::ZERO.add_u16(old).add_u16(99).add_signed(difference);
            assert_eq!(sum.fold(), 99 + new);
        }
    }

    #[test]
    fn a_udp_checksum_of_zero_means_none() {
        assert_eq!(update_udp(0, Sum::ZERO.replace_u16(1, 2)), 0);
        assert_eq!(
            update_udp(0xdd2f, Sum::ZERO.replace_u16(0x5555, 0x3285)),
            0xffff
        );
        assert_eq!(udp_field(7), 7);
    }

    #[test]
    fn a_known_udp_datagram_verifies() {
        let mut datagram = [
            0x30, 0x39, 0x00, 0x35, // 12345 to 53
            0x00, 0x0b, 0x00, 0x00, // length 11, checksum to come
            b'a', b'b', b'c', // an odd payload
        ];
        let (src, dst) = (Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(198, 51, 100, 2));
        let check = pseudo(src, dst, UDP, 11).add_bytes(&datagram).checksum();
        datagram[6..8].copy_from_slice(&check.to_be_bytes());
        assert!(verify(src, dst, UDP, &datagram));
        datagram[8] ^= 1;
        assert!(!verify(src, dst, UDP, &datagram));
    }

    proptest! {
        #[test]
        fn a_sum_equals_the_plain_algorithm(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let sum = Sum::ZERO.add_bytes(&bytes).fold();
            // Both write 0 as 0xffff, but for nothing at all.
            prop_assert_eq!(sum, reference(&bytes));
        }

        #[test]
        fn an_update_equals_a_recompute(
            mut bytes in proptest::collection::vec(any::<u8>(), 4..100),
            at in any::<proptest::sample::Index>(),
            new in any::<[u8; 4]>(),
        ) {
            bytes[0] |= 1; // as in a real header: never all zero
            let at = 4 * at.index(bytes.len() / 4);
            let before = Sum::ZERO.add_bytes(&bytes);
            let old = u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
            let mut after = bytes.clone();
            after[at..at + 4].copy_from_slice(&new);
            after[0] |= 1;
            let new = u32::from_be_bytes(after[at..at + 4].try_into().unwrap());
            let change = Sum::ZERO.replace_u32(old, new);
            let recomputed = Sum::ZERO.add_bytes(&after);
            prop_assert_eq!(update(before.checksum(), change), recomputed.checksum());
            prop_assert_eq!(update_partial(before.fold(), change), recomputed.fold());
            let bytewise = Sum::ZERO.sub_bytes(&bytes).add_bytes(&after);
            prop_assert_eq!(update(before.checksum(), bytewise), recomputed.checksum());
        }

        #[test]
        fn a_pseudo_header_is_the_sum_of_its_bytes(src in any::<[u8; 16]>(), dst in any::<[u8; 16]>(), len in any::<u32>()) {
            let sum = pseudo(Ipv6Addr::from(src), Ipv6Addr::from(dst), TCP, len);
            let mut bytes = [src, dst].concat();
            bytes.extend(len.to_be_bytes());
            bytes.extend([0, 0, 0, TCP]);
            prop_assert_eq!(sum.fold(), reference(&bytes));
        }
    }
}
