// SPDX-License-Identifier: GPL-2.0

//! Two random choices: of two destinations drawn by weight, the one with fewer
//! connections for its weight (Mitzenmacher, Richa and Sitaraman, "The power of
//! two random choices", 2001).
//!
//! IPVS draws from 0 to the sum of weights, one number too many, which all falls
//! to the first destination of its list. Here every weight counts as it is.

use super::load::Load;
use super::{Candidates, Pick, Rule};

/// The cursor is the state of a generator of random numbers, SplitMix64 (Steele,
/// Lea and Flood, 2014): it starts at random, and each pick draws two.
pub(super) struct Twos;

impl Rule for Twos {
    const NAME: &'static str = "twos";

    #[inline]
    fn pick(cursor: u64, candidates: &impl Candidates) -> Option<Pick> {
        let total = (0..candidates.len())
            .filter(|index| candidates.is_eligible(*index))
            .fold(0_u64, |sum, index| {
                sum.saturating_add(u64::from(candidates.weight(index)))
            });
        let (cursor, number) = next(cursor);
        let one = drawn(candidates, number.checked_rem(total)?)?;
        let (cursor, number) = next(cursor);
        let other = drawn(candidates, number.checked_rem(total)?)?;
        let load = |index| Load::of_all(candidates.conns(index), candidates.weight(index));
        let index = if load(other).is_less(load(one)) {
            other
        } else {
            one
        };
        Some(Pick { index, cursor })
    }
}

/// The destination that `at` falls to when weights are laid end to end. When
/// weights have shrunk since they were added up it may be beyond; then the last.
#[inline]
fn drawn(candidates: &impl Candidates, mut at: u64) -> Option<usize> {
    let mut last = None;
    for index in 0..candidates.len() {
        if !candidates.is_eligible(index) {
            continue;
        }
        last = Some(index);
        match at.checked_sub(u64::from(candidates.weight(index))) {
            Some(rest) => at = rest,
            None => break,
        }
    }
    last
}

/// The next state and its number.
#[inline]
const fn next(state: u64) -> (u64, u64) {
    let state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (state, mixed ^ (mixed >> 31))
}
