// SPDX-License-Identifier: GPL-2.0

//! Weighted round robin: over a cycle, each destination exactly as often as
//! its weight says, spread out.
//!
//! With `g` the common divisor, a destination of weight `w` takes part in `w/g`
//! rounds. The rounds are counted down from the greatest to 0; in round `r` all
//! with `w > r*g` come, in their order. That is IPVS's rule; but where IPVS tries
//! every round between two weights, this jumps to the next round in which
//! someone comes, so that a pick looks at each destination twice at most.

use super::{Candidates, Pick, Rule};

/// The cursor is the round (upper half) and the place in it (lower half).
pub(super) struct Wrr;

impl Rule for Wrr {
    const NAME: &'static str = "wrr";

    #[inline]
    fn pick(cursor: u64, candidates: &impl Candidates) -> Option<Pick> {
        let weights = candidates.weights();
        let rounds = weights.max.checked_div(weights.gcd)?;
        // CAST: the halves of the cursor.
        let round = ((cursor >> 32) as u32).checked_rem(rounds)?;
        // One past the end is a place too: the round is over.
        let places = candidates.len().saturating_add(1);
        let place = (cursor as u32 as usize).checked_rem(places)?;
        let floor = round.saturating_mul(weights.gcd);
        let rest = (place..candidates.len())
            .find(|index| candidates.weight(*index) > floor && candidates.is_eligible(*index));
        match rest {
            Some(index) => Some(chosen(index, round)),
            None => next_round(round, rounds, weights.gcd, candidates),
        }
    }
}

/// The first destination of the next round that has any.
#[inline]
fn next_round(round: u32, rounds: u32, gcd: u32, candidates: &impl Candidates) -> Option<Pick> {
    let below = round.checked_sub(1).unwrap_or(rounds.saturating_sub(1));
    // The last round a destination comes in, but not above `below`.
    let last = |index: usize| -> Option<u32> {
        if !candidates.is_eligible(index) {
            return None;
        }
        let own = candidates.weight(index).saturating_sub(1);
        Some(own.checked_div(gcd)?.min(below))
    };
    let mut best = None;
    for index in 0..candidates.len() {
        if let Some(round) = last(index) {
            if best.is_none_or(|(_, top)| round > top) {
                best = Some((index, round));
            }
        }
    }
    best.map(|(index, round)| chosen(index, round))
}

#[inline]
fn chosen(index: usize, round: u32) -> Pick {
    // CAST: places are 32 bits of the cursor; with more destinations than
    // that the cursor starts over.
    let place = (index as u32).wrapping_add(1);
    Pick {
        index,
        cursor: (u64::from(round) << 32) | u64::from(place),
    }
}
