// SPDX-License-Identifier: GPL-2.0

//! A set of TCP option kinds: those that carry a TOA. One of them is written,
//! up to four are read and removed.

use crate::options::kind;

/// Up to four option kinds.
///
/// # Invariants
///
/// The first kinds are those of the set, each once; the others are 0, which is
/// the kind of no option with data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct KindSet([u8; KindSet::MAX]);

/// Why bytes are not a set of kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KindError {
    /// More than [`KindSet::MAX`].
    TooMany,
    /// A kind that TCP itself uses.
    Reserved(u8),
    /// A kind that is there twice.
    Duplicate(u8),
}

impl KindSet {
    /// Kinds that a set holds at most.
    pub const MAX: usize = 4;

    /// No kind.
    pub const EMPTY: KindSet = KindSet([0; KindSet::MAX]);

    /// The kinds that balancers use: 254 since TOA was invented, and 253, in
    /// which some tell IPv6 clients. Servers read both unless told otherwise,
    /// so the balancer removes both from what clients send.
    pub const TOA: KindSet = KindSet([kind::EXPERIMENT_2, kind::EXPERIMENT_1, 0, 0]);

    /// A set of the kinds in `kinds`.
    ///
    /// # Errors
    ///
    /// One [`KindError`] per cause.
    pub fn new(kinds: &[u8]) -> Result<Self, KindError> {
        let mut set = KindSet::EMPTY;
        if kinds.len() > Self::MAX {
            return Err(KindError::TooMany);
        }
        let mut rest = kinds;
        for slot in &mut set.0 {
            let [kind, others @ ..] = rest else { break };
            if is_reserved(*kind) {
                return Err(KindError::Reserved(*kind));
            }
            if others.contains(kind) {
                return Err(KindError::Duplicate(*kind));
            }
            // INVARIANT: not 0, which is reserved, and not among the others.
            *slot = *kind;
            rest = others;
        }
        Ok(set)
    }

    /// Whether `kind` is in the set.
    #[inline]
    pub fn contains(&self, kind: u8) -> bool {
        kind != 0 && self.0.contains(&kind)
    }

    /// Whether the set holds no kind.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0[0] == 0
    }

    /// The kinds in the order in which they were given.
    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = u8> + '_ {
        self.0.iter().copied().take_while(|&kind| kind != 0)
    }

    /// The set as one word, 0 for [`KindSet::EMPTY`]: for storing it in an
    /// atomic.
    #[inline]
    pub const fn to_bits(self) -> u32 {
        u32::from_be_bytes(self.0)
    }

    /// The set of a word that [`to_bits`](Self::to_bits) made; `None` for any
    /// other word.
    pub fn from_bits(bits: u32) -> Option<Self> {
        let bytes = bits.to_be_bytes();
        let len = bytes.iter().position(|&kind| kind == 0);
        let set = Self::new(bytes.get(..len.unwrap_or(Self::MAX))?).ok()?;
        (set.to_bits() == bits).then_some(set)
    }
}

/// Whether a kind means something to TCP, so that it cannot carry a TOA.
fn is_reserved(kind: u8) -> bool {
    matches!(
        kind,
        0..=8
            | kind::MD5
            | kind::AO
            | kind::MPTCP
            | kind::FAST_OPEN
            | kind::ACC_ECN0
            | kind::ACC_ECN1
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn a_set_refuses_what_tcp_uses() {
        assert_eq!(KindSet::new(&[1, 2, 3, 4, 5]), Err(KindError::TooMany));
        for kind in [0, 1, 2, 3, 4, 5, 8, 19, 29, 30, 34, 172, 174] {
            assert_eq!(KindSet::new(&[254, kind]), Err(KindError::Reserved(kind)));
        }
        assert_eq!(
            KindSet::new(&[254, 253, 254]),
            Err(KindError::Duplicate(254))
        );
    }

    #[test]
    fn a_set_survives_a_round_trip() {
        for kinds in [&[][..], &[254], &[254, 253], &[252, 200, 254, 253]] {
            let set = KindSet::new(kinds).unwrap();
            assert_eq!(set.iter().collect::<Vec<_>>(), kinds);
            assert_eq!(KindSet::from_bits(set.to_bits()), Some(set));
            assert_eq!(set.is_empty(), kinds.is_empty());
            assert!((0..=255).all(|k| set.contains(k) == kinds.contains(&k)));
        }
        assert_eq!(KindSet::new(&[254, 253]), Ok(KindSet::TOA));
        assert_eq!(KindSet::new(&[]), Ok(KindSet::default()));
        for bits in [0x0000_00fe, 0xfe00_fd00, 0xfefe_0000, 0x0200_0000] {
            assert_eq!(KindSet::from_bits(bits), None);
        }
    }
}
